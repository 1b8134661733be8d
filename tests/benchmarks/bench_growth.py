"""How the data path grows with the length of clips and with the batch.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_growth.py [--rounds 5]
        [--frames 25 50 100 200 400] [--batches 4 16 64 256] [--json results/benchmarks/growth.json]

Four streams, as in `bench_data_path.py`, against the same in NumPy clip by clip; processor time, in
turn; recordings are as long as the clips, give or take four tenths. The report draws rows that
differ in one number alone as a curve. Classes grow in `bench_losses.py`, galleries in
`bench_search.py`.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

import numpy as np
from bench_data_path import ANGLE, STREAMS, batched, input_for, one_by_one, seconds, store
from ratios import ratio, write


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--frames", type=int, nargs="+", default=[25, 50, 100, 200, 400])
    made.add_argument("--batches", type=int, nargs="+", default=[4, 16, 64, 256])
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    generator = np.random.default_rng(0)
    streams = STREAMS["four streams"]
    rows: list[dict[str, Any]] = []
    sizes = [(16, frames) for frames in options.frames]
    sizes += [(batch, 100) for batch in options.batches if (batch, 100) not in sizes]
    for batch, frames in sizes:
        work = f"Four streams of {batch} clips of {frames} frames"
        data = store(generator, 128, frames)
        clips = input_for(data, streams, frames)
        ours: list[float] = []
        plain: list[float] = []
        for _ in range(options.rounds + 1):
            chosen = generator.integers(0, len(data), batch)
            angles = generator.uniform(-ANGLE, ANGLE, (batch, 3)).astype(np.float32)
            mine = functools.partial(batched, clips, data, chosen)
            other = functools.partial(one_by_one, data, chosen, streams, angles, frames)
            plain.append(seconds(other))
            ours.append(seconds(mine, 3))
        rows.append(ratio(work, "clip by clip in NumPy", ours[1:], plain[1:]))
    write("growth", rows, options.json)


if __name__ == "__main__":
    main()
