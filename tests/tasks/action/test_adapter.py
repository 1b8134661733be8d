"""Action recognition from file to record, on small data written here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.config import load_settings
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.settings import DataSettings
from aclnet.data.store import write_store
from aclnet.runs.inference import score
from aclnet.runs.networks import build_network, weight_generator
from aclnet.skeleton import load_layout
from protocols.action.fusion import fuse
from protocols.action.scores import load_class_scores
from tasks.action.adapter import ActionAdapter
from tasks.action.settings import ActionSettings
from tasks.run.open import open_run
from tasks.samples.labels import labelled_rows
from tasks.samples.open import open_data
from tasks.spec import find_task

RECIPE = """
data: {source: file}
split: store
hold_out: {people: 1}
clip: {frames: 8, sampling: uniform, streams: [j, jm], motion: recording,
       normalise: {centre: none, scale: none}, augment: {mirror: 0.0, rotate: 0.1}}
network: {encoder: {name: temporal_conv, width: 16, blocks: 1}}
objective: {start_epoch: 1, queue_size: 8, projection_dim: 8, neighbours: 2, overlap: 1}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 30, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu}
test: {clips: 3}
"""
CLASSES = ("wave", "sit", "kick")


def write_data(path: Path, people: int = 6, **changes: Any) -> Path:
    """Three classes that differ in which joint moves; odd people train, even are tested."""
    rng = np.random.default_rng(0)
    layout = load_layout("kinect20")
    samples = []
    for person in range(1, people + 1):
        for number, label in enumerate(CLASSES):
            for take in range(2):
                frames = rng.normal(0, 0.02, (int(rng.integers(6, 20)), 1, 20, 3))
                frames += rng.normal(0, 0.1, (1, 1, 20, 3))
                wave = np.sin(np.linspace(0, 6, len(frames)))
                frames[:, 0, 5 * number : 5 * number + 5, 1] += wave[:, None]
                samples.append(
                    Sample(
                        sample=f"{label}-{person}-{take}",
                        frames=frames.astype(np.float32),
                        identity=str(person),
                        label=label,
                        split="train" if person % 2 else "test",
                    )
                )
    info = StoreInfo(
        name="movements",
        layout=layout.to_dict(),
        **{"channels": ("x", "y", "z"), "unit": "metre", "classes": CLASSES, **changes},
    )
    write_store(path, samples, info)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "movements")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def run(call: Any, recipe: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("runs") / "j"
    call("action", "train", "-c", recipe, "--data", data, "--run", folder)
    return folder


def test_data_and_split_alone_learn(call: Any, gesture_run: Path, tmp_path: Path) -> None:
    recipe, run = tmp_path / "own.yaml", tmp_path / "run"
    store = gesture_run.parent / "store"
    recipe.write_text(f"data: {{source: file, path: {store}}}\nsplit: store\n")
    done = call("action", "train", "-c", recipe, "--run", run, "-s", "train.epochs=20")
    record = json.loads((run / "record.json").read_text())
    assert record["metrics"]["top1"] == 1.0  # a half by chance
    assert "never applied" not in done.err


def test_train_test_and_record(run: Path) -> None:
    record = json.loads((run / "record.json").read_text())
    assert record["task"] == "action"
    assert record["objective"] == "acl"
    assert record["rule"] == "3 clips, best epoch in validation"
    assert record["counts"]["train"] == 12
    assert record["counts"]["validation"] == 6
    assert record["counts"]["test"] == 18
    assert record["metrics"]["top1"] > 0.9  # a third by chance
    scores = load_class_scores(run / "scores.npz")
    assert scores.classes.tolist() == list(CLASSES)
    assert record["metrics"]["top1"] == pytest.approx((scores.predicted == scores.label).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_few_labels_are_those_of_the_probe(data: Path, tmp_path: Path, seed: int) -> None:
    store = open_data(DataSettings(path=data), tmp_path)

    def training(share: float) -> tuple[list[str], np.ndarray, ActionAdapter]:
        adapter = ActionAdapter(
            ActionSettings.model_validate(
                {"train": {"seed": seed}, "train_share": share, "hold_out": {"people": 1}}
            ),
            store,
        )
        samples, labels = adapter.training_samples()
        return samples.index["sample"].tolist(), labels, adapter

    every, labels, whole = training(1.0)
    few, kept, adapter = training(0.25)  # of four samples a class
    assert few == [every[row] for row in labelled_rows(labels, 0.25, seed)]
    assert sorted(kept.tolist()) == [0, 1, 2]
    assert adapter.counts() == {**whole.counts(), "train": 3, "train_left_out": 9}
    assert adapter.classes == whole.classes
    assert any("3 of 12 training samples: 25 % of each class" in note for note in adapter.notes())


def test_eval_repeats_the_figures_and_takes_more_clips(
    call: Any, run: Path, tmp_path: Path
) -> None:
    before = json.loads((run / "record.json").read_text())["metrics"]
    call("action", "eval", "--run", run, "--json", tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["metrics"] == before
    call("action", "eval", "--run", run, "--clips", 10, "--json", tmp_path / "more.json")
    assert json.loads((tmp_path / "more.json").read_text())["rule"].startswith("10 clips")


def test_the_last_epoch_can_be_tested(call: Any, recipe: Path, data: Path, tmp_path: Path) -> None:
    call(
        "action", "train", "-c", recipe, "--data", data, "--run", tmp_path / "run",
        "-s", "select=last", "-s", "train.epochs=2",
    )  # fmt: skip
    assert not (tmp_path / "run" / "best.pt").exists()
    call("action", "eval", "--run", tmp_path / "run")


def test_fusion_goes_by_key(call: Any, run: Path, tmp_path: Path) -> None:
    scores = load_class_scores(run / "scores.npz")
    turned = tmp_path / "turned.npz"
    scores.select(np.arange(len(scores))[::-1]).save(turned)
    out = tmp_path / "fused.npz"
    call("action", "fuse", run, turned, "--weights", "2,1", "--out", out)
    fused = load_class_scores(out)
    np.testing.assert_allclose(fused.probabilities, scores.probabilities, atol=1e-6)
    call("action", "fuse", run, run, "--json", tmp_path / "fused.json")
    both, one = (
        json.loads(path.read_text()) for path in (tmp_path / "fused.json", run / "record.json")
    )
    assert both["settings"].items() >= one["settings"].items()  # what both runs have in common
    assert both["counts"] == one["counts"]
    missing = tmp_path / "missing.npz"
    scores.select(np.arange(1, len(scores))).save(missing)
    refused = call("action", "fuse", run, missing, code=2)
    assert scores.sample[0] in refused.err
    call("action", "fuse", run, turned, "--weights", "4s", code=2)
    call("action", "fuse", run, turned, "--on", "votes", code=2)


@pytest.mark.slow
def test_study_of_folds(call: Any, recipe: Path, data: Path, tmp_path: Path) -> None:
    split = tmp_path / "people.csv"
    split.write_text("# folds: 1 2\nidentity,role\n{fold},test\n*,train\n")
    arguments = (
        "action", "study", "-c", recipe, "--data", data, "--arms", "ce,acl", "--seeds", "0,1",
        "--runs", tmp_path / "runs", "--results", tmp_path / "results",
        "-s", f"split={split}", "-s", "train.epochs=2", "-s", "hold_out.people=0",
    )  # fmt: skip
    done = call(*arguments)
    assert "acl against ce" in done.out
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == ["acl-seed0.json", "acl-seed1.json", "ce-seed0.json", "ce-seed1.json"]
    record = json.loads((tmp_path / "results" / "acl-seed0.json").read_text())
    assert record["counts"]["test"] == 12
    assert (record["rule"], record["fold"]) == ("3 clips, last epoch", "*")
    again = call(*arguments)  # everything is there
    assert again.out == done.out
    assert "fold 1" not in again.err
    sides = [tmp_path / "runs" / name for name in ("ce-seed0", "acl-seed0")]
    call("action", "fuse", *sides, "--json", tmp_path / "fused.json")
    both = json.loads((tmp_path / "fused.json").read_text())
    assert (both["counts"]["test"], both["fold"]) == (12, "*")
    right = []
    for fold in ("fold1", "fold2"):
        two = [load_class_scores(Path(f"{side}-{fold}") / "scores.npz") for side in sides]
        added = fuse(two, (1.0, 1.0), "probabilities", ("ce", "acl"))
        right.append(added.predicted == added.label)
    assert both["metrics"]["top1"] == pytest.approx(np.mean(right))
    shutil.rmtree(tmp_path / "runs" / "acl-seed0-fold2")
    said = call("action", "fuse", *sides, code=2).err
    assert "has the folds 1 and" in said
    call(*arguments[:-2], "-s", "hold_out.people=1", code=2)


def test_a_resumed_run_keeps_its_training_samples(call: Any, run: Path, tmp_path: Path) -> None:
    (tmp_path / "swapped.csv").write_text("split,role\ntrain,test\ntest,train\n")
    again = ("action", "train", "--run", run, "--resume", "-s")
    for change in (f"split={tmp_path / 'swapped.csv'}", "hold_out.people=2"):
        done = call(*again, change, code=2)
        assert f"was started with {change.split('=')[0]} = " in done.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("split=ntu60_xview", "finds no train"),
        ("split=ntu60_xvie", "did you mean 'ntu60_xview'"),
        ("fold='1'", "has no folds"),
        ("hold_out.people=3", "at least one must stay"),
        ("clip.sampling=window -s clip.motion=recording -s clip.augment.reverse=0.5", "reversed"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    call: Any, recipe: Path, data: Path, tmp_path: Path, change: str, message: str
) -> None:
    run = tmp_path / "run"
    parts = change.split(" ")
    done = call("action", "train", "-c", recipe, "--data", data, "--run", run, "-s", *parts, code=2)
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert not run.exists()


def test_samples_in_two_roles(
    call: Any, mistake: Any, case: Callable[[str], Path], tmp_path: Path
) -> None:
    """They are refused before a run is begun, or tested only and counted."""
    run = tmp_path / "run"
    train = ("action", "train", "-c", case("action_tiny.yaml"), "--data", case("act_partleak.pkl"))
    train = (*train, "--run", run, "--cache", tmp_path / "cache", "-s", "train.epochs=1")
    mistake(*train, words=("6 of 54 samples", "train and test", "c0p4r0", "c0p5r2", "overlap"))
    assert not run.exists()
    done = call(*train, "-s", "overlap=test", "-s", "train.evaluate_every_epochs=1")
    counts = json.loads((run / "record.json").read_text())["counts"]
    assert [counts[name] for name in ("train", "test", "in_two_roles")] == [36, 18, 6]
    assert "lists 6 samples twice" in done.err


def test_what_a_recipe_leaves_open_follows_from_the_training(data: Path, tmp_path: Path) -> None:
    """Three classes, 18 training clips, 15 epochs; a recipe's own numbers stay."""
    short = ["split=store", f"data.path={data}", "train.epochs=15"]
    for changes, expected in (
        ((), (18, 2, 1, 2)),
        (("queue_size=99", "neighbours=9", "overlap=4", "start_epoch=5"), (99, 9, 4, 5)),
    ):
        chosen = [f"objective.{change}" for change in changes]
        settings = load_settings(ActionSettings, None, [*short, *chosen])
        adapter = ActionAdapter(settings, open_data(settings.data, tmp_path))
        generator = weight_generator(0)
        network = build_network(settings.network, 3, adapter.clip_input, generator)
        terms = adapter.make_task(network, generator).get_submodule("objective.terms")
        inter, intra = terms.get_submodule("inter"), terms.get_submodule("intra")
        sizes = (inter.neighbours, inter.families.overlap, inter.start_epoch)
        assert (intra.queue.size, *sizes) == expected


