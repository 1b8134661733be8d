"""Runs of pre-training on two gestures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.skeleton import load_layout
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.pretraining import MaskedTraining, ViewTraining
from protocols.action.scores import load_class_scores
from protocols.figures.registry import make_figures
from tasks.pretrain.settings import PretrainSettings

MASKED = (
    "-s", "method=masked", "-s", "masked={width: 8, blocks: 1, heads: 2}",
    "-s", "network.encoder={name: joint_transformer, width: 8, blocks: 1, heads: 2, dropout: 0.1}",
    "-s", "train.optimizer=adamw", "-s", "train.learning_rate=0.001",
)  # fmt: skip
RECIPE = """
data: {source: file}
split: store
clip: {frames: 16}
network: {encoder: {name: st_gcn, width: 8, blocks: 2, widen_at: [2], stride_at: [2]}}
sampler: {kind: shuffle, batch_size: 6}
aimclr: {projection_dim: 8}
actclr: {projection_dim: 8}
hold_out: {people: 0}
train: {epochs: 2, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, gesture: Callable[..., np.ndarray]) -> Path:
    """A recipe, and a store of six people who train and two who are tested."""
    folder = tmp_path_factory.mktemp("pretrain")
    layout = load_layout("coco17").to_dict()
    info = StoreInfo(name="tiny", layout=layout, channels=("x", "y"), unit="normalised")
    people = [(i, "train" if i < 6 else "test") for i in range(8)]
    samples = [
        Sample(f"{kind}{i}", gesture(kind, i), identity=str(i), label=kind, split=split)
        for i, split in people
        for kind in ("raise", "stand")
    ]
    write_store(folder / "store", samples, info)
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def options(place: Path) -> tuple[object, ...]:
    return ("-c", place / "tiny.yaml", "--data", place / "store", "--cache", place / "cache")


@pytest.fixture(scope="module")
def stages(call: Any, place: Path, options: tuple[object, ...]) -> Path:
    """Both stages, trained."""
    call("pretrain", "actclr", *options, "--run", place / "run")
    return place / "run"


@pytest.fixture(scope="module")
def masked(call: Any, place: Path, options: tuple[object, ...]) -> Path:
    """Masked motion prediction, trained."""
    call("pretrain", "train", *options, *MASKED, "--run", place / "masked")
    return place / "masked"


def weights(run: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_checkpoint(run / "checkpoint.pt")["task"]
    return found


def read(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "record.json").read_text())
    return found


@pytest.mark.slow
def test_both_stages_are_trained_and_judged(stages: Path) -> None:
    for stage, method in ((1, "aimclr"), (2, "actclr")):
        record, state = read(stages / f"stage{stage}"), weights(stages / f"stage{stage}")
        assert (record["task"], record["objective"], record["stream"]) == ("pretrain", method, "j")
        assert record["rule"].startswith("linear probe, ")
        assert record["counts"]["train"] == 12
        assert 0 <= record["metrics"]["top1"] <= 1
        # No more keys than clips; two epochs of two batches have filled the ring twice.
        assert state["objective.queue.features"].shape == (12, 8)
        assert state["objective.queue.cursor"] == 0
        encoder = "encoder.blocks.0.graph.mix.weight"
        assert torch.equal(state[f"network.{encoder}"], state[f"objective.online.{encoder}"])
        slow = state[f"objective.slow.network.{encoder}"]
        assert not torch.equal(slow, state[f"network.{encoder}"])
    assert read(stages / "stage2")["settings"]["init_from"] == str(stages / "stage1")


@pytest.mark.slow
def test_the_report_shows_the_actionlets_of_stage_2(stages: Path, tmp_path: Path) -> None:
    saved = np.load(stages / "stage2" / "actionlets.npz")
    assert saved["joints"].shape == (2, 16, 17, 2)  # a clip of each class
    assert saved["mask"].shape == (2, 8, 17)  # the encoder's stride
    assert saved["label"].tolist() == ["raise", "stand"]
    assert 0 <= saved["mask"].min() <= saved["mask"].max() <= 1
    assert not (stages / "stage1" / "actionlets.npz").exists()
    told: list[str] = []
    logs = {stage: stages / stage / "log.jsonl" for stage in ("stage1", "stage2")}
    figures = make_figures([], tmp_path, logs=logs, passed_over=told.append)
    assert [figure.key for figure in figures] == [
        "training-pretrain-tiny",
        "actionlets-stage2",
    ]
    assert told == []


