"""Exact nearest-neighbour search by FAISS, on CPU or GPUs, with deterministic ties.

FAISS promises no order among equal distances, and its float32 sums differ between one query and
many, CPU and GPU. So FAISS only proposes: more candidates than needed are fetched, measured again
in float64 (:mod:`protocols.ranking.distances`) and sorted by distance, then gallery row. The result
for a probe is kept when it is proven complete: no row that FAISS left out can be as near as the
last one kept, by the worst-case error of a float32 inner product, (D + 8) 2^-23 (|a| + |b|)^2.
Probes for which that cannot be shown (many ties, extreme scales) are ranked against the whole
gallery in float64. The result is thus the same with FAISS on CPU, on GPU, and without FAISS.

NumPy proposes in its place where it is not installed, its matrix product is an old one, or there
are few probes. By the mean of several parts' Euclidean distances NumPy proposes too, with the same
proof.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FloatArray,
    IntArray,
    Metric,
    Points,
    as_pair,
    distance_blocks,
    row_blocks,
    some_squared,
    to_distance,
)
from protocols.ranking.engines import (
    FAISS_NUMBERS,
    GPU_LIMIT,
    TILE_ROWS,
    Backend,
    Device,
    choose_backend,
    load_faiss,
    part_proposer,
    proposer,
)

SPARE_CANDIDATES = 16
"""Candidates beyond those wanted, as float32 may order the nearest otherwise."""

_FIRST_SPARE = 3  # of them, measured at first


class Neighbours(NamedTuple):
    """The nearest gallery rows of each probe, nearest first, ties by the lowest gallery row.

    Attributes:
        rows: (P, k) int64 gallery rows.
        distances: (P, k) float64, Euclidean distance or 1 - cosine similarity.
    """

    rows: IntArray
    distances: FloatArray


def search(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike,
    k: int,
    *,
    metric: Metric = "cosine",
    device: Device = "auto",
    block_bytes: int = BLOCK_BYTES,
) -> Neighbours:
    """Find the ``k`` nearest gallery rows of every probe, exactly.

    Args:
        probe: (P, D) numbers, or (P, C, parts), read as float32.
        gallery: (G, D) numbers, or (G, C, parts), read as float32, G >= 1; float16 is kept, and
            found exactly too.
        k: Neighbours a probe, at least 1; cut to G.
        metric: ``cosine`` (ranks by the inner product of unit vectors) or ``euclidean``.
        device: ``auto``, ``cpu`` or ``gpu``, chosen at run time.
        block_bytes: Working memory in bytes, besides the result and one float32 copy of the
            gallery, which is not made where its values can be searched as they are (on GPUs a
            second one there; of a float16 gallery only that one, in float16).

    Returns:
        (P, min(k, G)) rows and distances.

    Raises:
        ValueError: Bad ``k``, device or metric, values that are not finite, dimensions that
            differ, or an empty gallery.

    >>> search([[1.0, 0.0]], [[0.0, 1.0], [2.0, 0.0], [1.0, 0.0]], k=2).rows.tolist()
    [[1, 2]]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    return search_points(*as_pair(probe, gallery, metric), k, device, block_bytes)


def search_points(
    probe: Points,
    gallery: Points,
    k: int,
    device: Device = "auto",
    block_bytes: int = BLOCK_BYTES,
) -> Neighbours:
    """As :func:`search`, for checked embeddings."""
    rows, squared = squared_neighbours(probe, gallery, k, device, block_bytes)
    return Neighbours(rows, to_distance(squared, probe.metric))


def squared_neighbours(
    probe: Points, gallery: Points, k: int, device: Device, block_bytes: int
) -> tuple[IntArray, FloatArray]:
    """As :func:`search_points`, with squared distances on the tie grid."""
    count = min(k, len(gallery))
    if not probe.in_one_space:
        return _search_proposed(probe, gallery, count, None, block_bytes)
    backend = choose_backend(device, count)
    few = probe.values.size < FAISS_NUMBERS
    if backend == "faiss-cpu" and (few or gallery.values.dtype == np.float16):
        backend = "numpy"  # of float16 FAISS would need the whole gallery in float32
    if backend == "numpy" and not few and load_faiss() is None:
        warnings.warn(
            "FAISS is not installed: the exact search runs in NumPy, which is slower on large "
            "galleries (install aclnet[cpu] or aclnet[gpu]).",
            stacklevel=4,
        )
    return _search_proposed(probe, gallery, count, backend, block_bytes)


