"""SIGINT, SIGTERM and SIGHUP at any time: saved or nothing, one line, exit code 128 + n."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raising(number: int, after: int = 0, then: Any = None) -> Callable[..., Any]:
    """A function that raises a signal, from one of its calls on once."""
    calls: list[None] = []

    def function(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) == after + 1:
            signal.raise_signal(number)
        return then(*arguments, **options)

    return function


@pytest.mark.parametrize("number", NUMBERS)
def test_while_converting(
    number: int, clips_file: Any, gesture: Any, call: Call, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from aclnet.data import writer

    data = clips_file("some.npz", *(gesture("raise", seed) for seed in range(9)))
    monkeypatch.setattr(writer, "_cast", raising(number, 5, writer._cast))
    store = tmp_path / "stores" / "s"
    done = call("data", "convert", data, store, code=128 + number)
    assert done.err.splitlines() == [
        "error: stopped: no file is half-written; run the same command again"
    ]
    assert not store.parent.exists()


def test_before_a_command_has_begun_and_while_it_ends(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import cli

    for name in ("load_plugins", "_flush_output", "_sentence"):
        with monkeypatch.context() as patched:
            patched.setattr(cli, name, raising(signal.SIGHUP, then=getattr(cli, name)))
            done = call("data", "show", tmp_path, code=129)
        assert done.err == "error: stopped: no file is half-written; run the same command again\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_while_training(
    number: int, recipe: Path, cache: Path, first: Path, call: Call, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, assert_same_run: Any,
) -> None:  # fmt: skip
    from aclnet.training.stepper import Stepper

    run = tmp_path / "run"
    command = ("gait", "train", "-c", recipe, "--cache", cache, "--run", run)
    with monkeypatch.context() as patched:
        backward = Stepper.backward
        patched.setattr(Stepper, "backward", raising(number, 3, backward))
        done = call(*command, code=128 + number)
    assert done.err.splitlines()[-1].startswith("error: stopped at epoch 2, after step 1 of 3")
    call(*command, "--resume")
    assert_same_run(first, run)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("tasks.run.pipeline.start_run_folder", "stopped before anything was saved"),
        ("tasks.run.adapter.fit", "no checkpoint is saved yet in "),
        ("tasks.gait.adapter.GaitAdapter.floor", "the training so far is saved"),
        ("tasks.gait.adapter.GaitAdapter.validate", "stopped at epoch 1, after step 3 of 3"),
    ],
)
def test_beside_the_training(
    place: str, words: str, recipe: Path, cache: Path, call: Call, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import importlib

    module, _, name = place.rpartition(".")
    try:
        owner = importlib.import_module(module)
    except ModuleNotFoundError:
        module, _, kind = module.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    monkeypatch.setattr(owner, name, raising(signal.SIGTERM, then=getattr(owner, name)))
    run = tmp_path / "run"
    done = call("gait", "train", "-c", recipe, "--cache", cache, "--run", run, code=143)
    assert words in done.err.splitlines()[-1]
    assert not (run / "record.json").exists()
    assert not (run / ".lock").exists()


def test_a_study_keeps_the_signal(
    recipe: Path, cache: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aclnet.training.stepper import Stepper

    monkeypatch.setattr(Stepper, "backward", raising(signal.SIGHUP, 1, Stepper.backward))
    command = ("gait", "study", "-c", recipe, "--cache", cache, "--runs", tmp_path / "runs")
    done = call(*command, "--seeds", "0", "--arms", "ce", code=129)
    assert "resume the study with the same command" in done.err.splitlines()[-1]


@pytest.mark.slow
def test_the_process_that_reads_a_pickle_ends_too(tmp_path: Path) -> None:
    """The reader's child ends with a command that is stopped, and so do its pipes."""
    import pickle

    import numpy as np

    root = tmp_path / "poses"
    for number in range(400):
        leaf = root / f"{number:03d}" / "nm-01" / "090"
        leaf.mkdir(parents=True)
        (leaf / "090.pkl").write_bytes(pickle.dumps(np.ones((400, 17, 3), np.float32)))
    command = [sys.executable, "-m", "tasks.cli", "data", "convert", str(root), str(tmp_path / "s")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / ".s.new").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (143, 1)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["poses"]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody of its session is left


_STOPPED_BY_AN_IMPORT = """
import runpy, signal, sys

class Finder:
    def find_spec(name, path=None, target=None):
        if name == "tasks.cli":
            signal.raise_signal(int(sys.argv[1]))

sys.meta_path.insert(0, Finder)
runpy.run_module("tasks", run_name="__main__")
"""


@pytest.mark.parametrize("number", NUMBERS)
def test_while_the_program_is_imported(number: int) -> None:
    command = [sys.executable, "-c", _STOPPED_BY_AN_IMPORT, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == "error: stopped before anything was done\n"