def test_samples_without_label_are_refused(tmp_path: Path) -> None:
    path = write_data(tmp_path / "data", classes=())
    settings = ActionSettings(data=DataSettings(source="file", path=path))
    store = open_data(settings.data, tmp_path)
    store.index.loc[0, "label"] = ""
    with pytest.raises(ValueError, match=r"needs a label.*the first is wave-1-0"):
        ActionAdapter(settings, store)
    store.index.loc[store.index["identity"] == "2", "label"] = "jump"
    store.index.loc[0, "label"] = "wave"
    with pytest.raises(ValueError, match="'jump' is tested but has no training sample"):
        ActionAdapter(settings, store)


def test_pictures_without_width_are_refused_before_a_run_is_begun(
    call: Any, recipe: Path, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", channels=("x", "y", "confidence"), unit="pixel")
    flips = ("-s", "clip.augment.image_flip=0.5", "-s", "clip.augment.rotate=0", "--run")
    done = call("action", "train", "-c", recipe, "--data", data, *flips, tmp_path / "run", code=2)
    assert "the width of 12 of 12 videos is unknown" in " ".join(done.err.split())
    assert not (tmp_path / "run").exists()


def test_classes_that_a_split_leaves_out_are_no_classes(tmp_path: Path, data: Path) -> None:
    split = tmp_path / "two.csv"
    split.write_text("label,identity,role\nwave|kick,odd,train\nwave|kick,even,test\n")
    settings = ActionSettings(data=DataSettings(source="file", path=data), split=str(split))
    adapter = ActionAdapter(settings, open_data(settings.data, tmp_path))
    assert adapter.classes == ("wave", "kick")


def test_the_best_epoch_is_chosen_on_people_who_are_not_tested(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ActionSettings(data=DataSettings(path=data), split="store", hold_out={"people": 1})
    adapter = ActionAdapter(settings, open_data(settings.data, tmp_path))
    network = build_network(
        settings.network, len(adapter.classes), adapter.clip_input, weight_generator(0)
    )
    seen: set[str] = set()

    def watched(network: Any, samples: Any, *more: Any) -> Any:
        seen.update(samples.index["identity"])
        return score(network, samples, *more)

    monkeypatch.setattr("tasks.action.adapter.score", watched)
    metrics = adapter.validate(network)
    assert 0 <= metrics["validation/top1"] <= 1
    (held_out,) = seen
    assert held_out in {"1", "3", "5"} - set(adapter.training_samples()[0].index["identity"])
    assert set(adapter.test_samples().index["identity"]) == {"2", "4", "6"}


def test_hidden_joints_have_no_influence(run: Path, tmp_path: Path) -> None:
    adapter, network = open_run(find_task("action"), run, tmp_path)
    hidden = np.arange(5, 10)
    before = adapter.test_scores(network, hidden).probabilities
    frames = np.array(adapter.store.frames)
    frames[:, :, hidden] += 3.0
    adapter.store.frames = frames
    np.testing.assert_array_equal(adapter.test_scores(network, hidden).probabilities, before)


def own(store: Path, *changes: str, named: bool = True) -> ActionAdapter:
    """The adapter of data divided by shares."""
    recipe = store.parent / "own.yaml"
    recipe.write_text(RECIPE)
    shares = ["identities.train=0.7", "identities.validation=0", "hold_out.people=0", *changes]
    settings = load_settings(ActionSettings, recipe, shares)
    found = open_data(DataSettings(path=store), store.parent / "cache")
    if not named:
        found.index["identity"] = ""
    return ActionAdapter(settings, found)


def test_shares_of_the_people_train_and_are_tested(tmp_path: Path) -> None:
    adapter = own(write_data(tmp_path / "store", people=5))
    people = [set(adapter.samples(role).index["identity"]) for role in ("train", "test")]
    assert [len(group) for group in people] == [4, 1]
    assert not people[0] & people[1]
    assert adapter.settings.benchmark == "own"


def test_whom_a_table_does_not_name_takes_no_part(tmp_path: Path) -> None:
    store, table = write_data(tmp_path / "store", people=5), tmp_path / "people.csv"
    table.write_text("subject,split\n1,train\n2,train\n3,validation\n4,test\n")
    adapter = own(store, f"identities.table={table}")
    roles = ("train", "validation", "test")
    people = [set(adapter.samples(role).index["identity"]) for role in roles]
    assert people == [{"1", "2"}, {"3"}, {"4"}]
    assert adapter.counts()["left_out"] == 6
    with pytest.raises(ValueError, match="not numbers of people or a table of them"):
        own(store, f"identities.table={table}", named=False)


def test_without_names_shares_of_each_class_are_tested(tmp_path: Path) -> None:
    adapter = own(write_data(tmp_path / "store", people=5), named=False)
    assert [len(adapter.samples(role)) for role in ("train", "test")] == [21, 9]
    assert "recordings are divided, not people" in adapter.notes()[0]


def test_numbers_of_people_need_their_names(tmp_path: Path) -> None:
    store = write_data(tmp_path / "store", people=5)
    with pytest.raises(ValueError, match="identities: data set movements does not name everybody"):
        own(store, "identities.train=3", named=False)


def test_a_class_that_no_training_person_does_is_refused(tmp_path: Path) -> None:
    store = write_data(tmp_path / "store", people=5)
    index = store / "index.csv"
    lines = index.read_text().splitlines()
    lines = [
        line.replace(",kick,", ",sit,") if ",kick," in line and ",5,kick" not in line else line
        for line in lines
    ]
    index.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="'kick' is tested, but none of the training people does"):
        own(store)