@pytest.mark.slow
def test_stage_2_begins_with_the_weights_of_stage_1(
    stages: Path, call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    still = ("-s", "train.learning_rate=1e-12", "-s", "train.epochs=1")
    start = ("-s", f"init_from={stages / 'stage1'}")
    call("pretrain", "actclr", *options, "--stage", 2, *start, *still, "--run", tmp_path / "run")
    before, after = weights(stages / "stage1"), weights(tmp_path / "run" / "stage2")
    initial = read(tmp_path / "run" / "stage2")["settings"]["initial"]
    assert (initial["task"], initial["objective"]) == ("pretrain", "aimclr")
    for part in ("online", "slow.network"):
        for name in ("encoder.blocks.1.temporal.weight", "projector.out.weight"):
            expected = before[f"objective.online.{name}"]
            torch.testing.assert_close(after[f"objective.{part}.{name}"], expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["aimclr", "actclr", "masked"])
def test_interrupted_and_resumed_equals_uninterrupted(
    method: str,
    request: pytest.FixtureRequest,
    call: Any,
    options: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = MaskedTraining if method == "masked" else ViewTraining
    changes: tuple[object, ...] = MASKED
    before = tmp_path / "before"
    if method == "masked":
        whole = request.getfixturevalue("masked")
        before.mkdir()
    else:
        stages = request.getfixturevalue("stages")
        whole = stages / {"aimclr": "stage1", "actclr": "stage2"}[method]
        shutil.copytree(stages / "stage1", before)
        start = ("-s", f"init_from={before}") if method == "actclr" else ()
        changes = ("-s", f"method={method}", *start)
    command = ("pretrain", "train", *options, *changes)
    run, steps, forward = tmp_path / "torn", iter(range(9)), training.forward

    def stopped(self: Any, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if next(steps) == 3:  # in the second epoch
            raise KeyboardInterrupt
        return forward(self, clips, labels)

    with monkeypatch.context() as patch:
        patch.setattr(training, "forward", stopped)
        assert call(*command, "--run", run, code=None).code != 0
    assert not (run / "record.json").exists()
    shutil.rmtree(before)  # its weights are in the checkpoint
    call(*command, "--run", run, "--resume")
    torch.testing.assert_close(weights(run), weights(whole), rtol=0, atol=0)
    assert read(run)["metrics"] == read(whole)["metrics"]


@pytest.mark.slow
def test_masked_motion_prediction_is_trained_judged_and_continued(
    masked: Path, call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    record, state = read(masked), weights(masked)
    assert (record["objective"], record["stream"]) == ("masked", "j")
    assert record["rule"].startswith("linear probe, ")
    assert 0 <= record["metrics"]["top1"] <= 1
    for name in ("embed.weight", "blocks.0.maps.weight"):
        assert torch.equal(state[f"network.encoder.{name}"], state[f"objective.encoder.{name}"])
    still = ("-s", "train.learning_rate=1e-12", "-s", f"init_from={masked}")
    call("pretrain", "train", *options, *MASKED, *still, "--run", tmp_path / "on")
    after = weights(tmp_path / "on")
    torch.testing.assert_close(after, state, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_the_random_encoder_learns_statistics_alone(
    call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    for epochs in (1, 2):
        changes = ("-s", "method=random", "-s", f"train.epochs={epochs}")
        call("pretrain", "train", *options, *changes, "--run", tmp_path / str(epochs))
    first, second = (weights(tmp_path / str(epochs)) for epochs in (1, 2))
    for name, tensor in first.items():
        counts = "num_batches" in name or "running" in name
        assert torch.equal(tensor, second[name]) != (counts and "encoder" in name), name


@pytest.mark.slow
def test_other_probes_of_a_run(
    stages: Path, call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    common = ("pretrain", "eval", "--run", stages / "stage1", "--cache", options[-1])
    call(*common, "--probe", "knn", "--json", tmp_path / "knn.json")
    call(*common, "--share", "0.1", "--json", tmp_path / "few.json")
    call(*common, "--probe", "retrieval", "--json", tmp_path / "one.json")
    knn, few, one = (
        json.loads((tmp_path / f"{n}.json").read_text()) for n in ("knn", "few", "one")
    )
    assert one["rule"].startswith("nearest neighbour, ")
    assert one["variant"] == "retrieval"
    assert knn["rule"].startswith("10 nearest neighbours, ")
    assert few["rule"].startswith("linear probe, 10 % of the labels, ")
    assert (knn["variant"], few["variant"]) == ("knn", "linear-10")
    assert read(stages / "stage1")["variant"] == "linear"
    plain = call(*common, "--json", tmp_path / "again.json")
    assert "top1" in plain.out
    assert json.loads((tmp_path / "again.json").read_text())["metrics"]["top1"] == pytest.approx(
        read(stages / "stage1")["metrics"]["top1"]
    )


@pytest.mark.slow
def test_three_streams_are_fused_with_equal_and_published_weights(
    call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    runs = [tmp_path / stream for stream in ("j", "b", "jm")]
    for run in runs:
        changes = (
            "-s",
            "method=random",
            "-s",
            "train.epochs=1",
            "-s",
            f"clip.streams=[{run.name}]",
            "-s",
            "clip={sampling: resize, normalise: {centre: joint}}",
        )
        call("pretrain", "train", *options, *changes, "--run", run)
    call("action", "fuse", *runs, "--json", tmp_path / "f.json", "--out", tmp_path / "f.npz")
    record = json.loads((tmp_path / "f.json").read_text())
    assert (record["task"], record["objective"], record["variant"]) == (
        "pretrain", "random", "linear",
    )  # fmt: skip
    assert record["stream"] == "fused j,b,jm"
    each = [load_class_scores(run / "scores.npz") for run in runs]
    fused = load_class_scores(tmp_path / "f.npz")
    assert fused.sample.tolist() == each[0].sample.tolist()
    mean = np.mean([one.probabilities for one in each], axis=0)
    np.testing.assert_allclose(fused.probabilities, mean, rtol=1e-5)
    tuned = ("--weights", "aimclr-ntu60-xsub", "--on", "logits")
    said = call("action", "fuse", *runs, *tuned, "--json", tmp_path / "t.json").out
    weighed = json.loads((tmp_path / "t.json").read_text())
    assert [part["weight"] for part in weighed["settings"]["fused"]] == [0.6, 0.6, 0.4]
    assert weighed["settings"]["weights"] == "aimclr-ntu60-xsub"
    call("action", "fuse", *runs, "--on", "logits", "--json", tmp_path / "e.json")
    equal = json.loads((tmp_path / "e.json").read_text())["metrics"]
    assert {f"equal/{name}": value for name, value in equal.items()}.items() <= weighed[
        "metrics"
    ].items()
    assert f"equal weights give top-1 {100 * equal['top1']:.1f}" in said


def test_a_start_that_is_no_run_is_refused(
    call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    start = f"init_from={tmp_path / 'nothing'}"
    found = call("pretrain", "train", *options, "-s", start, "--run", tmp_path / "run", code=2)
    assert start in found.err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_start_without_the_projection_is_refused(
    stages: Path, call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    start, run = stages / "stage1", tmp_path / "run"
    changes = ("-s", "method=actclr", "-s", f"init_from={start}", "-s", "actclr.projection_dim=4")
    found = call("pretrain", "train", *options, *changes, "--run", run, code=2)
    assert f"init_from={start}: " in found.err
    assert "out.weight has shape (8, 256), not (4, 256)" in found.err
    assert not (run / "run.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip": {"streams": ("j", "b")}}, "style transfer is defined for one of the streams"),
        ({"clip": {"motion": "recording"}}, "uses frames outside the clip"),
        ({"train_share": 0.1}, "set probe.share"),
        ({"sampler": {"kind": "identities"}}, "draws batches by label"),
    ],
)
def test_settings_without_views_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PretrainSettings.model_validate({"method": "actclr", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip": {"streams": ("b",)}}, "sees joint positions, not the streams b: set clip.stre"),
        ({"network": {"encoder": {"name": "st_gcn"}}}, "st_gcn does not have: set network.encoder"),
        ({"masked": {"motion_stride": 50}}, "motion_stride 50 leads out of clips of 50 frames"),
        ({"masked": {"heads": 3}}, "width must be a multiple of heads, got width 256 and heads 3"),
    ],
)
def test_settings_without_masks_are_refused(changes: dict[str, Any], message: str) -> None:
    network = {"encoder": {"name": "joint_transformer"}}
    clip = {"frames": 50, "streams": ("j",)}
    given = {"method": "masked", "network": network, "clip": clip}
    PretrainSettings.model_validate(given)
    with pytest.raises(ValidationError, match=message):
        PretrainSettings.model_validate({**given, **changes})


def test_the_seed_is_part_of_the_start() -> None:
    given = {"init_from": "runs/aimclr-seed{seed}", "train": {"seed": 3}}
    assert PretrainSettings.model_validate(given).start == "runs/aimclr-seed3"


@pytest.mark.slow
def test_of_both_stages_only_the_first_begins_with_another_run(
    stages: Path, call: Any, options: tuple[object, ...], tmp_path: Path
) -> None:
    start = ("-s", f"init_from={stages / 'stage1'}", "-s", "train.epochs=1")
    call("pretrain", "actclr", *options, *start, "--run", tmp_path)
    begun = [read(tmp_path / f"stage{n}")["settings"]["init_from"] for n in (1, 2)]
    assert begun == [str(stages / "stage1"), str(tmp_path / "stage1")]


@pytest.mark.slow
def test_finished_stages_are_passed_over_with_the_same_settings_alone(
    stages: Path, call: Any, mistake: Callable[..., str], options: tuple[object, ...]
) -> None:
    command = ("pretrain", "actclr", *options, "--run", stages, "--resume")
    assert "stage 2 is finished" in call(*command).err
    words = ("stage1 was trained with aimclr.temperature = 0.07, not 0.3", "--run")
    mistake(*command, "-s", "aimclr.temperature=0.3", words=words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("-s", "method=random"), ("method=random is not a stage", "pretrain train")),
        (("--stage", 2), ("stage1 is not a finished run", "--stage 1", "init_from=RUN")),
    ],
)
def test_stages_that_cannot_begin_are_refused(
    given: tuple[object, ...],
    words: tuple[str, ...],
    mistake: Callable[..., str],
    options: tuple[object, ...],
    tmp_path: Path,
) -> None:
    mistake("pretrain", "actclr", *options, *given, "--run", tmp_path / "run", words=words)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("share", ["0", "2", "nan"])
def test_a_share_that_is_none_is_refused(
    share: str, stages: Path, mistake: Callable[..., str]
) -> None:
    words = (f"--share {share}", "above 0 and at most 1")
    mistake("pretrain", "eval", "--run", stages / "stage1", "--share", share, words=words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("-s", "method=actclr"), "ActCLR begins with random weights"),
        ((*MASKED, "-s", "key_window=other"), "key_window other has no effect"),
    ],
)
def test_settings_that_seem_to_do_more_are_remarked(
    changes: tuple[str, ...],
    words: str,
    call: Any,
    options: tuple[object, ...],
    tmp_path: Path,
    stages: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("all remarks are made")

    monkeypatch.setattr("tasks.run.adapter.fit", refuse)
    command = ("pretrain", "train", *options, "--run", tmp_path / "run", "--overwrite")
    assert words in call(*command, *changes, code=2).err
    start = ("-s", "method=actclr", "--init-from", stages / "stage1")
    begun = call(*command, *start, code=2).err
    assert words not in begun
    assert "all remarks are made" in begun
