"""What proposes the rows that an exact search confirms: FAISS on the CPU or on GPUs, or NumPy.

A gallery in float16 stays so: on the CPU its tiles are cast as they are searched, on GPUs FAISS
holds and multiplies float16. Several GPUs hold a part of the gallery each.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_info

from protocols.ranking.distances import (
    FLOAT32_REACH,
    FloatArray,
    IntArray,
    Points,
    row_blocks,
)

Device = Literal["auto", "cpu", "gpu"]
Backend = Literal["faiss-gpu", "faiss-cpu", "numpy"]

GPU_LIMIT = 2048
"""Most neighbours of a probe that FAISS returns on a GPU."""

FAISS_NUMBERS = 2**17
"""Numbers of all probes together below which FAISS searches on the CPU without a matrix product,
which takes several times as long (FAISS 1.15)."""

TILE_ROWS = 2048
"""Gallery rows that NumPy searches at once."""

_GPU_TILE_ROWS = 65_536
_CACHE_BYTES = 1 << 20
_ROUNDING = 2.0**-22
_WITHOUT_AVX2 = (
    *("Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Nano", "Sandybridge"),
    *("Opteron", "Opteron_SSE3", "Athlon", "Barcelona", "Bobcat", "Bulldozer", "Piledriver"),
)

Proposer = Callable[[Points], tuple[IntArray, FloatArray]]
"""From (B, D) probes to (B, fetch) gallery rows, the nearest first, and (B, fetch) bounds: neither
that row nor any after it or left out has a smaller squared distance."""

_Vectors = npt.NDArray[np.float32]
_Find = Callable[..., tuple[_Vectors, IntArray]]


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
    faiss = load_faiss()
    usable = (
        faiss is not None and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    )
    if device == "gpu" and not usable:
        raise ValueError(
            "FAISS sees no GPU here for device gpu: install aclnet[gpu] on a machine with one, or "
            "use device cpu."
        )
    too_many = k is not None and k > GPU_LIMIT
    if device == "gpu" and too_many:
        raise ValueError(
            f"FAISS returns at most {GPU_LIMIT} neighbours on a GPU, not {k}: use device cpu or "
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


def load_faiss() -> Any | None:
    """The FAISS module, or None where it is absent or broken."""
    try:
        module = importlib.import_module("faiss")
    except (ImportError, RuntimeError):  # the GPU build raises RuntimeError without its CUDA wheels
        return None
    # Uninstalling faiss-cpu or faiss-gpu where both are installed leaves an empty folder behind.
    return module if hasattr(module, "IndexFlatL2") else None


@functools.cache
def _gpu_resources(card: int = 0) -> Any:
    """One scratch space a process and GPU: each would reserve up to 1.5 GiB of its memory."""
    del card
    return importlib.import_module("faiss").StandardGpuResources()


def part_proposer(gallery: Points, fetch: int) -> Proposer:
    """The same as :func:`proposer` by the mean of the parts' Euclidean distances, in float32.

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
        found = _at(total, rows)
        order = np.argsort(found, axis=1)
        rows, found = _at(rows, order), _at(found, order).astype(np.float64)
        mean = found / gallery.parts * (1.0 - (gallery.parts + 8) * 2.0**-23)
        safe = (reach < FLOAT32_REACH).all(axis=1)
        return rows.astype(np.int64), np.where(safe[:, None], mean**2, -np.inf)

    return propose


def proposer(gallery: Points, fetch: int, backend: Backend) -> Proposer:
    """Make a gallery ready for FAISS or NumPy."""
    gallery = _about_origin(gallery)
    stored = _Stored.of(gallery)
    dims = gallery.values.shape[1]
    inner = gallery.metric == "cosine"
    lost = np.float64(0.0)
    find: _Find
    if backend == "faiss-gpu":
        index, lost = _on_gpus(stored, inner)
        find = index.search
    elif backend == "numpy":
        find = functools.partial(_find, stored=stored, nearest=not inner)
    else:
        # The function, not an index: an index would hold a second copy of the gallery.
        faiss = importlib.import_module("faiss")
        metric = faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2
        find = functools.partial(faiss.knn, xb=stored.whole, metric=metric)

    def propose(probe: Points) -> tuple[IntArray, FloatArray]:
        probe = replace(probe, centre=gallery.centre)
        queries = probe.vectors(np.float32)
        own = np.sqrt(probe.squared_lengths(queries))
        moved: Any = 0.0  # by how much the sides may have moved towards each other in float16
        if backend == "faiss-gpu" and stored.half:
            queries, moved = _halved(queries)
            moved += lost
        scores, rows = find(queries, k=fetch)
        reach = (own + stored.longest + moved) ** 2
        rounding = (dims + 8) * (2.0**-23 * reach + np.finfo(np.float32).tiny)
        found = scores.astype(np.float64)
        if inner:
            least = 2.0 - 2.0 * found - (rounding + 2.0 * moved * (1.0 + moved))[:, None]
        else:
            shorter = np.sqrt(np.maximum(found - rounding[:, None], 0.0)) - np.transpose([moved])
            least = np.maximum(shorter, 0.0) ** 2
        return rows.astype(np.int64), np.where(reach[:, None] < FLOAT32_REACH, least, -np.inf)

    return propose


