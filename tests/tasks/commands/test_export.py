"""`aclnet-task export` of trained runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import aclnet

for _needed in ("onnxruntime", "onnxscript", "safetensors"):
    pytest.importorskip(_needed)

Call = Callable[..., Any]
Mistake = Callable[..., str]


def test_a_gait_run_is_exported_without_the_names_of_people(
    first_onnx: tuple[Path, Any], first: Path, walkers: Path
) -> None:
    out, done = first_onnx
    assert {path.name for path in out.iterdir()} == {"model.onnx", "model.json", "MODEL_CARD.md"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.iterdir())
    about = json.loads((out / "model.json").read_text())
    said = done.out.splitlines()
    assert said[0].endswith(f"SHA-256 {about['sha256'][:12]}")
    assert said[1] == (
        f"ONNX opset {about['graph']['opset']}; clips at once: any number; persons: any number; "
        "frames: any number"
    )
    assert 0 < about["graph"]["difference"] < 1e-5
    assert f"on 32 clips: {about['graph']['difference']:.1e} of" in said[2]
    assert said[-1] == "the names of the classes were left out (--names exports them)"
    assert "exporting to ONNX" in done.err
    card = (out / "MODEL_CARD.md").read_text()
    record = json.loads((first / "record.json").read_text())
    assert f"| rank1 | {100 * record['metrics']['rank1']:.2f} [" in card
    assert about["sha256"] in card
    assert "synthetic" in card
    assert "biometric data" in card
    wanted = aclnet.load(first).embed(walkers).embedding
    np.testing.assert_allclose(aclnet.load(out).embed(walkers).embedding, wanted, atol=1e-5)


def test_an_action_run_is_exported_with_its_classes(
    call: Call, gesture_run: Path, tmp_path: Path
) -> None:
    out, store = tmp_path / "model", gesture_run.parent / "store"
    call("export", gesture_run, "--to", "safetensors", "--data", store, "-o", out)
    assert "2 classes: raise, stand" in (out / "MODEL_CARD.md").read_text()
    found, wanted = aclnet.load(out).classify(store), aclnet.load(gesture_run).classify(store)
    assert [one.classes for one in found] == [one.classes for one in wanted]
    assert [one.probabilities for one in found] == [one.probabilities for one in wanted]
    call("export", gesture_run, "--to", "torch", "--no-names", "-o", tmp_path / "unnamed")
    assert aclnet.load(tmp_path / "unnamed").classes == ("class 1", "class 2")


def test_what_cannot_be_exported_is_said(
    mistake: Mistake, first: Path, copy: Path, gesture_run: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").touch()
    torch = ("--to", "torch", "--cache", cache)
    words = ["taken", "already exists", "choose another folder"]
    mistake("export", first, *torch, "-o", taken, words=words)
    mistake("export", tmp_path, *torch, "-o", out, words=["is not a run"])
    settings = copy / "settings.yaml"
    settings.write_text(settings.read_text().replace("epochs: 2", "epochs: 3"))
    mistake("export", copy, *torch, "-o", out, words=["training is not finished"])
    moved = tmp_path / "moved"
    shutil.copytree(gesture_run, moved)
    about = (moved / "run.json").read_text()
    (moved / "run.json").write_text(about.replace(str(gesture_run.parent), str(tmp_path)))
    mistake("export", moved, *torch, "-o", out, words=["are not there", "give some with --data"])
    assert not out.exists()


def test_a_network_that_answers_differently_is_not_written(
    mistake: Mistake, first: Path, cache: Path, tmp_path: Path
) -> None:
    with mock.patch("aclnet.export.write.TOLERANCE", -1.0):
        mistake(
            "export", first, "--to", "torch", "--cache", cache, "-o", tmp_path / "out",
            words=["differs from", "nothing was written"],
        )  # fmt: skip
    assert not list(tmp_path.glob("*out*"))


def test_8_bits_are_another_model_and_their_cost_is_said(
    call: Call, mistake: Mistake, first: Path, cache: Path, traced: Callable[..., Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    out, options = tmp_path / "out", ("--int8", "--cache", cache)
    said_too = tmp_path / "out.json"
    with traced():
        done = call("export", first, "-o", out, *options, "--json", said_too)
    lines = done.out.splitlines()
    metrics = json.loads((first / "record.json").read_text())["metrics"]
    graph = json.loads((out / "model.json").read_text())["graph"]
    assert graph["integer"] is True
    assert 1e-4 < graph["difference"] < 0.2
    before = f"rank1: {100 * metrics['rank1']:.2f} % in float32, "
    (said,) = (line for line in lines if line.startswith(before))
    after = said.removeprefix(before).partition(" % in 8 bits (")[0]
    card = (out / "MODEL_CARD.md").read_text()
    assert f"| rank1 | {100 * metrics['rank1']:.2f} % | {after} % |" in card
    (loss,) = (one for one in aclnet.load(out).exported.losses if one.metric == "rank1")
    assert (loss.before, f"{100 * loss.after:.2f}") == (metrics["rank1"], after)
    assert loss.model_dump() in json.loads(said_too.read_text())["losses"]
    # Its vectors are not to stand beside those of the run.
    assert aclnet.load(out).fingerprint != aclnet.load(first).fingerprint
    to = ("--to", "torch", "-o", tmp_path / "other")
    mistake("export", first, *to, *options, words=["8 bits are for onnx"])


def test_a_gallery_identifies_by_an_exported_model_without_torch(
    call: Call,
    first: Path,
    first_onnx: tuple[Path, Any],
    walkers: Path,
    without_torch: Callable[..., str],
    tmp_path: Path,
) -> None:
    (model, _), gallery = first_onnx, tmp_path / "people.gallery"
    call("gallery", "create", gallery, "--run", first)
    call("gallery", "enrol", gallery, walkers)
    identify = ("gallery", "identify", gallery, walkers, "--threshold", 0.5, "--json")
    answers = [tmp_path / f"{name}.json" for name in ("torch", "onnx")]
    call(*identify, answers[0], "--run", first)
    identify = (*identify, answers[1], "--model", model / "model.onnx")
    without_torch("from tasks.cli import main; main()", *identify)
    by_torch, by_onnx = (json.loads(file.read_text())["answers"] for file in answers)
    assert [one["person"] for one in by_onnx] == [one["person"] for one in by_torch]
    for one, other in zip(by_onnx, by_torch, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
