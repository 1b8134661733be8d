"""A run whose training is not finished: refused everywhere, or taken as it is and said so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet

OF_TASK = {"gait": "first", "reid": "reid_run", "action": "gesture_run"}


def cut(run: Path) -> Path:
    """Leave what a kill after the first of several epochs leaves."""
    log = run / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    first = next(at for at, line in enumerate(lines) if line["kind"] == "epoch")
    log.write_text("".join(json.dumps(line) + "\n" for line in lines[: first + 1]))
    for name in ("record.json", "record-bone-length.json", "embeddings.npz", "scores.npz"):
        (run / name).unlink(missing_ok=True)
    return run


@pytest.fixture(params=OF_TASK)
def torn(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A task, and a run of it that stopped after its first epoch."""
    origin = request.getfixturevalue(OF_TASK[request.param])
    return request.param, cut(Path(shutil.copytree(origin, tmp_path / "torn")))


def commands(task: str, run: Path, tmp_path: Path) -> list[tuple[object, ...]]:
    """All that open a run of the task."""
    out = tmp_path / "out.npz"
    every: list[tuple[object, ...]] = [
        (task, "eval", "--run", run),
        (task, "embed", "--run", run, "--out", out),
        ("compare", run, run),
    ]
    if task == "action":
        every += [
            (task, "eval", "--run", run, "--clips", "1"),
            (task, "predict", run / "record.json", "--run", run),
            (task, "occlusion", "--run", run, "--results", tmp_path / "results"),
            (task, "families", "--run", run),
            (task, "fuse", run, run),
            (task, "class-gain", "--baseline", run, "--run", run),
        ]
    else:
        every.append((task, "biometrics", "--run", run))
    if task == "reid":
        every.append((task, "show", "--run", run, "--out", tmp_path / "pictures"))
    return every


def test_it_is_refused_by_every_command(
    torn: tuple[str, Path], mistake: Callable[..., str], tmp_path: Path
) -> None:
    task, run = torn
    before = sorted(tmp_path.rglob("*"))
    for command in commands(task, run, tmp_path):
        words = ("not finished", "epoch 1 of", f"{task} train --run {run} --resume")
        assert mistake(*command, words=words, alone=True)
    with pytest.raises(ValueError, match="training is not finished"):
        aclnet.load(run)
    assert sorted(tmp_path.rglob("*")) == before


def test_asked_for_it_is_tested_and_the_record_says_so(
    torn: tuple[str, Path], call: Any, tmp_path: Path, record: Callable[..., dict[str, Any]]
) -> None:
    from aclnet.training.checkpoint import load_checkpoint, save_checkpoint

    task, run = torn
    saved = load_checkpoint(run / "checkpoint.pt")
    saved.pop("aclnet_checkpoint", None)
    save_checkpoint(run / "checkpoint.pt", {**saved, "state": {**saved["state"], "epoch": 2}})
    out, cache = tmp_path / "eval.json", tmp_path / "cache"
    done = call(task, "eval", "--run", run, "--unfinished", "--json", out, "--cache", cache)
    sentence = f"The training of {run} is not finished: the weights are those of epoch 1."
    assert sentence in done.err
    found = record(tmp_path, "eval.json")
    assert sentence in found["notes"]
    assert found["counts"]["trained_epochs"] == 1
    embedded = ("--out", tmp_path / "out.npz", "--cache", cache)
    assert sentence in call(task, "embed", "--run", run, "--unfinished", *embedded).err
    assert aclnet.load(run, unfinished=True).run == run


def test_prediction_says_it_too(
    gesture_run: Path, call: Any, clips_file: Callable[..., Path], tmp_path: Path,
    gesture: Callable[..., np.ndarray],
) -> None:  # fmt: skip
    run = cut(Path(shutil.copytree(gesture_run, tmp_path / "torn")))
    file, out = clips_file("one.npz", gesture("raise", 9)), tmp_path / "p.json"
    done = call("action", "predict", file, "--run", run, "--unfinished", "--json", out)
    assert "is not finished" in done.err
    assert "raise" in done.out
    (found,) = json.loads(out.read_text())
    assert f"The training of {run} is not finished" in found["notes"][0]
    assert found["trained_epochs"] == 12  # of its checkpoint, whatever the log has lost
    call("action", "predict", file, "--run", gesture_run, "--json", out)
    (found,) = json.loads(out.read_text())
    assert found["notes"] == []
    assert "trained_epochs" not in found


def test_a_training_killed_before_its_last_checkpoint_is_not_finished(
    copy: Path, call: Callable[..., str], mistake: Callable[..., str]
) -> None:
    log = copy / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    assert "finished" in lines[-1]
    log.write_text("".join(lines[:-1]))
    (copy / "record.json").rename(copy / "aside.json")
    for command in (("gait", "eval", "--run", copy), ("compare", copy, copy)):
        mistake(*command, words=("not finished", "in epoch 2 of 2"))
    # A run of an earlier version has no such line, but a record.
    (copy / "aside.json").rename(copy / "record.json")
    call("gait", "eval", "--run", copy)


def test_a_training_that_went_on_after_its_evaluation_is_not_finished(
    copy: Path, mistake: Callable[..., str]
) -> None:
    with (copy / "log.jsonl").open("a") as log:
        log.write('{"kind": "step", "epoch": 3, "step": 7, "loss": 1.0}\n')
    for command in (("gait", "eval", "--run", copy), ("compare", copy, copy)):
        assert mistake(*command, words=("not finished", "after epoch 3"))
    mistake("gait", "eval", "--embeddings", copy / "embeddings.npz", words=("not finished",))
