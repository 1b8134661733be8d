"""A disk that is full at any write: one sentence, whole files, and an exact resumption.

A limit on the size of files (`RLIMIT_FSIZE`) fails each write beyond it, as a full disk does: with
the limit one byte below the size of a command's file, that file cannot be written whole.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@contextmanager
def limit(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def points(folder: Path) -> list[int]:
    """One byte less than each size of a file in a folder."""
    return sorted({len(content) - 1 for content in contents(folder).values()})


def refused(call: Call, place: Path, size: int, *command: object) -> None:
    """The command ends in one sentence about a file in `place`, and leaves no draft there."""
    with limit(size):
        done = call(*command, code=2)
    sentence = done.err.splitlines()[-1]
    assert sentence.startswith(f"error: {place}"), done.err
    assert "File too large; make room and run the command again" in sentence
    assert "partial" not in sentence
    assert done.err.count("error: ") == 1
    assert "Traceback" not in done.err
    assert not list(place.rglob(".*"))


def test_single_files(
    first: Path, walkers: Path, gesture_run: Path, clips_file: Any, gesture: Any, call: Call,
    tmp_path: Path, cache: Path,
) -> None:  # fmt: skip
    """eval --json, compare --json, embed, predict --json, fuse and a picture."""
    clip = clips_file("one.npz", gesture("raise", 9))
    out = tmp_path / "out"
    scores = gesture_run / "scores.npz"
    commands = {
        "eval.json": ("gait", "eval", "--run", first, "--json"),
        "compare.json": ("compare", first, first, "--json"),
        "biometrics.json": ("gait", "biometrics", "--run", first, "--json"),
        "embed.npz": ("gait", "embed", "--run", first, "--cache", cache, "--out"),
        "predict.json": ("action", "predict", clip, "--run", gesture_run, "--json"),
        "fused.npz": ("action", "fuse", scores, scores, "--out"),
        "picture.png": ("data", "show", walkers, "--out"),
        "moving.gif": ("data", "show", walkers, "--out"),
    }
    for name, command in commands.items():
        call(*command, out / name)
        before = contents(out)
        refused(call, out, len(before[name]) // 2, *command, out / name)
        assert contents(out) == before  # the old file is whole


def test_stores(clips_file: Any, gesture: Any, call: Call, tmp_path: Path) -> None:
    data = clips_file("some.npz", *(gesture("raise", seed) for seed in range(40)))
    (tmp_path / "stores").mkdir()
    store = tmp_path / "stores" / "s"
    call("data", "convert", data, store)
    before = contents(store)
    for size in (0, *points(store)):
        refused(call, tmp_path / "stores", size, "data", "convert", data, store, "--overwrite")
        assert contents(store) == before


def test_reports(first: Path, call: Call, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    shutil.copy(first / "record.json", results)
    command = ("report", "--results", results, "--no-figures", "--out")
    call(*command, tmp_path / "out")
    sizes = points(tmp_path / "out")
    for size in {sizes[0], sizes[len(sizes) // 2], sizes[-1]}:
        shutil.rmtree(tmp_path / "out")
        refused(call, tmp_path / "out", size, *command, tmp_path / "out")
    call(*command, tmp_path / "out")
    assert points(tmp_path / "out") == sizes


@pytest.mark.slow
@pytest.mark.parametrize("task", ["gait", "reid", "action"])
def test_training(
    task: str, first: Path, reid_run: Path, recipe: Path, reid_recipe: Path, action_recipe: Path,
    arms: Path, cache: Path, call: Call, tmp_path: Path, assert_same_run: Any,
) -> None:  # fmt: skip
    """Each file of a run, one after the other; then the run is resumed, and is the same."""
    if task == "action":
        command = ["action", "train", "-c", action_recipe, "--data", arms, "--cache", cache]
        whole = tmp_path / "whole"
        call(*command, "--run", whole)
    else:
        whole, own = (first, recipe) if task == "gait" else (reid_run, reid_recipe)
        command = [task, "train", "-c", own, "--cache", cache]
    torn = tmp_path / "torn"
    for size in points(whole):
        refused(call, tmp_path, size, *command, "--run", torn, *(["--resume"] * torn.exists()))
    call(*command, "--run", torn, "--resume")
    assert_same_run(whole, torn)


@pytest.mark.slow
def test_a_study(recipe: Path, cache: Path, call: Call, tmp_path: Path) -> None:
    command = ("gait", "study", "-c", recipe, "--seeds", "0", "--arms", "ce", "--cache", cache)
    places = ("--runs", tmp_path / "runs", "--results", tmp_path / "results")
    for size in (3000, 30_000):
        refused(call, tmp_path, size, *command, *places)
    call(*command, *places)
    record = tmp_path / "results" / "ce-seed0.json"
    whole = record.read_bytes()
    refused(call, tmp_path, len(whole) - 1, *command, *places)
    assert record.read_bytes() == whole


def test_the_walkers(recipe: Path, call: Call, tmp_path: Path) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    command = ("gait", "train", "-c", recipe, "--run", run, "--cache", cache)
    refused(call, cache, 100_000, *command)
    assert not run.exists()
    assert not cache.exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_no_permission(
    number: int, first: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for the draft's own name; root may write everywhere, so that it is pretended."""
    create = os.open

    def refuse(path: Any, flags: int, *rest: Any) -> int:
        if flags & os.O_CREAT and str(tmp_path) in str(path):
            raise OSError(number, os.strerror(number), str(path))
        return create(path, flags, *rest)

    monkeypatch.setattr("os.open", refuse)
    done = call("gait", "eval", "--run", first, "--json", tmp_path / "e.json", code=2)
    assert done.err.startswith(f"error: {tmp_path / 'e.json'}: {os.strerror(number)}")


def test_full_and_closed_standard_output(walkers: Path) -> None:
    command = [sys.executable, "-m", "tasks.cli", "data", "show", str(walkers)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: No space left on device")
    assert done.stderr.count("\n") == 1
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
