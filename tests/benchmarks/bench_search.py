"""Search of galleries against the bare products of NumPy, torch and FAISS, in one run.

    python tests/benchmarks/bench_search.py [--gallery 10000 100000 1000000] [--probes 1000]
        [--index 1000000] [--rerank 10000] [--rounds 3] [--json results/benchmarks/search.json]

Embeddings of 256 numbers, of people of 50 sequences each, some hard to tell apart; unit vectors, so
that all search by the inner product. The contenders work in turn on the same arrays and must name
the same nearest row of every probe. `bare` is the least that rank-1 takes: one float32 product and
its largest value, in tiles (NumPy, torch) or by `faiss.knn`; nothing is checked, confirmed or tied.
Ours is `search`, confirmed in float64. Times are processor time of this process (OMP_NUM_THREADS=1
for one thread); ratios are of medians, the spread is the lowest and highest of a round.

Of the largest gallery also: ours in float16 against ours in float32, and the peaks of memory beside
the input. `--index` is the gallery of the IVF and HNSW rows, against ours exact; their recall of
the 10 nearest, on the probes that the index tried, is in the file and in the row's words, with the
time to build. `--rerank` is k-reciprocal re-ranking in blocks, whose peak is beside that of a dense
matrix; 0 leaves it out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import torch
from bench_evaluation import peak_mib, timed
from ratios import ratio, write

from protocols.ranking.approximate import Index, Kind
from protocols.ranking.distances import as_pair
from protocols.ranking.engines import choose_backend
from protocols.ranking.identification import identify_by_distances
from protocols.ranking.reranking import rerank
from protocols.ranking.retrieval import search

Rows = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
DIMS = 256
SEQUENCES = 50  # of a person in the gallery
TILE = 8192


def people(probes: int, gallery: int) -> tuple[Rows, Rows, Numbers, Numbers]:
    """Unit embeddings of people, some hard to tell apart: both sides, and whose they are."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((max(1, gallery // SEQUENCES), DIMS), dtype=np.float32)
    enrolled = np.arange(gallery) % len(centres)
    own = generator.integers(0, len(centres), probes)
    sides = []
    for who in (own, enrolled):
        rows = generator.standard_normal((len(who), DIMS), dtype=np.float32)
        rows *= np.float32(1.6)
        for start in range(0, len(who), TILE):
            tile = slice(start, start + TILE)
            rows[tile] += centres[who[tile]]
            rows[tile] /= np.linalg.norm(rows[tile], axis=1, keepdims=True)
        sides.append(rows)
    return sides[0], sides[1], own, enrolled


def by_numpy(probe: Rows, gallery: Rows) -> Numbers:
    best, nearest = np.full(len(probe), -np.inf, np.float32), np.zeros(len(probe), np.int64)
    every = np.arange(len(probe))
    for start in range(0, len(gallery), TILE):
        product = probe @ gallery[start : start + TILE].T
        place = product.argmax(axis=1)
        value = product[every, place]
        better = value > best
        best[better], nearest[better] = value[better], place[better] + start
    return nearest


def by_torch(probe: Rows, gallery: Rows) -> Numbers:
    left, right = torch.from_numpy(probe), torch.from_numpy(gallery)
    best, nearest = torch.full((len(left),), -torch.inf), torch.zeros(len(left), dtype=torch.int64)
    for start in range(0, len(right), TILE):
        value, place = (left @ right[start : start + TILE].T).max(dim=1)
        better = value > best
        best, nearest = (
            torch.where(better, value, best),
            torch.where(better, place + start, nearest),
        )
    return nearest.numpy()


def by_faiss(probe: Rows, gallery: Rows) -> Numbers:
    return np.asarray(faiss.knn(probe, gallery, 1, faiss.METRIC_INNER_PRODUCT)[1][:, 0])


def ours(probe: Rows, gallery: Rows) -> Numbers:
    return search(probe, gallery, 1, device="cpu").rows[:, 0]


