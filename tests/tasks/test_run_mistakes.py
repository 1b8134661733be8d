"""What a user does wrong with a run or with data: one sentence, and nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.data.sample import Sample
from aclnet.data.store import open_store, write_store

Change = Callable[[Path], None]


def damage(name: str, content: bytes) -> Change:
    def change(run: Path) -> None:
        (run / name).write_bytes(content)

    return change


def cut(name: str, keep: float) -> Change:
    def change(run: Path) -> None:
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[: int(len(whole) * keep)])

    return change


def replace(name: str, old: str, new: str) -> Change:
    def change(run: Path) -> None:
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new))

    return change


def flip_bytes(run: Path) -> None:
    content = bytearray((run / "checkpoint.pt").read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 64):  # longer than the padding
        content[place] ^= 0xFF
    (run / "checkpoint.pt").write_bytes(content)


def foreign_checkpoint(run: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, run / "checkpoint.pt")


def without(name: str) -> Change:
    return lambda run: (run / name).unlink()


EMBED = ("gait", "embed", "--out", "OUT.npz", "--run", "RUN", "--data", "STORE")
ANEW = ("gait", "train", "--overwrite", "-c", "RECIPE", "--run", "RUN")
AGAIN = ("gait", "train", "--resume", "--run", "RUN")


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        # the run folder
        (None, ("gait", "train", "--run", "RUN"), ("RUN", "--resume", "--overwrite", "--run")),
        (None, (*AGAIN, "--overwrite"), ("--resume", "--overwrite")),
        # Nothing is overwritten for the sake of a run that cannot begin.
        (None, (*ANEW, "--data", "GONE"), ("GONE", "--data")),
        (None, (*ANEW, "-s", "identities.train=9"), ("0 test",)),
        (None, ("gait", "eval", "--run", "EMPTY"), ("EMPTY is not a run", "settings.yaml")),
        (
            None,
            ("gait", "embed", "--run", "GONE", "--out", "OUT.npz"),
            ("GONE is not a run: there is no such",),
        ),
        (without("embeddings.npz"), ("gait", "eval", "--run", "RUN"), ("embeddings.npz", "RUN")),
        (without("record.json"), ("gait", "eval", "--run", "RUN"), ("record.json", "--resume")),
        (cut("record.json", 0.5), ("gait", "eval", "--run", "RUN"), ("record.json", "damaged")),
        (cut("embeddings.npz", 0.5), ("gait", "eval", "--run", "RUN"), ("embeddings.npz",)),
        # the checkpoint
        (without("checkpoint.pt"), EMBED, ("checkpoint.pt", "no checkpoint")),
        (cut("checkpoint.pt", 0.7), EMBED, ("checkpoint.pt", "damaged")),
        (cut("checkpoint.pt", 0.7), AGAIN, ("checkpoint.pt", "damaged")),
        (flip_bytes, EMBED, ("checkpoint.pt", "damaged")),
        (damage("checkpoint.pt", b""), EMBED, ("checkpoint.pt",)),
        (foreign_checkpoint, EMBED, ("checkpoint.pt", "not a checkpoint of aclnet")),
        # run.json
        (damage("run.json", b"{"), EMBED, ("run.json", "damaged")),
        (damage("run.json", b"\xff\xfe"), EMBED, ("run.json", "damaged")),
        (replace("run.json", '"channels"', '"chanels"'), EMBED, ("run.json", "channels")),
        (replace("run.json", '"nose"', '"beak"'), EMBED, ("joint 0 is nose", "beak")),
        # settings.yaml
        (
            replace("settings.yaml", "width: 8", "width: 9"),
            EMBED,
            ("settings.yaml", "run.json", "network"),
        ),
        (
            replace("settings.yaml", "width: 8", "with: 8"),
            EMBED,
            ("settings.yaml", "with", "width"),
        ),
        (damage("settings.yaml", b"a: [b"), EMBED, ("settings.yaml", "line 1")),
        # going on with something else
        (None, (*AGAIN, "-s", "network.encoder.width=9"), ("network.encoder.width = 8", "9")),
        (None, (*AGAIN, "-s", "clip.streams=[j]"), ("clip.streams", "RUN")),
        (None, (*AGAIN, "-s", "train.learning_rate=0.5"), ("learning_rate", "checkpoint.pt")),
        (None, (*AGAIN, "-s", "identities.train=6"), ("RUN", "training classes")),
        (None, (*AGAIN, "-s", "data.min_frames=21"), ("data.min_frames = 1", "21")),
        (
            None,
            (*AGAIN, "--data", "OTHER", "-s", "protocol=kgbd_walks"),
            ("RUN", "the data", "walkers"),
        ),
    ],
)
def test_mistakes_with_a_run(
    change: Change | None,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    first: Path,
    recipe: Path,
    walkers: Path,
    cache: Path,
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    run = tmp_path / "RUN"
    shutil.copytree(first, run)
    if change is not None:
        change(run)
    before = {item.name: item.read_bytes() for item in run.iterdir()}
    other = other_joints(tmp_path / "OTHER")
    places = {"STORE": walkers, "OTHER": other, "RECIPE": recipe, "RUN": run}
    given = [places.get(word, tmp_path / word if word.isupper() else word) for word in arguments]
    given = [tmp_path / word if word == "OUT.npz" else word for word in given]
    (tmp_path / "EMPTY").mkdir()
    if given[1] in ("train", "embed"):
        given += ["--cache", cache]
    mistake(*given, words=words)
    # A refused command leaves the run as it was.
    assert {item.name: item.read_bytes() for item in run.iterdir()} == before
    assert not (tmp_path / "OUT.npz").exists()


def other_joints(path: Path, identities: str = "12345678") -> Path:
    """A store in another layout: noise, three clips for each identity (`-`: none)."""
    from aclnet.data.sample import StoreInfo
    from aclnet.skeleton import load_layout

    layout = load_layout("ucalgary18")
    info = StoreInfo(name="other", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    rng = np.random.default_rng(0)
    samples = (
        Sample(
            sample=f"{name}/{take}",
            frames=rng.normal(size=(20, 1, layout.joint_count, 3)),
            identity=name.strip("-"),
            condition="N",
            take=take,
        )
        for name in identities
        for take in "123"
    )
    write_store(path, samples, info)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--config", "gait/walker"), ("gait/walker", "gait/walkers", "gait/kgbd")),
        (("--config", "GONE.yaml"), ("GONE.yaml", "gait/walkers")),
        (("--data", "GONE"), ("GONE", "--data")),
        (("--data", "TEXT"), ("TEXT", "gaitgraph_csv", "npz")),
        (("--data", "OTHER"), ("other", "Protocol casia_b", "gallery", "['N']", "-s protocol=")),
        (("--data", "NAMELESS"), ("nameless", "identity", "3 of 24")),
        (("--data", "OTHER", "-s", "data.map_to=coco17"), ("OTHER", "ucalgary18", "--map-to")),
        (("-s", "trian.epochs=3"), ("trian", "train", "--set trian.epochs=3")),
        (("-s", "train.epoch=3"), ("train.epoch", "nearest known name `epochs`")),
        (("-s", "train.epochs=many"), ("train.epochs", "many")),
        (("-s", "train.epochs"), ("--set train.epochs", "=")),
        (("-s", "rule=gaitgrap"), ("rule", "gaitgrap", "nearest known value `gaitgraph`")),
        (("-s", "protocol=casia_c"), ("casia_c", "casia_b", "kgbd_walks")),
        (("-s", "identities.train=8"), ("0 test", "identities.train")),
        (("-s", "identities.train=1"), ("would be divided", "identities.train")),
        (("-s", "identities.train=2.5"), ("identities.train", "2.5")),
        (("-s", "data.min_frames=500"), ("data.min_frames", "500", "26")),
        (("-s", "objective.feature=graph"), ("objective.feature", "temporal_conv", "affinity_gcn")),
        (("-s", "network.encoder.kernel=4"), ("network.encoder.kernel", "odd", "4")),
        (("-s", "train.accelerator=cuda"), ("cuda", "cpu")),
        (("--run", "TEXT"), ("TEXT is a file", "folder")),
        (("--run", "FULL"), ("FULL is not empty", "--run")),
        (("--run", "FULL", "--overwrite"), ("FULL is not empty", "--run")),
    ],
)
def test_mistakes_of_training(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    recipe: Path,
    cache: Path,
    first: Path,
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    if "train.accelerator=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("here CUDA is not a mistake")
    (tmp_path / "TEXT").write_text("not data")
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "thesis.tex").write_text("mine")
    if "OTHER" in arguments:
        other_joints(tmp_path / "OTHER")
    if "NAMELESS" in arguments:
        other_joints(tmp_path / "NAMELESS", "12-45678")
        info = tmp_path / "NAMELESS" / "store.json"
        info.write_text(info.read_text().replace('"other"', '"nameless"'))
    given = [tmp_path / word if word.split(".")[0].isupper() else word for word in arguments]
    if "--config" not in given:
        given += ["--config", recipe]
    if "--run" not in given:
        given += ["--run", tmp_path / "new"]
    mistake("gait", "train", *given, "--cache", cache, words=words)
    assert (tmp_path / "FULL" / "thesis.tex").read_text() == "mine"
    assert not (tmp_path / "new" / "checkpoint.pt").exists()


def test_data_with_other_joints_than_the_run(
    first: Path, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    other = other_joints(tmp_path / "other")
    out = tmp_path / "out.npz"
    words = ("18 joints", "ucalgary18", "17 joints", "coco17", "--map-to coco17", str(first))
    mistake("gait", "embed", "--run", first, "--data", other, "--out", out, words=words)
    assert not out.exists()


def test_data_in_another_unit_than_the_run(
    first: Path, walkers: Path, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    scaled = tmp_path / "scaled"
    shutil.copytree(walkers, scaled)
    info = scaled / "store.json"
    info.write_text(info.read_text().replace('"pixel"', '"normalised"'))
    out = tmp_path / "out.npz"
    words = ("normalised", "--unit pixel")
    mistake("gait", "embed", "--run", first, "--data", scaled, "--out", out, words=words)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (np.nan, ("sample '002-nm-03-054' has values that are NaN",)),
        (1e36, ("not finite at epoch 1, step ",)),
    ],
)
def test_a_sample_that_breaks_the_loss_is_named(
    recipe: Path,
    walkers: Path,
    tmp_path: Path,
    mistake: Callable[..., str],
    factor: float,
    words: tuple[str, ...],
) -> None:
    store = open_store(walkers)
    samples = [
        Sample(
            sample=str(row.sample),
            frames=store.clip(i) * (factor if row.sample == "002-nm-03-054" else 1),
            identity=str(row.identity),
            condition=str(row.condition),
            take=str(row.take),
            view=str(row.view),
        )
        for i, row in enumerate(store.index.itertuples())
    ]
    broken, run = tmp_path / "broken", tmp_path / "run"
    write_store(broken, samples, store.info)
    steps = ("-s", "sampler.steps_per_epoch=9", "-s", "sampler.samples_per_identity=12")
    words = (*words, "data validate")
    mistake("gait", "train", "-c", recipe, "--data", broken, "--run", run, *steps, words=words)
    assert not (run / "checkpoint.pt").exists()


def test_overwrite_begins_anew_but_saves_what_no_run_wrote(
    first: Path,
    recipe: Path,
    cache: Path,
    tmp_path: Path,
    call: Any,
    mistake: Any,
    assert_same_run: Any,
) -> None:
    run = tmp_path / "run"
    shutil.copytree(first, run)
    command = ("gait", "train", "-c", recipe, "--cache", cache, "--run", run, "--overwrite")
    (run / "notes").mkdir()
    assert "notes" in mistake(*command)
    assert (run / "record.json").exists()
    (run / "notes").rmdir()
    (run / "checkpoint.pt").write_bytes(b"damaged")
    call(*command)
    assert_same_run(first, run)
