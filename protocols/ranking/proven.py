"""Ranks of mates from one matrix product, where its worst-case error proves them.

A mate's rank is one more than the number of rows that are nearer. A row that is nearer, or farther,
by more than the product can be wrong is so on the tie grid of
:mod:`protocols.ranking.distances` too. So rows are only counted, or their distances only sorted,
without the grid; a probe with a row of another person near one of its mates is not proven, and is
left to the exact ranking.

The best mate's rank is counted in float32; the ranks of all mates, for average precision, are read
from sorted float64 distances whose last bit says whether the row is a mate.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_info, threadpool_limits

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FLOAT32_REACH,
    FloatArray,
    IntArray,
    Points,
    row_blocks,
)
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.layout import Layout
from protocols.ranking.precision import MateRanks, Ties, ranks_to_measures

_GRID = 2.0**-36
_FAR = np.int64(0x7FEF_FFFF_FFFF_FFFF)
_WORKING_BYTES = 32 * 2**20
_TILE_BYTES = 64 * 2**20
_KEPT_BYTES = 2 * 2**30


class FirstMates(NamedTuple):
    """Ranks of the first mates of P probes in S galleries.

    Attributes:
        first: (P, S) int64 rank from 1; 0 where none is within the depth.
        proven: (P, S) whether that is certain.
    """

    first: IntArray
    proven: BoolArray


def first_mates(
    probe: Points, gallery: Points, layout: Layout, depth: int, block_bytes: int = BLOCK_BYTES
) -> FirstMates:
    """Count the rows that are nearer than the nearest mate, in float32.

    Args:
        probe: (P, D) points.
        gallery: (G, D) points of the same metric, in the layout's order.
        layout: Where the mates are.
        depth: The deepest rank wanted.
        block_bytes: Working memory in bytes of each thread, besides the gallery's vectors.
    """
    first = np.zeros((len(probe), layout.parts), np.int64)
    proven = np.zeros((len(probe), layout.parts), np.bool_)

    def count(block: slice, product: _Product) -> None:
        squared, error, safe = product
        if layout.hidden is not None:
            squared[layout.hidden.of(block)] = np.inf
        for part in range(layout.parts):
            here = squared[:, layout.columns(part)]
            place, column = layout.mates_of(block, part)
            best = np.full(len(here), np.inf, np.float32)
            values = squared[place, column]
            np.minimum.at(best, place, values)
            low, high = (best - error)[:, None], (best + error)[:, None]
            others = np.count_nonzero(here <= high, axis=1)
            others -= np.bincount(place[values <= high[place, 0]], minlength=len(here))
            nearer = np.zeros_like(others)
            behind = np.flatnonzero(others)
            nearer[behind] = np.count_nonzero(here[behind] < low[behind], axis=1)
            within = np.isfinite(best) & (nearer < depth)
            first[block, part] = np.where(within, nearer + 1, 0)
            proven[block, part] = ~within | (nearer == others)
        proven[block] &= safe[:, None]

    _each_block(count, probe, gallery, np.float32, block_bytes)
    return FirstMates(first, proven)


class AllMates(NamedTuple):
    """Ranks of all mates of P probes in a gallery.

    Attributes:
        ranks: What follows from them.
        proven: (P,) whether that is certain.
    """

    ranks: MateRanks
    proven: BoolArray


def all_mates(
    probe: Points,
    gallery: Points,
    layout: Layout,
    *,
    ties: Ties = "row",
    skip: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> list[AllMates]:
    """Rank all mates by sorted float64 distances.

    Args:
        probe: (P, D) points.
        gallery: (G, D) points of the same metric, in the layout's order.
        layout: Where the mates are.
        ties: As in :func:`protocols.ranking.precision.rank_mates`.
        skip: As there.
        block_bytes: Working memory in bytes of each thread, besides the gallery's vectors.

    Returns:
        One entry a part of the layout.
    """
    found = [
        AllMates(MateRanks.nobody(len(probe)), np.zeros(len(probe), np.bool_))
        for _ in range(layout.parts)
    ]

    def rank(block: slice, product: _Product) -> None:
        squared, error, safe = product
        # Twice the error, so that all are above zero: their bits then rise as they do.
        squared += 2 * error[:, None] + np.finfo(np.float64).tiny
        keys = squared.view(np.int64)
        keys |= 1
        for part in range(layout.parts):
            keys[layout.mates_of(block, part)] -= 1
        if layout.hidden is not None:
            keys[layout.hidden.of(block)] = _FAR
        count = block.stop - block.start
        for part, (ranks, proven) in enumerate(found):
            here = keys[:, layout.columns(part)]
            here.sort(axis=1)
            own, at, doubtful = _mates_in(here, error, ties)
            measures = ranks_to_measures(own, at + 1, at + 1, count, ties, skip)
            for name, values in measures._asdict().items():
                getattr(ranks, name)[block] = values
            proven[block] = safe & ~doubtful

    _each_block(rank, probe, gallery, np.float64, block_bytes)
    return found


def _mates_in(
    keys: IntArray, error: FloatArray, ties: Ties
) -> tuple[IntArray, IntArray, BoolArray]:
    """The mates in sorted rows of keys (B, N), by row and rank.

    Returns:
        (K,) rows and (K,) places of the mates, and (B,) whether a row has another person's too near
        to one of them, or by grouped ties another mate.
    """
    width = keys.shape[1]
    doubtful = np.zeros(len(keys), np.bool_)
    flat = keys.reshape(-1)
    at = np.flatnonzero((flat & 1) == 0)
    row = at // max(width, 1)
    place = at - row * width
    values, near = flat.view(np.float64), error[row]
    for step, inside in ((-1, place > 0), (1, place < width - 1)):
        mate, other = at[inside], at[inside] + step
        close = np.abs(values[mate] - values[other]) <= near[inside]
        if ties == "row":
            close &= (flat[other] & 1) == 1
        doubtful[row[inside][close]] = True
    return row, place, doubtful


class _Product(NamedTuple):
    """What is known of the distances of B probes to the gallery without the grid.

    Attributes:
        squared: (B, G) squared distances.
        error: (B,) by how much two of them must differ to differ on the grid too.
        safe: (B,) whether no sum can overflow.
    """

    squared: npt.NDArray[Any]
    error: npt.NDArray[Any]
    safe: BoolArray


def _each_block(
    work: Callable[[slice, _Product], None],
    probe: Points,
    gallery: Points,
    dtype: type[np.floating[Any]],
    block_bytes: int,
) -> None:
    """Work on blocks of probes, in as many threads as a matrix product would take."""
    row_bytes = 2 * np.dtype(dtype).itemsize * len(gallery)
    budget = min(block_bytes, max(_WORKING_BYTES, 32 * row_bytes))
    blocks = list(row_blocks(len(probe), row_bytes, budget))
    right = Right(gallery, dtype, len(blocks))

    def one(block: slice) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not proven
            work(block, right.product(probe.take(block)))

    threads = _blas_threads() if len(blocks) > 1 else 1
    if threads == 1:
        for block in blocks:
            one(block)
        return
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, blocks))


def _blas_threads() -> int:
    """Threads of NumPy's matrix product, as its library and the environment set them."""
    found = [entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"]
    return max(found, default=1)


class Right:
    """The gallery's side of the products, kept if several blocks of probes need it."""

    def __init__(self, gallery: Points, dtype: type[np.floating[Any]], blocks: int) -> None:
        self._gallery, self._dtype = gallery, dtype
        shape = (len(gallery), gallery.values.shape[1] + 2)
        row_bytes = np.dtype(dtype).itemsize * shape[1]
        self._tiles = list(row_blocks(len(gallery), row_bytes, _TILE_BYTES))
        self._kept: npt.NDArray[Any] | None = None
        if blocks > 1 and len(gallery) * row_bytes <= _KEPT_BYTES:
            self._kept = np.empty(shape, dtype)
            with np.errstate(over="ignore"):
                for tile in self._tiles:
                    self._kept[tile] = self._tile(tile)
        self.longest = max(
            float(np.sqrt(part.squared_lengths(part.vectors())).max())
            for part in map(gallery.take, self._tiles)
        )

    def product(self, probe: Points) -> _Product:
        """The distances of B probes."""
        left = probe.vectors(self._dtype)
        lengths = probe.squared_lengths(left)
        reach = (np.sqrt(lengths) + self.longest) ** 2
        about = np.finfo(self._dtype)
        # Sums and roundings of D + 8 terms at most, each by half of eps; twice, for two distances.
        terms = left.shape[1] + 8
        error = terms * (float(about.eps) * reach + 2 * float(about.tiny))
        ones = np.ones((len(left), 1), self._dtype)
        both = np.concatenate([-2 * left, lengths[:, None].astype(self._dtype), ones], axis=1)
        # The exact ranking of a part is about the part's own mean, which is within ``longest`` of
        # this centre: (|a| + |b|)^2 is there at most 9 times the reach, |a|^2 + |b|^2 5 times. Two
        # roundings to the grid are thus below 2^-36 of the reach, two sums in float64 below 2^-48
        # a term.
        error = (error + (_GRID + terms * 2.0**-48) * reach).astype(self._dtype)
        return _Product(self._times(both), error, reach < FLOAT32_REACH)

    def _times(self, left: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(B, G) products of (B, D + 2) rows."""
        if self._kept is not None:
            return np.asarray(left @ self._kept.T)
        result = np.empty((len(left), len(self._gallery)), self._dtype)
        for tile in self._tiles:
            np.matmul(left, self._tile(tile).T, out=result[:, tile])
        return result

    def _tile(self, rows: slice) -> npt.NDArray[Any]:
        """(R, D + 2) vectors, then 1 and the squared length."""
        part = self._gallery.take(rows)
        vectors = part.vectors(self._dtype)
        lengths = part.squared_lengths(vectors).astype(self._dtype)
        ones = np.ones((len(vectors), 1), self._dtype)
        return np.concatenate([vectors, ones, lengths[:, None]], axis=1)
