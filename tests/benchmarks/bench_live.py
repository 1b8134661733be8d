"""Eight people at 30 frames per second, answered on one core among 100,000 enrolled people.

    python tests/benchmarks/bench_live.py [--people 8] [--enrolled 100000] [--json FILE]

`aclnet-task live` is a process on one core, with one thread. This program, on another core where
there is one, writes the lines of a stream to it when they are due by the clock, and reads its
answers. The latency of a window is from when its last frame was due to when the answer was read:
with all waits between. Rows compare it with a goal of 50 ms. All people come into the picture at
once, so that all windows are due in one frame with `--together`. The networks are those
of gait/walkers, and the paper's in the width of gait/casia_b; their weights are of a training of
two steps, which costs as much as any other. On a machine that others use, give this program the
priority that it would have on one of its own (`chrt --rr 1`), which is noted. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from ratios import ratio, write

import tasks.cli
from aclnet.clips.windows import reflect
from aclnet.data.store import open_store
from tasks import Gallery

FPS = 30
STRIDE = 30
GOAL = 0.05
BATCH = 20_000
PACES = ("spread", "together")
SHORT = (
    "data.walkers.identities=10", "data.walkers.views=[0,90]", "identities.train=6",
    "identities.validation=2", "train.epochs=1", "sampler.steps_per_epoch=2",
)  # fmt: skip
NETWORKS = {
    "gait/walkers": (),
    "affinity_gcn of width 64": ('network.encoder={"name": "affinity_gcn", "width": 64}',),
}


class Measured(NamedTuple):
    latencies: np.ndarray
    own: np.ndarray
    late: float


def train(folder: Path, changes: Sequence[str]) -> Path:
    """A run of the network."""
    sets = [part for text in (*SHORT, *changes) for part in ("--set", text)]
    command = ["gait", "train", "-c", "gait/walkers", "-r", folder / "run", *sets]
    line = ["aclnet-task", *map(str, command), "--cache", str(folder.parent / "cache")]
    with mock.patch.object(sys, "argv", line), contextlib.redirect_stdout(io.StringIO()):
        try:
            tasks.cli.main()
        except SystemExit as end:
            if end.code:
                raise
    return folder / "run"


def enrol(place: Path, run: Path, count: int) -> None:
    """A gallery of so many people with a template each, none of whom is in the stream."""
    generator = np.random.default_rng(0)
    with Gallery.create(place, run) as made:
        dims = made.about.dimensions
        others = generator.standard_normal((200, dims))
        made.calibrate_embeddings([f"other {row // 2}" for row in range(200)], others, target=0.001)
        for start in range(0, count, BATCH):
            vectors = generator.standard_normal((min(BATCH, count - start), dims))
            names = [f"person {start + row}" for row in range(len(vectors))]
            made.enrol_embeddings(names, vectors, compare=False)


def stream(cache: Path, people: int, frames: int) -> list[bytes]:
    """The lines: people who walk back and forth."""
    (place,) = cache.glob("walkers-*")
    store = open_store(place)
    rows = np.arange(people) * (len(store) // people)
    taken = reflect(np.arange(frames)[None].repeat(people, axis=0), store.lengths[rows])
    walks = store.gather(rows, taken)[:, 0].round(3).tolist()
    lines = []
    for number in range(frames):
        there = [{"track": row, "joints": walk[number]} for row, walk in enumerate(walks)]
        lines.append(json.dumps({"frame": number, "people": there}).encode() + b"\n")
    return lines


def replay(run: Path, gallery: Path, lines: Sequence[bytes], more: Sequence[str]) -> Measured:
    """Send the lines by the clock, and read the answers."""
    cores = sorted(os.sched_getaffinity(0))
    fixed = ["--stride", str(STRIDE), *more]
    process = subprocess.Popen(
        [sys.executable, "-m", "tasks", "live", "-", "--run", run, "--gallery", gallery, *fixed],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]}),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stderr.readline()  # it is ready
    answers: list[tuple[float, bytes]] = []

    def read() -> None:
        assert process.stdout is not None
        answers.extend((time.monotonic(), line) for line in process.stdout)

    reader = threading.Thread(target=read)
    reader.start()
    start, late = time.monotonic() + 0.5, 0.0
    for number, line in enumerate(lines):
        due = start + number / FPS
        time.sleep(max(due - time.monotonic(), 0.0))
        late = max(late, time.monotonic() - due)
        process.stdin.write(line)
        process.stdin.flush()
    process.stdin.close()
    reader.join()
    assert process.wait() == 0, process.stderr.read()
    found = [(at, json.loads(line)) for at, line in answers]
    first: dict[str, int] = {}
    for _, one in found:
        first.setdefault(one["track"], one["end"])
    # The last windows of the tracks are due when the stream ends, not by the clock.
    within = [(at, one) for at, one in found if (one["end"] - first[one["track"]]) % STRIDE == 0]
    delays = [at - (start + (one["end"] - 1) / FPS) for at, one in within]
    own = [one["latency_ms"] / 1000 for _, one in within]
    return Measured(np.array(delays), np.array(own), late)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--enrolled", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--networks", type=int, default=len(NETWORKS))
    parser.add_argument("--pace", nargs="+", choices=PACES, default=PACES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    rows, notes, about = [], [], {}
    with tempfile.TemporaryDirectory(prefix="live-") as made:
        root = Path(made)
        for place, (network, changes) in enumerate([*NETWORKS.items()][: options.networks]):
            run = train(root / str(place), changes)
            gallery = root / f"{place}.gallery"
            enrol(gallery, run, options.enrolled)
            lines = stream(root / "cache", options.people, round(options.seconds * FPS))
            for pace in options.pace:
                os.sched_setaffinity(0, {cores[0]})
                rounds = [replay(run, gallery, lines, [f"--{pace}"]) for _ in range(options.rounds)]
                os.sched_setaffinity(0, set(cores))
                name = f"{options.people} people among {options.enrolled:,}, {network} --{pace}"
                each = [one.latencies for one in rounds]
                for measure, share in (("median", 50), ("p95", 95), ("p99", 99)):
                    values = [max(float(np.percentile(one, share)), 1e-5) for one in each]
                    work = f"latency of a live window, {measure}: {name}"
                    rows.append(ratio(work, "the goal of 50 ms", values, [GOAL] * len(values)))
                whole = np.concatenate(each)
                p99 = 1000 * float(np.percentile(whole, 99))
                notes.append(
                    f"{name}: {len(whole):,} windows in {options.rounds} rounds of "
                    f"{options.seconds:g} s, p99 of all {p99:.1f} ms."
                )
                about[f"{network} --{pace}"] = {
                    "windows": len(whole),
                    "median_ms": round(1000 * float(np.median(whole)), 2),
                    "p95_ms": round(1000 * float(np.percentile(whole, 95)), 2),
                    "p99_ms": round(p99, 2),
                    "own_p99_ms": round(
                        1000 * float(np.percentile(np.concatenate([o.own for o in rounds]), 99)), 2
                    ),
                    "sender_late_ms": round(1000 * max(one.late for one in rounds), 2),
                }
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        notes.append("Measured with real-time priority on a machine that others used.")
    write("live", rows, options.json, notes=notes, measured=about)


if __name__ == "__main__":
    main()