def _search_proposed(
    probe: Points, gallery: Points, count: int, backend: Backend | None, block_bytes: int
) -> tuple[IntArray, FloatArray]:
    """Candidates from FAISS, or from NumPy where the points are not in one space, measured again.

    Probes without proof are ranked in full.
    """
    fetch = min(len(gallery), 2 * count + SPARE_CANDIDATES)
    # FAISS is slow on a few queries at a time, so its blocks are wider than those of float64.
    row_bytes = 48 * fetch + 16 * gallery.values.shape[1]
    if backend is None:
        propose = part_proposer(gallery, fetch)
        row_bytes += 24 * len(gallery)
    else:
        fetch = min(fetch, GPU_LIMIT) if backend == "faiss-gpu" else fetch
        if backend == "numpy":
            row_bytes += 16 * (min(len(gallery), TILE_ROWS) + fetch)
        propose = proposer(gallery, fetch, backend)
    rows = np.empty((len(probe), count), dtype=np.int64)
    squared = np.empty((len(probe), count))
    proven = np.zeros(len(probe), dtype=np.bool_)
    for block in row_blocks(len(probe), row_bytes, block_bytes):
        part = probe.take(block)
        candidates, reach = propose(part)
        whole = np.all(candidates >= 0, axis=1)  # FAISS pads with -1 where sums overflow
        near, apart, certain = rows[block], squared[block], proven[block]
        for measured in (min(count + _FIRST_SPARE, fetch), fetch):
            more = np.flatnonzero(~certain)
            chosen = candidates[more, :measured]
            near[more], apart[more] = nearest_of(
                part.take(more), gallery, chosen, count, block_bytes
            )
            last = reach[more, min(measured, fetch - 1)]
            certain[more] = whole[more] & ((measured == len(gallery)) | (apart[more, -1] < last))
    open_rows = np.flatnonzero(~proven)
    if len(open_rows):
        rows[open_rows], squared[open_rows] = _rank_everything(
            probe.take(open_rows), gallery, count, block_bytes
        )
    return rows, squared


def nearest_of(
    probe: Points, gallery: Points, candidates: IntArray, count: int, block_bytes: int
) -> tuple[IntArray, FloatArray]:
    """The nearest ``count`` of each probe's (P, fetch) candidates, measured in float64.

    A candidate of -1 is none, and infinitely far; where too few are left, it is a neighbour.
    """
    rows = np.empty((len(probe), count), dtype=np.int64)
    squared = np.empty((len(probe), count))
    row_bytes = 32 * candidates.shape[1] * probe.values.shape[1]
    for block in row_blocks(len(probe), row_bytes, block_bytes):
        near = np.sort(candidates[block], axis=1)
        measured = some_squared(probe.take(block), gallery, np.maximum(near, 0))
        measured[near < 0] = np.inf
        order = np.argsort(measured, axis=1, kind="stable")[:, :count]
        rows[block] = np.take_along_axis(near, order, axis=1)
        squared[block] = np.take_along_axis(measured, order, axis=1)
    return rows, squared


def _rank_everything(
    probe: Points, gallery: Points, count: int, block_bytes: int
) -> tuple[IntArray, FloatArray]:
    """The nearest ``count`` rows from the whole matrix in float64, block by block."""
    rows = np.empty((len(probe), count), dtype=np.int64)
    squared = np.empty((len(probe), count))
    for block, matrix in distance_blocks(probe, gallery, block_bytes):
        bound = np.partition(matrix, count - 1, axis=1)[:, count - 1]
        for row, distances, worst in zip(
            range(block.start, block.stop), matrix, bound, strict=True
        ):
            near = np.flatnonzero(distances <= worst)
            rows[row] = near[np.argsort(distances[near], kind="stable")[:count]]
            squared[row] = distances[rows[row]]
    return rows, squared
