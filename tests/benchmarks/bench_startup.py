"""How soon the program is there, against the import of torch alone, whole processes in turn.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_startup.py [--rounds 5]
        [--json results/benchmarks/startup.json]

Seconds are processor time of the child process, the interpreter's start included; `wall` holds the
medians by the clock, `peak_mib` those of the memory at its peak, where that is more than this
program's own. `gait eval --embeddings` judges CASIA-B's size, 5,485 embeddings, with mAP.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from bench_evaluation import casia
from ratios import ratio, write

PLAIN = "import torch alone"


class Used(NamedTuple):
    """What a process took: processor seconds, seconds by the clock, MiB at its peak."""

    seconds: float
    wall: float
    peak: float


def run(arguments: list[str]) -> Used:
    """Run Python with these arguments."""
    path, start = str(Path(__file__).parents[2]), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    wall = time.perf_counter() - start
    return Used(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        embeddings = Path(folder) / "embeddings.npz"
        casia(np.random.default_rng(0)).save(embeddings)
        judge = ["gait", "eval", "--embeddings", str(embeddings), "--protocol", "casia_b"]
        works = {
            PLAIN: ["-c", "import torch"],
            "import aclnet": ["-c", "import aclnet"],
            "aclnet-task --help": ["-m", "tasks.cli", "--help"],
            "aclnet-task gait eval --embeddings": ["-m", "tasks.cli", *judge],
        }
        times: dict[str, list[Used]] = {name: [] for name in works}
        for _ in range(options.rounds + 1):
            for name, arguments in works.items():
                times[name].append(run(arguments))
    for each in times.values():
        del each[0]  # it warms up
    used = {name: [one.seconds for one in each] for name, each in times.items()}
    wall = {name: round(median(one.wall for one in each), 3) for name, each in times.items()}
    peak = {name: round(median(one.peak for one in each)) for name, each in times.items()}
    # Linux counts what a child took before it became Python: this process's own memory.
    own = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    peak = {name: most for name, most in peak.items() if most > own}
    rows = [
        ratio(f"{name}, whole process", PLAIN, used[name], used[PLAIN])
        for name in works
        if name != PLAIN
    ]
    write("startup", rows, options.json, wall=wall, peak_mib=peak)


if __name__ == "__main__":
    main()
