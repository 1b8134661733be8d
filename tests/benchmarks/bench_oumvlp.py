"""A table of OUMVLP's size from embeddings: seconds and peak memory.

    python tests/benchmarks/bench_oumvlp.py [--people 10307] [--dim 128] [--parts 1]

Every person is recorded twice before 14 cameras, 288,596 embeddings for 10,307 people; each of the
144,298 probes is looked for in 14 galleries of 10,307. The peak is resident memory of the whole
process, embeddings included (Linux and macOS); seconds are those of its threads together.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait

VIEWS = (*range(0, 91, 15), *range(180, 271, 15))


def made(people: int, dim: int, parts: int) -> Embeddings:
    """Embeddings that are hard to tell apart."""
    generator = np.random.default_rng(0)
    labels = np.stack(np.meshgrid(np.arange(people), VIEWS, (0, 1), indexing="ij"), axis=-1)
    subject, view, take = labels.reshape(-1, 3).T
    embedding = generator.standard_normal((len(subject), dim * parts), dtype=np.float32)
    embedding *= np.float32(1.6)
    embedding += generator.standard_normal((people, dim * parts), dtype=np.float32)[subject]
    shape = (dim, parts) if parts > 1 else (dim,)
    return Embeddings(embedding.reshape(-1, *shape), subject, take=take, view=view)


def main() -> None:
    """Measure once."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--people", type=int, default=10_307)
    options.add_argument("--dim", type=int, default=128)
    options.add_argument("--parts", type=int, default=1)
    options.add_argument("--protocol", default="oumvlp")
    chosen = options.parse_args()
    data = made(chosen.people, chosen.dim, chosen.parts)
    started = time.perf_counter(), time.process_time()
    table = evaluate_gait(data, chosen.protocol)
    wall, used = time.perf_counter() - started[0], time.process_time() - started[1]
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(data)} embeddings, rank-1 {100 * table.metrics['rank1']:.2f}: {wall:.0f} s, "
        f"{used:.0f} s of CPU, peak {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
