"""Exact rank-1 and re-ranking in blocks: time and peak memory against plain NumPy.

    python tests/benchmarks/bench_retrieval.py [--gallery 100000] [--probes 1000] [--dim 256]

Every contender runs in a process of its own on the same embeddings, in turn, and must name the
same nearest gallery row of each probe. ``search`` is FAISS with its answer confirmed in float64;
``argsort`` and ``argmin`` are the plain float32 product in blocks of probes, the first sorting the
whole row as the toolboxes do, the second the least that an exact rank-1 can do in NumPy. All have
the same ``--block-mib``. Peaks are resident memory above that of the process holding its input
(Linux only); seconds are those of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import row_blocks
from protocols.ranking.identification import identify_by_distances
from protocols.ranking.reranking import rerank
from protocols.ranking.retrieval import search

Rows = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
CONTENDERS = ("search", "argsort", "argmin")
SEQUENCES = 50  # of a person in the gallery


def people(probes: int, gallery: int, dim: int) -> tuple[Rows, Rows, Numbers, Numbers]:
    """Embeddings of people, some hard to tell apart: probe, gallery and whose they are."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((max(1, gallery // SEQUENCES), dim), dtype=np.float32)
    enrolled = np.arange(gallery) % len(centres)
    own = generator.integers(0, len(centres), probes)
    noise = np.float32(2.2)
    sides = []
    for who in (own, enrolled):
        rows = generator.standard_normal((len(who), dim), dtype=np.float32)
        rows *= noise
        rows += centres[who]
        sides.append(rows)
    return sides[0], sides[1], own, enrolled


def by_search(probe: Rows, gallery: Rows, block_bytes: int) -> Numbers:
    found = search(probe, gallery, 1, metric="euclidean", device="cpu", block_bytes=block_bytes)
    return found.rows[:, 0]


def by_numpy(pick: Callable[[Rows], Any], probe: Rows, gallery: Rows, block_bytes: int) -> Numbers:
    """Nearest rows by |g|^2 - 2 p.g in float32; a pair takes 4 bytes thrice, 8 for its index."""
    nearest = np.empty(len(probe), dtype=np.int64)
    lengths = np.einsum("gd,gd->g", gallery, gallery)
    for block in row_blocks(len(probe), 20 * len(gallery), block_bytes):
        nearest[block] = pick(lengths - 2 * (probe[block] @ gallery.T))
    return nearest


def memory(field: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    words = Path("/proc/self/status").read_text().split()
    return 1024 * int(words[words.index(f"{field}:") + 1])


def measured(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The work's result, its CPU seconds and its peak above what was resident before."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    start = time.process_time()
    result = work()
    seconds = time.process_time() - start
    peak = memory("VmHWM") - before
    return result, {"seconds": round(seconds, 3), "peak_mib": round(peak / 2**20, 1)}


def contend(name: str, arguments: argparse.Namespace, answer: Path) -> dict[str, float]:
    """One contender, in this process; its answer goes to a file."""
    block_bytes = arguments.block_mib * 2**20
    if name == "rerank":
        size = arguments.rerank_gallery
        probe, gallery, own, enrolled = people(size // 10, size, arguments.dim)

        def work() -> Any:
            blocks = rerank(probe, gallery, block_bytes=block_bytes)
            return identify_by_distances(blocks, own, enrolled)

        found, report = measured(work)
        precision = float(np.nan_to_num(found.average_precision).mean())
        report |= {"rank1": found.rank(1), "mAP": round(precision, 4)}
        rows = len(probe) + size
        return report | {"probes": len(probe), "gallery": size, "dense_mib": rows**2 * 4 / 2**20}
    probe, gallery, own, enrolled = people(arguments.probes, arguments.gallery, arguments.dim)
    ways: dict[str, Callable[..., Numbers]] = {
        "search": by_search,
        "argsort": lambda *a: by_numpy(lambda m: np.argsort(m, axis=1)[:, 0], *a),
        "argmin": lambda *a: by_numpy(lambda m: m.argmin(axis=1), *a),
    }
    way = ways[name]
    way(probe[:20], gallery[:200], block_bytes)  # libraries load and start here
    nearest, report = measured(lambda: way(probe, gallery, block_bytes))
    np.save(answer, nearest)
    return report | {"rank1": float((enrolled[nearest] == own).mean())}


def child(name: str, answer: Path, sizes: list[str]) -> dict[str, float]:
    """The report of a contender in a process of its own, on one thread."""
    command = [sys.executable, __file__, *sizes, "--contender", name, "--answer", str(answer)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, check=True)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def compare(arguments: argparse.Namespace, sizes: list[str]) -> dict[str, Any]:
    """All contenders in turn, some rounds of each."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        answers = {name: Path(folder) / f"{name}.npy" for name in CONTENDERS}
        for _ in range(arguments.rounds):
            for name in CONTENDERS:
                runs[name].append(child(name, answers[name], sizes))
        ours = np.load(answers["search"])
        for name in CONTENDERS[1:]:
            differing = np.count_nonzero(np.load(answers[name]) != ours)
            if differing:
                raise ValueError(f"{name} names another nearest row for {differing} probes")
        report: dict[str, Any] = {
            name: {
                "seconds": min(run["seconds"] for run in found),
                "median_seconds": round(statistics.median(run["seconds"] for run in found), 3),
                "peak_mib": max(run["peak_mib"] for run in found),
                "rank1": found[0]["rank1"],
            }
            for name, found in runs.items()
        }
        for name in CONTENDERS[1:]:
            ratio = report[name]["seconds"] / report["search"]["seconds"]
            report[f"ratio_to_{name}"] = round(ratio, 2)
        # What the docstrings state: one float32 copy of the gallery, and the blocks.
        bound = arguments.block_mib + 4 * arguments.gallery * arguments.dim / 2**20
        report["stated_bound_mib"] = round(bound, 1)
        if arguments.rerank_gallery:
            report["rerank"] = child("rerank", Path(folder) / "unused.npy", sizes)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description="Exact rank-1 and re-ranking, timed.")
    parser.add_argument("--gallery", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--block-mib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rerank-gallery", type=int, default=10_000, help="0 leaves it out")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--contender", choices=(*CONTENDERS, "rerank"), help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender is not None:
        print(json.dumps(contend(arguments.contender, arguments, arguments.answer)))
        return
    names = ("gallery", "probes", "dim", "block_mib", "rerank_gallery")
    sizes = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in names]
    report = {name: getattr(arguments, name) for name in names[:4]}
    report |= compare(arguments, sizes)
    print(json.dumps(report, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
