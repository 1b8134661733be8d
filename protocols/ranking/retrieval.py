"""Exact nearest-neighbour search by FAISS, on CPU or GPU, with deterministic ties.

FAISS promises no order among equal distances, and its float32 sums differ between one query and
many, CPU and GPU. So FAISS only proposes: more candidates than needed are fetched, measured again
in float64 (:mod:`protocols.ranking.distances`) and sorted by distance, then gallery row. The result
for a probe is kept when it is proven complete: no row that FAISS left out can be as near as the
last one kept, by the worst-case error of a float32 inner product, (D + 8) 2^-23 (|a| + |b|)^2.
Probes for which that cannot be shown (many ties, extreme scales) are ranked against the whole
gallery in float64. The result is thus the same with FAISS on CPU, on GPU, and without FAISS.

NumPy proposes in its place where it is not installed, or its matrix product is an old one. By the
mean of several parts' Euclidean distances NumPy proposes too, with the same proof.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_info

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FLOAT32_REACH,
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

Device = Literal["auto", "cpu", "gpu"]
Backend = Literal["faiss-gpu", "faiss-cpu", "numpy"]

GPU_LIMIT = 2048
"""Most neighbours of a probe that FAISS returns on a GPU."""

_SPARE_CANDIDATES = 16
_ROUNDING = 2.0**-22
_TILE_ROWS = 8192
_WITHOUT_AVX2 = (
    *("Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Nano", "Sandybridge"),
    *("Opteron", "Opteron_SSE3", "Athlon", "Barcelona", "Bobcat", "Bulldozer", "Piledriver"),
)

_Proposer = Callable[[Points], tuple[IntArray, FloatArray]]


class Neighbours(NamedTuple):
    """The nearest gallery rows of each probe, nearest first, ties by the lowest gallery row.

    Attributes:
        rows: (P, k) int64 gallery rows.
        distances: (P, k) float64, Euclidean distance or 1 - cosine similarity.
    """

    rows: IntArray
    distances: FloatArray


def choose_backend(device: Device = "auto", k: int | None = None) -> Backend:
    """Choose the library and device of a search.

    Args:
        device: ``auto`` takes a GPU if FAISS can use one; ``cpu`` and ``gpu`` fix the choice.
        k: Neighbours a probe, of which FAISS on a GPU returns at most 2048; None: not known yet.

    Returns:
        ``faiss-gpu``, ``faiss-cpu``, or ``numpy`` where FAISS is not installed, or its matrix
        product is older than NumPy's (:func:`old_product`).

    Raises:
        ValueError: The device is unknown, or it is ``gpu`` and FAISS sees none or ``k`` is above
            its limit there.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f"device must be auto, cpu or gpu, not {device!r}.")
    faiss = _faiss()
    usable = (
        faiss is not None and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    )
    if device == "gpu" and not usable:
        raise ValueError(
            "FAISS sees no GPU here for device gpu: install aclnet[gpu] on a machine with one, or "
            "take device cpu."
        )
    too_many = k is not None and k > GPU_LIMIT
    if device == "gpu" and too_many:
        raise ValueError(
            f"FAISS returns at most {GPU_LIMIT} neighbours on a GPU, not {k}: take device cpu or "
            "auto."
        )
    if usable and device != "cpu" and not too_many:
        return "faiss-gpu"
    return "numpy" if faiss is None or old_product() else "faiss-cpu"


@functools.cache
def old_product() -> str:
    """The kernel of FAISS's OpenBLAS where it has no AVX2 and NumPy's has; empty otherwise.

    The OpenBLAS in FAISS's wheels is of 2021 and takes newer processors for a Prescott, which costs
    several times the time. A kernel is never set from here: older versions compute wrong results on
    some processors when told to.
    """
    kernels = {"faiss": "", "numpy": ""}
    for entry in threadpool_info():
        for owner in kernels:
            if owner in entry["filepath"] and entry.get("architecture"):
                kernels[owner] = entry["architecture"]
    old = kernels["faiss"] in _WITHOUT_AVX2 and kernels["numpy"] not in {"", *_WITHOUT_AVX2}
    return kernels["faiss"] if old else ""


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
        gallery: (G, D) numbers, or (G, C, parts), read as float32, G >= 1.
        k: Neighbours a probe, at least 1; cut to G.
        metric: ``cosine`` (ranks by the inner product of unit vectors) or ``euclidean``.
        device: ``auto``, ``cpu`` or ``gpu``, chosen at run time.
        block_bytes: Working memory in bytes, besides the result and one float32 copy of the gallery
            (on a GPU a second one there).

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
    count = min(k, len(gallery))
    if not probe.in_one_space:
        rows, squared = _search_proposed(probe, gallery, count, None, block_bytes)
        return Neighbours(rows, to_distance(squared, probe.metric))
    backend = choose_backend(device, count)
    if backend == "numpy" and _faiss() is None:
        warnings.warn(
            "FAISS is not installed: the exact search runs in NumPy, which is slower on large "
            "galleries (install aclnet[cpu] or aclnet[gpu]).",
            stacklevel=3,
        )
    rows, squared = _search_proposed(probe, gallery, count, backend, block_bytes)
    return Neighbours(rows, to_distance(squared, probe.metric))


