"""What the checks of this folder say: a JSON line for each value, and whether all facts hold.

`DEV=cpu` runs them without a GPU and `SMALL=1` with tiny sizes, to test the checks themselves.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import torch
from ratios import ratio

ROOT = Path(__file__).resolve().parents[2]
DEVICE = torch.device(os.environ.get("DEV", "cuda"))
CUDA = DEVICE.type == "cuda"
SMALL = os.environ.get("SMALL") == "1"
WORK = Path(os.environ.get("OUT", "/tmp/gpu_out")) / "work"

_broken: list[str] = []


def say(what: str, **values: Any) -> None:
    """Print a value."""
    print(json.dumps({"what": what, **values}), flush=True)


def holds(what: str, fact: bool, **values: Any) -> None:
    """Print whether a fact holds; the check fails if it does not."""
    say(what, holds=bool(fact), **values)
    if not fact:
        _broken.append(what)


def close() -> NoReturn:
    """End the check: with exit code 1 if a fact does not hold."""
    sys.exit(1 if _broken else 0)


def command(*arguments: str) -> tuple[int, str]:
    """Run a command of `aclnet-task` in this process: its exit code, and what it printed."""
    from tasks.cli import main

    with (
        mock.patch.object(sys, "argv", ["aclnet-task", *arguments]),
        redirect_stdout(io.StringIO()) as text,
    ):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), text.getvalue()
    return 0, text.getvalue()


def wait() -> None:
    """Wait for the device."""
    if CUDA:
        torch.cuda.synchronize()


def seconds(run: Callable[[], object], rounds: int, warm: int = 2) -> list[float]:
    """Wall-clock seconds of each round, between two waits for the device."""
    for _ in range(min(warm, 1) if SMALL else warm):
        run()
    times: list[float] = []
    for _ in range(1 if SMALL else rounds):
        wait()
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return times


def compare(work: str, plain: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
    """Print a row of the report's table of benchmarks."""
    print(json.dumps(ratio(work, plain, ours, theirs)), flush=True)


def bandwidth() -> float:
    """Bytes a second that a copy on the device reads and writes."""
    count = 2**20 if SMALL else 2**29
    source = torch.empty(count, dtype=torch.float32, device=DEVICE)
    target = torch.empty_like(source)
    return 8 * count / statistics.median(seconds(lambda: target.copy_(source), 10))


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Largest difference, relative to the largest of the other's absolute values."""
    scale = other.double().abs().max().clamp(min=1e-30)
    return float((one.double() - other.double()).abs().max() / scale)
