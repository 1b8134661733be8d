"""How time and memory grow with classes, the gallery, the length of clips and the batch.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_growth.py [--rounds 5]
        [--frames 25 50 100 200 400] [--batches 4 16 64 256] [--clips 2 4 8]
        [--classes 60 400 2000 10000] [--gallery 10000 100000 1000000]
        [--json results/benchmarks/growth.json]

The data path: four streams, as in `bench_data_path.py`, against the same in NumPy clip by clip;
recordings are as long as the clips, give or take four tenths. The training step: the released
backbone, clips of two persons, as in `bench_backbone.py`. Both by processor time, in turn. The
report draws rows that differ in one number alone as a curve. How the time of the ACL terms and of
the search grows is in `bench_losses.py` and `bench_search.py`.

Peak memory of the training step, of the ACL terms (batch of 64, queue of 2,048) and of the search
(1,000 probes, 256 numbers) is the most resident memory that two runs take in a process of their
own, beside their input, the weights and what a small run before them took. Its unit is GiB.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench_losses
import bench_search
import numpy as np
import torch
from bench_backbone import pair, step
from bench_data_path import ANGLE, STREAMS, batched, input_for, one_by_one, seconds, store
from bench_evaluation import Work, apart, peak_mib, timed
from ratios import ratio, write

from aclnet.models.affinity_gcn import AffinityGcnSettings

OURS = "ours"
PROBES = 1000
FEW_CLIPS = 2


def training_step(batch: int, frames: int) -> Mapping[str, Work]:
    """A training step, ours and plain."""
    plain, ours = pair(AffinityGcnSettings(), 25)
    clips = torch.randn(batch, 2, frames, 25, 3)
    return {
        OURS: functools.partial(step, ours, clips),
        "as released": functools.partial(step, plain, clips),
    }


def terms(classes: int) -> Mapping[str, Work]:
    """Forward and backward pass of the ACL terms."""
    both = bench_losses.Pair(classes, 2048, 64, torch.device("cpu"))
    run = functools.partial(
        bench_losses.timed, batches=[both.stream.batch()], now=time.process_time
    )
    parameters = list(both.objective.parameters())
    return {
        OURS: lambda: run(both.ours, parameters=parameters),
        "in the released code's steps": lambda: run(both.theirs, parameters=both.leaves),
    }


def rank_1(size: int) -> Mapping[str, Work]:
    """The nearest row of each probe."""
    sides = bench_search.people(PROBES, size)[:2]
    return {
        OURS: functools.partial(bench_search.ours, *sides),
        "NumPy, bare product and selection": functools.partial(bench_search.by_numpy, *sides),
    }


WORKS: dict[str, tuple[Callable[..., Mapping[str, Work]], str, tuple[int, ...]]] = {
    "training step": (training_step, "{:,} clips of {:,} frames", (1, 8)),
    "ACL terms": (terms, "{:,} classes", (60,)),
    "rank-1": (rank_1, f"{PROBES:,} x {{:,}} x {bench_search.DIMS}", (100,)),
}
"""Of each work its ways, its size in words, and a small size to warm up with."""


def peak(name: str, way: str, size: tuple[int, ...]) -> float | None:
    """Resident memory in MiB that two runs take at their peak."""
    torch.set_num_threads(1)
    make, _, small = WORKS[name]
    make(*small)[way]()
    work = make(*size)[way]
    return peak_mib(lambda: [work() for _ in range(2)])


def peaks(name: str, ways: Sequence[str], size: tuple[int, ...]) -> dict[str, Any]:
    """A row of peaks, each of a process of its own."""
    # Less than a tenth of a MiB is not measurable.
    found = [[max(apart(peak, name, way, size), 0.1) / 2**10] for way in ways]
    return ratio(f"peak memory, {name}, {WORKS[name][1].format(*size)}", ways[1], *found, "GiB")


def data_path(sizes: Sequence[tuple[int, int]], rounds: int) -> list[dict[str, Any]]:
    """Rows of batches and frames."""
    generator = np.random.default_rng(0)
    streams = STREAMS["four streams"]
    rows = []
    for batch, frames in sizes:
        work = f"Four streams of {batch} clips of {frames} frames"
        data = store(generator, 128, frames)
        clips = input_for(data, streams, frames)
        ours: list[float] = []
        plain: list[float] = []
        for _ in range(rounds + 1):
            chosen = generator.integers(0, len(data), batch)
            angles = generator.uniform(-ANGLE, ANGLE, (batch, 3)).astype(np.float32)
            mine = functools.partial(batched, clips, data, chosen)
            other = functools.partial(one_by_one, data, chosen, streams, angles, frames)
            plain.append(seconds(other))
            ours.append(seconds(mine, 3))
        rows.append(ratio(work, "clip by clip in NumPy", ours[1:], plain[1:]))
    return rows


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--frames", type=int, nargs="+", default=[25, 50, 100, 200, 400])
    made.add_argument("--batches", type=int, nargs="*", default=[4, 16, 64, 256])
    made.add_argument("--clips", type=int, nargs="*", default=[2, 4, 8])
    made.add_argument("--classes", type=int, nargs="+", default=[60, 400, 2000, 10_000])
    made.add_argument("--gallery", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    torch.set_num_threads(1)

    def grown(usual: int, batches: Sequence[int]) -> list[tuple[int, int]]:
        """Each length in the usual batch, and each batch of the usual length."""
        sizes = [(usual, frames) for frames in options.frames]
        return sizes + [(batch, 100) for batch in batches if (batch, 100) not in sizes]

    rows = data_path(grown(16, options.batches), options.rounds)
    for size in grown(FEW_CLIPS, options.clips):
        works = training_step(*size)
        (ours, mine), (plain, theirs) = timed(works, options.rounds + 1).items()
        work = f"training step, {WORKS['training step'][1].format(*size)}"
        rows += [ratio(work, plain, mine[1:], theirs[1:])]
        rows += [peaks("training step", (ours, plain), size)]
    for name, sizes in (("ACL terms", options.classes), ("rank-1", options.gallery)):
        ways = list(WORKS[name][0](*WORKS[name][2]))
        rows += [peaks(name, ways, (size,)) for size in sizes]
    write("growth", rows, options.json)


if __name__ == "__main__":
    main()
