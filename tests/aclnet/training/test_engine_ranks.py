from __future__ import annotations

import runpy
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.log import read_log

PROGRAM = Path(__file__).with_name("toy_training.py")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on one rank, made here, without a process of its own."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    runpy.run_path(str(PROGRAM), run_name="toy")["main"]([str(folder), "--epochs", "3"])
    return folder


@pytest.mark.ddp
@pytest.mark.parametrize("accumulate", ["1", "2"])
def test_two_ranks_equal_one(ranks: Any, tmp_path: Path, one: Path, accumulate: str) -> None:
    two = tmp_path / "two"
    ranks(PROGRAM, two, "--epochs", "3", "--accumulate", accumulate)
    first, second = (load_checkpoint(folder / "checkpoint.pt") for folder in (one, two))
    for name, value in first["task"].items():
        if name != "seen":  # each rank of this toy counts its own clips
            torch.testing.assert_close(second["task"][name], value, rtol=1e-5, atol=1e-6)
    logs = [read_log(folder / "log.jsonl") for folder in (one, two)]
    assert len(logs[0]) == len(logs[1])
    for lines in zip(*logs, strict=True):
        names = lines[0].keys() - {"seconds"}
        assert names == lines[1].keys() - {"seconds"}
        for name in names - {"kind"}:
            assert lines[1][name] == pytest.approx(lines[0][name], rel=1e-4)


@pytest.mark.ddp
def test_interrupted_ranks_stop_together_and_go_on(
    ranks: Any, start_ranks: Any, tmp_path: Path, assert_same_run: Callable[[Path, Path], None]
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    options = ("--epochs", "8", "--random")
    ranks(PROGRAM, whole, *options)
    both = start_ranks(PROGRAM, torn, *options, "--delay", "0.05")
    deadline = time.monotonic() + 60
    log = torn / "log.jsonl"
    while time.monotonic() < deadline and not (log.exists() and len(read_log(log)) >= 4):
        time.sleep(0.01)
    for process in both:
        process.send_signal(signal.SIGTERM)  # as torchrun passes it on
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        assert errors.count("interrupted: stopped at epoch ") == 1
    ranks(PROGRAM, torn, *options, "--resume")
    assert_same_run(whole, torn)