class _Stored(NamedTuple):
    """A gallery as it is searched.

    Attributes:
        whole: (G, D) float32 vectors; None of a gallery in float16.
        tile: Makes the float32 vectors of some rows.
        longest: The greatest length of a vector.
        half: Whether the gallery is in float16.
        size: (G, D).
    """

    whole: _Vectors | None
    tile: Callable[[slice], _Vectors]
    longest: float
    half: bool
    size: tuple[int, int]

    @classmethod
    def of(cls, gallery: Points) -> _Stored:
        """The values as they are where they can be searched so, else vectors made of them."""
        ready, half = _is_ready(gallery), gallery.values.dtype == np.float16
        size = (len(gallery), gallery.values.shape[1])
        whole: _Vectors | None = None
        if not half:
            whole = gallery.values if ready else gallery.vectors(np.float32)

        def tile(rows: slice) -> _Vectors:
            if whole is not None:
                return whole[rows]
            if ready:
                return gallery.values[rows].astype(np.float32)
            return gallery.take(rows).vectors(np.float32)

        if ready or gallery.metric == "cosine":
            longest = gallery.lengths.max() if ready else 1.0
        else:
            longest = max(
                float(np.sqrt(np.einsum("nd,nd->n", part, part, dtype=np.float64)).max())
                for part in map(tile, row_blocks(size[0], 1, _GPU_TILE_ROWS))
            )
        return cls(whole, tile, float(longest), half, size)


def _halved(vectors: _Vectors) -> tuple[_Vectors, FloatArray]:
    """Vectors (N, D) rounded to float16 and given back in float32, and (N,) how far they moved."""
    rounded, moved = np.empty_like(vectors), np.empty(len(vectors))
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows has no proof
        # Within the cache: fresh memory for each step takes several times the time.
        for rows in row_blocks(len(vectors), 8 * vectors.shape[1], _CACHE_BYTES):
            rounded[rows] = vectors[rows].astype(np.float16)
            apart = (vectors[rows] - rounded[rows]).astype(np.float64)
            moved[rows] = np.einsum("nd,nd->n", apart, apart)
    return rounded, np.sqrt(moved)


def _on_gpus(stored: _Stored, inner: bool) -> tuple[Any, np.float64]:
    """A flat index on all GPUs, each with a part of the gallery.

    Returns:
        The index, and how far a vector may have moved in float16; 0 in float32.
    """
    faiss = importlib.import_module("faiss")
    count, dims = stored.size
    config = faiss.GpuIndexFlatConfig()
    config.useFloat16 = stored.half
    lost = np.float64(0.0)
    parts = []
    for card, rows in enumerate(row_blocks(count, 1, -(-count // faiss.get_num_gpus()))):
        config.device = card
        flat = faiss.GpuIndexFlatIP if inner else faiss.GpuIndexFlatL2
        part = flat(_gpu_resources(card), dims, config)
        for block in row_blocks(rows.stop - rows.start, 1, _GPU_TILE_ROWS):
            vectors = stored.tile(slice(rows.start + block.start, rows.start + block.stop))
            if stored.half:
                lost = np.maximum(lost, _halved(vectors)[1].max())
            part.add(vectors)
        parts.append(part)
    if len(parts) == 1:
        return parts[0], lost
    # In threads, one a GPU; row numbers go on from part to part.
    together = faiss.IndexShards(dims, True, True)
    for part in parts:
        together.add_shard(part)
    return together, lost


def _find(
    queries: _Vectors, *, stored: _Stored, nearest: bool, k: int
) -> tuple[_Vectors, IntArray]:
    """As FAISS's ``knn``: (B, k) squared distances or inner products, the best first, and rows."""
    scores = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.int64)
    left: _Vectors = queries * np.float32(-2.0 if nearest else -1.0)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows has no proof
        for tile in row_blocks(stored.size[0], 1, TILE_ROWS):
            part = stored.tile(tile)
            here: _Vectors = left @ part.T
            if nearest:
                here += np.einsum("nd,nd->n", part, part)
            if scores.shape[1] < k:
                best = _least(here, k)
                better, places = _at(here, best), best
            else:
                better, places = _below(here, scores.max(axis=1))
            scores = np.concatenate([scores, better], axis=1)
            rows = np.concatenate([rows, places + tile.start], axis=1)
            kept = _least(scores, k)
            scores, rows = _at(scores, kept), _at(rows, kept)
        order = np.argsort(scores, axis=1, kind="stable")
        scores, rows = _at(scores, order), _at(rows, order)
        if nearest:
            return scores + np.einsum("nd,nd->n", queries, queries)[:, None], rows
    return -scores, rows


def _below(values: _Vectors, bound: _Vectors) -> tuple[_Vectors, IntArray]:
    """The values of each row below its bound, and their places; filled up by infinities."""
    row, column = np.divmod(np.flatnonzero(values < bound[:, None]), values.shape[1])
    counts = np.bincount(row, minlength=len(values))
    shape = len(values), counts.max(initial=0)
    at = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    found, places = np.full(shape, np.inf, np.float32), np.zeros(shape, np.int64)
    found[row, at], places[row, at] = values[row, column], column
    return found, places


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
    :func:`proposer` is wide.
    """
    if gallery.metric == "cosine":
        return gallery.parts == 1 and float(np.abs(gallery.lengths - 1).max()) <= _ROUNDING
    return not gallery.centre.any()
