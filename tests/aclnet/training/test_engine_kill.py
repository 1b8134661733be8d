from __future__ import annotations

import random
import runpy
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aclnet.training.log import read_log

PROGRAM = Path(__file__).with_name("toy_training.py")
EPOCHS, STEPS = 8, 5
Same = Callable[[Path, Path], None]


@pytest.fixture
def start(ready: Callable[..., Any]) -> Callable[..., Any]:
    return lambda run, *options: ready(PROGRAM, run, "--random", "--epochs", EPOCHS, *options)


def finish(process: Any) -> str:
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return str(errors)


def signal_after(process: Any, log: Path, steps: int, number: int) -> None:
    """Send a signal when the log holds so many steps."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and sum(line["kind"] == "step" for line in read_log(log)) >= steps:
            process.send_signal(number)
            return
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"the run ended before step {steps}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody interrupted, made here, without a process of its own."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    main = runpy.run_path(str(PROGRAM), run_name="toy")["main"]
    main([str(folder), "--random", "--epochs", str(EPOCHS)])
    return folder


@pytest.mark.slow
def test_killed_at_a_random_step_and_resumed(
    start: Any, tmp_path: Path, whole: Path, assert_same_run: Same
) -> None:
    steps = random.SystemRandom().randrange(1, EPOCHS * STEPS - 4)
    torn = tmp_path / "torn"
    process = start(torn, "--delay", "0.02")
    signal_after(process, torn / "log.jsonl", steps, signal.SIGKILL)
    process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL
    resumed = start(torn, "--resume")
    assert finish(resumed) == ""
    assert resumed.returncode == 0, f"killed after step {steps}"
    assert_same_run(whole, torn)
    assert sorted(item.name for item in torn.iterdir()) == ["checkpoint.pt", "log.jsonl"]


@pytest.mark.slow
def test_interrupted_program_says_how_to_go_on(
    start: Any, tmp_path: Path, whole: Path, assert_same_run: Same
) -> None:
    torn = tmp_path / "torn"
    process = start(torn, "--delay", "0.02")
    signal_after(process, torn / "log.jsonl", 7, signal.SIGINT)
    message = finish(process)
    assert process.returncode == 1
    assert message.startswith("interrupted: stopped at epoch ")
    assert f"everything is saved in {torn / 'checkpoint.pt'}" in message
    assert "--resume" in message
    done = [line["step"] for line in read_log(torn / "log.jsonl") if line["kind"] == "step"]
    assert 7 <= done[-1] < EPOCHS * STEPS
    assert finish(start(torn, "--resume")) == ""
    assert_same_run(whole, torn)
