"""A run that knows what it does not know, and the study that leaves classes out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.runs.calibration import CALIBRATION, KNOWN_SCORES
from aclnet.skeleton import load_layout
from protocols.records import ResultRecord

Call = Callable[..., Any]
RECIPE = """
data: {source: file}
identities: {train: 0.7, validation: 0}
clip: {frames: 8, sampling: stretch, streams: [j], augment: {mirror: 0.0}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}, neck: none}
objective: {inter_weight: 0, intra_weight: 0}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 6, optimizer: adamw, learning_rate: 2.0e-2, accelerator: cpu}
test: {clips: 2}
"""


@pytest.fixture
def run(gesture_run: Path, tmp_path: Path) -> Path:
    """The run that tells two gestures apart, to be calibrated."""
    return Path(shutil.copytree(gesture_run, tmp_path / "run"))


def test_a_calibrated_run_says_unknown(
    call: Call, run: Path, gesture: Any, clips_file: Any, tmp_path: Path
) -> None:
    known, out = clips_file("known.npz", gesture("raise", 60)), tmp_path / "out.json"
    half = (gesture("raise", 61) + gesture("stand", 61)) / 2
    strange = clips_file("strange.npz", half)
    asked = ("--run", run, "--json", out)
    refused = call("action", "predict", known, *asked, "--false-alarms", 0.1, code=2)
    assert f"calibrate it with `aclnet-task action calibrate --run {run}`" in refused.err
    options = ("--folds", 2, "--score", "energy", "--cache", tmp_path / "cache")
    done = call("action", "calibrate", "--run", run, *options)
    assert "calibrated on 12 held-out recordings of 6 people: temperature" in done.out
    for file, unknown in ((known, False), (strange, True)):
        shown = call("action", "predict", file, *asked, "--false-alarms", 0.1)
        (row,) = json.loads(out.read_text())
        assert (row["unknown"], "unknown" in shown.out) == (unknown, unknown)
    refused = call("action", "predict", known, *asked, "--false-alarms", 0.01, code=2)
    assert "12 held-out recordings are too few for a rate of 0.01" in refused.err
    call("action", "predict", known, *asked)
    assert json.loads(out.read_text())[0]["unknown"] is None


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_an_exported_run_says_unknown_too(
    call: Call, run: Path, gesture: Any, clips_file: Any, without_torch: Call, tmp_path: Path,
    kind: str,
) -> None:  # fmt: skip
    pytest.importorskip("onnxruntime")
    pytest.importorskip("safetensors")
    out, half = tmp_path / "exported", (gesture("raise", 61) + gesture("stand", 61)) / 2
    export = ("export", run, "--to", kind, "--cache", tmp_path / "cache")
    early = tmp_path / "early"
    if kind != "onnx":
        call(*export, "--out", early)
    call("action", "calibrate", "--run", run, "--folds", 2, "--cache", tmp_path / "cache")
    call(*export, "--out", out)
    if kind == "onnx":  # not exported twice, which takes seconds
        shutil.copytree(out, early)
        (early / CALIBRATION).unlink()
    with pytest.raises(ValueError, match="calibrate its run"):
        aclnet.load(early).classify(half, false_alarms=0.1)
    (wanted,) = aclnet.load(run).classify(half, false_alarms=0.1)
    (found,) = aclnet.load(out).classify(half, false_alarms=0.1)
    assert found.unknown == wanted.unknown
    assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)
    assert str(tmp_path) not in (out / CALIBRATION).read_text()
    answers, file = tmp_path / "answers.json", clips_file("half.npz", half)
    asked = ("action", "predict", file, "--run", out, "--false-alarms", "0.1", "--json", answers)
    if kind == "onnx":
        without_torch("from tasks.cli import main; main()", *asked)
    else:
        call(*asked)
    assert json.loads(answers.read_text())[0]["unknown"] == wanted.unknown


def test_training_again_deletes_the_calibration(call: Call, run: Path, tmp_path: Path) -> None:
    (run / CALIBRATION).write_text("{}")
    recipe = run / "settings.yaml"
    own = tmp_path / "own.yaml"
    own.write_text(recipe.read_text())
    call("action", "train", "-c", own, "--run", run, "--overwrite", "-s", "train.epochs=1")
    assert not (run / CALIBRATION).exists()


@pytest.fixture
def movements(tmp_path: Path) -> Path:
    """Four classes, by the joint that moves, of five people with three takes each."""
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(17, 2))
    samples = []
    for person in "abcde":
        for number, label in enumerate(("arm", "leg", "head", "hip")):
            for take in range(3):
                frames = pose + rng.normal(scale=0.05, size=(12, 1, 17, 2))
                frames[:, 0, 4 * number : 4 * number + 4, 1] += np.linspace(0, 3, 12)[:, None]
                key = f"{label}-{person}-{take}"
                samples.append(Sample(key, frames.astype(np.float32), person, label))
    layout = load_layout("coco17").to_dict()
    info = StoreInfo(name="movements", layout=layout, channels=("x", "y"), unit="normalised")
    write_store(tmp_path / "store", samples, info)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "store"


def test_every_class_is_left_out_and_the_study_goes_on(
    call: Call, movements: Path, tmp_path: Path
) -> None:
    study = (
        *("action", "unknown", "-c", tmp_path / "recipe.yaml", "--data", movements),
        *("--groups", 2, "--folds", 2, "--runs", tmp_path / "runs"),
        *("--results", tmp_path / "results", "--cache", tmp_path / "cache"),
    )
    done = call(*study)
    (file,) = (tmp_path / "results").glob("*.json")
    record = ResultRecord.model_validate_json(file.read_text())
    # Four training people are held out in both groups; the fifth is tested, twice on all classes.
    assert record.counts == {
        "groups": 2, "known": 12, "unknown": 12, "held_out": 96, "held_out_people": 4,
    }  # fmt: skip
    left_out = record.cells["left_out"] if record.cells else []
    assert sorted(name for group in left_out for name in group) == ["arm", "head", "hip", "leg"]
    assert record.kind == "unknown"
    held_out = [record.metrics[f"held_out/refused/{kind}"] for kind in KNOWN_SCORES]
    chosen = KNOWN_SCORES[held_out.index(max(held_out))]
    assert record.metrics["refused"] == record.metrics[f"refused/{chosen}"]
    again = call(*study)
    assert again.out == done.out
    assert "epoch 1" not in again.err
    refused = call(*study, "--groups", 3, code=2)
    assert "seed0-group1-fold0 was trained without other classes or people" in refused.err


def test_groups_that_leave_too_few_classes(call: Call, movements: Path, tmp_path: Path) -> None:
    study = ("action", "unknown", "-c", tmp_path / "recipe.yaml", "--data", movements)
    refused = call(*study, "--groups", 5, "--cache", tmp_path / "cache", code=2)
    assert "4 classes cannot be left out in 5 groups" in refused.err