def _faiss() -> Any | None:
    """The FAISS module, or None where it is absent or broken."""
    try:
        module = importlib.import_module("faiss")
    except (ImportError, RuntimeError):  # the GPU build raises RuntimeError without its CUDA wheels
        return None
    # Uninstalling faiss-cpu or faiss-gpu where both are installed leaves an empty folder behind.
    return module if hasattr(module, "IndexFlatL2") else None


@functools.cache
def _gpu_resources() -> Any:
    """One scratch space a process: each would reserve up to 1.5 GiB of GPU memory."""
    return importlib.import_module("faiss").StandardGpuResources()


def _search_proposed(
    probe: Points, gallery: Points, count: int, backend: Backend | None, block_bytes: int
) -> tuple[IntArray, FloatArray]:
    """Candidates from FAISS, or from NumPy where the points are not in one space, measured again.

    Probes without proof are ranked in full.
    """
    fetch = min(len(gallery), 2 * count + _SPARE_CANDIDATES)
    # FAISS is slow on a few queries at a time, so its blocks are wider than those of float64.
    row_bytes = 24 * fetch + 16 * gallery.values.shape[1]
    if backend is None:
        propose = _part_proposer(gallery, fetch)
        row_bytes += 24 * len(gallery)
    else:
        fetch = min(fetch, GPU_LIMIT) if backend == "faiss-gpu" else fetch
        if backend == "numpy":
            row_bytes += 16 * (min(len(gallery), _TILE_ROWS) + fetch)
        propose = _proposer(gallery, fetch, backend)
    rows = np.empty((len(probe), count), dtype=np.int64)
    squared = np.empty((len(probe), count))
    proven = np.empty(len(probe), dtype=np.bool_)
    for block in row_blocks(len(probe), row_bytes, block_bytes):
        part = probe.take(block)
        candidates, reach = propose(part)
        rows[block], squared[block] = _nearest_of(part, gallery, candidates, count, block_bytes)
        proven[block] = (candidates >= 0).all(axis=1)  # FAISS pads with -1 where sums overflow
        if fetch < len(gallery):
            proven[block] &= squared[block, -1] < reach
    open_rows = np.flatnonzero(~proven)
    if len(open_rows):
        rows[open_rows], squared[open_rows] = _rank_everything(
            probe.take(open_rows), gallery, count, block_bytes
        )
    return rows, squared


def _nearest_of(
    probe: Points, gallery: Points, candidates: IntArray, count: int, block_bytes: int
) -> tuple[IntArray, FloatArray]:
    """The nearest ``count`` of each probe's (P, fetch) candidates, measured in float64."""
    rows = np.empty((len(probe), count), dtype=np.int64)
    squared = np.empty((len(probe), count))
    row_bytes = 32 * candidates.shape[1] * probe.values.shape[1]
    for block in row_blocks(len(probe), row_bytes, block_bytes):
        near = np.sort(np.maximum(candidates[block], 0), axis=1)
        measured = some_squared(probe.take(block), gallery, near)
        order = np.argsort(measured, axis=1, kind="stable")[:, :count]
        rows[block] = np.take_along_axis(near, order, axis=1)
        squared[block] = np.take_along_axis(measured, order, axis=1)
    return rows, squared