def exact(probes: int, size: int, rounds: int) -> tuple[list[dict[str, Any]], str]:
    """Rank-1 in a gallery of one size against each bare way, and what ours does beside."""
    probe, gallery, *_ = people(probes, size)
    ways = {"NumPy": by_numpy, "torch": by_torch, "FAISS": by_faiss, "ours": ours}
    wanted = ours(probe, gallery)
    for name, way in ways.items():
        if not np.array_equal(way(probe, gallery), wanted):
            raise RuntimeError(f"{name} names other rows")
    works: dict[str, Callable[[], Any]] = {
        name: lambda way=way: way(probe, gallery)  # type: ignore[misc]
        for name, way in ways.items()
    }
    works["candidates"] = lambda: faiss.knn(probe, gallery, 18, faiss.METRIC_INNER_PRODUCT)
    works["check"] = lambda: as_pair(probe, gallery, "cosine")
    times = timed(works, rounds)
    work = f"exact rank-1, {probes:,} x {size:,} x {DIMS}"
    parts = {
        name: 1000 * statistics.median(times[name]) for name in ("candidates", "FAISS", "check")
    }
    note = (
        f"{size:,} rows: FAISS takes {parts['candidates']:.0f} ms for 18 candidates to prove one, "
        f"{parts['FAISS']:.0f} for one alone; checking both sides takes {parts['check']:.1f}."
    )
    return [
        ratio(work, f"{name}, bare product and selection", times["ours"], times[name])
        for name in ("NumPy", "torch", "FAISS")
    ], note


def halved(probes: int, size: int, rounds: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The same in float16, and the peaks."""
    probe, gallery, *_ = people(probes, size)
    peaks: dict[str, Any] = {
        "gallery_mib": round(gallery.nbytes / 2**20, 1),
        "peak_mib": peak_mib(lambda: ours(probe, gallery)),
    }
    half = gallery.astype(np.float16)
    peaks |= {
        "float16_gallery_mib": round(half.nbytes / 2**20, 1),
        "float16_peak_mib": peak_mib(lambda: ours(probe, half)),
    }
    if not np.array_equal(ours(probe, half), ours(probe, half.astype(np.float32))):
        raise RuntimeError("float16 names other rows than the same values in float32")
    works = {"half": lambda: ours(probe, half), "whole": lambda: ours(probe, gallery)}
    times = timed(works, rounds)
    work = f"exact rank-1, {probes:,} x {size:,} x {DIMS}, gallery in float16"
    return [ratio(work, "ours, in float32", times["half"], times["whole"])], peaks


def indexed(probes: int, size: int, rounds: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """IVF and HNSW, without the measuring of their recall, against ours exact."""
    probe, gallery, *_ = people(probes, size)
    rows: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    kinds: tuple[Kind, ...] = ("ivf", "hnsw")
    for kind in kinds:
        start = time.process_time()
        index = Index(gallery, kind, device="cpu")
        build = time.process_time() - start
        found = index.search(probe, 10)
        works = {
            "index": lambda index=index: index.search(probe, 10, sample=1),
            "exact": lambda: search(probe, gallery, 10, device="cpu"),
        }
        times = timed(works, rounds)
        work = f"10 nearest by {kind}, {probes:,} x {size:,}, recall {found.recall:.3f}"
        rows.append(ratio(work, "ours, exact", times["index"], times["exact"]))
        about[kind] = {
            "build_seconds": round(build, 1),
            "recall": round(found.recall, 4),
            "tried": found.tried,
        }
    return rows, about


def reranked(size: int) -> dict[str, Any]:
    """Re-ranking in blocks: seconds, peak, and the matrix that it does without."""
    probe, gallery, own, enrolled = people(size // 10, size)
    start = time.process_time()
    peak = peak_mib(lambda: identify_by_distances(rerank(probe, gallery), own, enrolled))
    return {
        "gallery": size,
        "probes": len(probe),
        "seconds": round(time.process_time() - start, 2),
        "peak_mib": peak,
        "dense_mib": round((len(probe) + size) ** 2 * 4 / 2**20, 1),
    }


def main() -> None:
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--gallery", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    made.add_argument("--probes", type=int, default=1000)
    made.add_argument("--index", type=int, default=1_000_000, help="0 leaves it out")
    made.add_argument("--rerank", type=int, default=10_000, help="0 leaves it out")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    rows: list[dict[str, Any]] = []
    about: dict[str, Any] = {"clock": "processor", "engine": choose_backend("cpu")}
    # Peaks first, while the process holds no memory of earlier work.
    if options.rerank:
        about["rerank"] = reranked(options.rerank)
    more, about["memory"] = halved(options.probes, max(options.gallery), options.rounds)
    for size in options.gallery:
        own, note = exact(options.probes, size, options.rounds)
        rows += own
        about.setdefault("notes", []).append(note)
    rows += more
    if options.index:
        more, about["indices"] = indexed(options.probes, options.index, options.rounds)
        rows += more
    write("search", rows, options.json, **about)


if __name__ == "__main__":
    main()