def _part_proposer(gallery: Points, fetch: int) -> _Proposer:
    """The same as :func:`_proposer` by the mean of the parts' Euclidean distances, in float32.

    What is added up is a lower bound of each distance: its square less the worst-case error.
    """
    base = gallery.vectors(np.float32)
    size = base.shape[1] // gallery.parts
    tiny = np.finfo(np.float32).tiny

    def squared_lengths(vectors: npt.NDArray[np.float32]) -> FloatArray:
        by_part = vectors.reshape(len(vectors), -1, size)
        return np.asarray(np.einsum("npc,npc->np", by_part, by_part, dtype=np.float64))

    stored = squared_lengths(base)
    longest = np.sqrt(stored.max(axis=0))

    def propose(probe: Points) -> tuple[IntArray, FloatArray]:
        queries = probe.vectors(np.float32)
        own = squared_lengths(queries)
        reach = (np.sqrt(own) + longest) ** 2
        least = own - (size + 8) * (2.0**-23 * reach + tiny)
        total = np.zeros((len(probe), len(base)), dtype=np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows has no proof
            for part in range(gallery.parts):
                here = slice(part * size, (part + 1) * size)
                squared = queries[:, here] @ base[:, here].T
                squared *= -2.0
                squared += stored[:, part].astype(np.float32)
                squared += least[:, part, None].astype(np.float32)
                np.maximum(squared, 0.0, out=squared)
                total += np.sqrt(squared, out=squared)
        rows = np.argpartition(total, fetch - 1, axis=1)[:, :fetch]
        last = np.take_along_axis(total, rows[:, -1:], axis=1)[:, 0].astype(np.float64)
        mean = last / gallery.parts * (1.0 - (gallery.parts + 8) * 2.0**-23)
        safe = (reach < FLOAT32_REACH).all(axis=1)
        return rows.astype(np.int64), np.where(safe, mean**2, -np.inf)

    return propose


def _proposer(gallery: Points, fetch: int, backend: Backend) -> _Proposer:
    """Make a gallery ready for FAISS or NumPy.

    Returns:
        A function from (B, D) probes to (B, fetch) gallery rows, and (B,) the squared distance
        below which float32 arithmetic cannot have left a gallery row out.
    """
    gallery = _about_origin(gallery)
    ready = _is_ready(gallery)
    base = gallery.values if ready else gallery.vectors(np.float32)
    dims = base.shape[1]
    kind = "IP" if gallery.metric == "cosine" else "L2"
    lengths = gallery.lengths if ready else np.sqrt(gallery.squared_lengths(base))
    longest = lengths.max()
    if backend == "numpy":
        find = functools.partial(_find, base=base, nearest=kind == "L2")
    elif backend == "faiss-gpu":
        faiss = importlib.import_module("faiss")
        index = getattr(faiss, f"GpuIndexFlat{kind}")(_gpu_resources(), dims)
        index.add(base)
        find = index.search
    else:
        # The function, not an index: an index would hold a second copy of the gallery.
        faiss = importlib.import_module("faiss")
        metric = faiss.METRIC_INNER_PRODUCT if kind == "IP" else faiss.METRIC_L2
        find = functools.partial(faiss.knn, xb=base, metric=metric)

    def propose(probe: Points) -> tuple[IntArray, FloatArray]:
        probe = replace(probe, centre=gallery.centre)
        queries = probe.vectors(np.float32)
        scores, rows = find(queries, k=fetch)
        last = scores[:, -1].astype(np.float64)
        reach = (np.sqrt(probe.squared_lengths(queries)) + longest) ** 2
        least = 2.0 - 2.0 * last if kind == "IP" else last
        least -= (dims + 8) * (2.0**-23 * reach + np.finfo(np.float32).tiny)
        return rows.astype(np.int64), np.where(reach < FLOAT32_REACH, least, -np.inf)

    return propose


def _find(
    queries: npt.NDArray[np.float32], *, base: npt.NDArray[np.float32], nearest: bool, k: int
) -> tuple[npt.NDArray[np.float32], IntArray]:
    """As FAISS's ``knn``: (B, k) squared distances or inner products, the best first, and rows."""
    scores = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.int64)
    own = np.einsum("nd,nd->n", queries, queries)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows has no proof
        for tile in row_blocks(len(base), 1, _TILE_ROWS):
            part = base[tile]
            here = queries @ part.T
            if nearest:
                here *= -2.0
                here += np.einsum("nd,nd->n", part, part)
                here += own
            else:
                np.negative(here, out=here)
            best = _least(here, k)
            scores = np.concatenate([scores, _at(here, best)], axis=1)
            rows = np.concatenate([rows, best + tile.start], axis=1)
            kept = _least(scores, k)
            scores, rows = _at(scores, kept), _at(rows, kept)
    order = np.argsort(scores, axis=1, kind="stable")
    scores, rows = _at(scores, order), _at(rows, order)
    return (scores if nearest else -scores), rows


def _at(values: Any, places: IntArray) -> Any:
    return np.take_along_axis(values, places, axis=1)


def _least(values: npt.NDArray[np.float32], k: int) -> IntArray:
    """(B, min(k, N)) places of the least values of each row."""
    count = min(k, values.shape[1])
    places: IntArray = np.argpartition(values, count - 1, axis=1)[:, :count].astype(np.int64)
    return places


def _about_origin(gallery: Points) -> Points:
    """The gallery without its centre, where the error of a product is not much larger then."""
    if np.linalg.norm(gallery.centre) > gallery.lengths.max() / 2:
        return gallery
    return replace(gallery, centre=np.zeros_like(gallery.centre))


def _is_ready(gallery: Points) -> bool:
    """Whether the values can be searched as they are: a copy costs as much as many probes.

    Lengths that differ from 1 by a float32's rounding change a cosine by less than the bound of
    :func:`_proposer` is wide.
    """
    if gallery.metric == "cosine":
        return gallery.parts == 1 and float(np.abs(gallery.lengths - 1).max()) <= _ROUNDING
    return not gallery.centre.any()


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
