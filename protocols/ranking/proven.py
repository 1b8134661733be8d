"""Ranks of mates from one matrix product, where its worst-case error proves them.

A mate's rank is one more than the number of rows that are nearer. A row that is nearer, or farther,
by more than the product can be wrong is so on the tie grid of
:mod:`protocols.ranking.distances` too. So rows are only counted, or their distances only sorted,
without the grid.

The best mate's rank is counted in float32, and the few rows too near to it are put in order on the
grid. The ranks of all mates, for average precision, are read from sorted float64 distances whose
last bit says whether the row is a mate; a probe with a row of another person near one of them is
not proven, and is left to the exact ranking.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController, threadpool_limits

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FLOAT32_REACH,
    FloatArray,
    IntArray,
    Points,
    row_blocks,
    some_squared,
    squared_between,
)
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.layout import Layout
from protocols.ranking.precision import MateRanks, Ties, ranks_to_measures

_GRID = 2.0**-36
_FAR = np.int64(0x7FEF_FFFF_FFFF_FFFF)
_WORKING_BYTES = 4 * 2**20
_TILE_BYTES = 64 * 2**20
_KEPT_BYTES = 2 * 2**30
_SORTED_BYTES = 8 * 2**20
_MOST_NEAR = 16
_FEWEST_ROWS = 128  # fewer make the product slow
_FEW_VALUES = 2**22


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
    ties = _NearTies(probe, gallery, layout)

    def count(block: slice, product: _Product) -> None:
        squared, error, safe = product
        if layout.hidden is not None:
            squared[layout.hidden.of(block)] = np.inf
        mates = layout.all_mates_of(block)
        flat = squared.reshape(-1)
        values = flat[mates.at]
        flat[mates.at] = np.inf  # so that the others are left
        best = mates.least(values)
        low, high = best - error[:, None], best + error[:, None]
        other = np.minimum.reduceat(squared, layout.bounds[:-1], axis=1)
        there = np.isfinite(best)
        nearer = (other < low).astype(np.int64)
        certain = ~there | (other > high) | (nearer >= depth)
        open_rows = ~certain.all(axis=1)
        if open_rows.any():
            few = 4 * np.count_nonzero(open_rows) < len(open_rows)
            rows = np.flatnonzero(open_rows) if few else np.arange(len(open_rows))
            probes = rows + block.start
            some, low, high = squared[rows] if few else squared, low[rows], high[rows]
            before = some < layout.spread(low)
            nearer[rows] = layout.count(before)
            certain[rows] |= nearer[rows] >= depth
            high[certain[rows]] = -np.inf
            near = np.flatnonzero((some <= layout.spread(high)) > before)
            # Where nearly all are tied, the exact ranking is faster.
            if len(near) <= _MOST_NEAR * certain.size:
                if few:
                    values = values[open_rows[mates.pair // layout.parts]]
                    mates = layout.all_mates_of(probes)
                close = values <= high.reshape(-1)[mates.pair]
                nearer[rows] += ties.before_first_mate(probes, near, mates.at[close])
                certain[rows] = True
        first[block] = np.where(there & (nearer < depth), nearer + 1, 0)
        proven[block] = certain & safe[:, None]

    _each_block(count, probe, gallery, np.float32, block_bytes)
    return FirstMates(first, proven)


class _NearTies:
    """Rows too near to a best mate for float32, put in order on the tie grid."""

    def __init__(self, probe: Points, gallery: Points, layout: Layout) -> None:
        self.probe, self.gallery, self.layout = probe, gallery, layout

    def before_first_mate(self, probes: IntArray, others: IntArray, mates: IntArray) -> IntArray:
        """Count the others that go before the first mate.

        Args:
            probes: (B,) rows of the probes.
            others: Rows near their best mates, as places in the flat (B, G) distances.
            mates: The same of the mates, those among the nearest at least.

        Returns:
            (B, S) int64; 0 where there are no others.
        """
        shape = len(probes), self.layout.parts
        size = math.prod(shape)
        place, part, column = self._places(others)
        open_pairs = np.zeros(size, np.bool_)
        open_pairs[place * self.layout.parts + part] = True
        cut = len(place)  # from there on mates, by pair
        both = zip((place, part, column), self._places(mates, open_pairs), strict=True)
        place, part, column = (np.concatenate(each) for each in both)
        squared = self._squared(probes, place, part, column)
        row, pair = self.layout.order[column], place * self.layout.parts + part
        own, mate_squared = pair[cut:], squared[cut:]
        start = np.flatnonzero(np.diff(own, prepend=-1))
        best, best_row = np.full(size, np.inf), np.zeros(size, np.int64)
        best[own[start]] = np.minimum.reduceat(mate_squared, start)
        tied = np.where(mate_squared == best[own], row[cut:], len(self.gallery))
        best_row[own[start]] = np.minimum.reduceat(tied, start)
        own, squared, row = pair[:cut], squared[:cut], row[:cut]
        ahead = (squared < best[own]) | ((squared == best[own]) & (row < best_row[own]))
        return np.bincount(own[ahead], minlength=size).reshape(shape)

    def _places(
        self, at: IntArray, pairs: BoolArray | None = None
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Places in the block, parts and columns; of some pairs of probes and parts alone."""
        place, column = np.divmod(at, len(self.gallery))
        part = self.layout.part_of[column]
        if pairs is None:
            return place, part, column
        chosen = pairs[place * self.layout.parts + part]
        return place[chosen], part[chosen], column[chosen]

    def _squared(
        self, probes: IntArray, place: IntArray, part: IntArray, column: IntArray
    ) -> FloatArray:
        """Squared distances as of the exact ranking of each row's part."""
        squared = np.empty(len(place))
        alike = self.gallery.metric == "cosine" or self.layout.parts == 1
        if alike and self.gallery.values.size <= _FEW_VALUES:
            left = self.probe.take(probes)
            vectors = left.vectors()
            lengths = left.squared_lengths(vectors)
            for some in row_blocks(len(place), 16 * vectors.shape[1], _WORKING_BYTES):
                rows, columns = place[some], column[some]
                squared[some] = squared_between(
                    (vectors[rows], self._vectors[columns]), lengths[rows] + self._lengths[columns]
                )
            return squared
        for number in [None] if alike else np.unique(part).tolist():
            chosen = np.arange(len(part)) if number is None else np.flatnonzero(part == number)
            left, right = self.probe, self.gallery
            if number is not None:
                rows = np.arange(len(right))[self.layout.columns(number)]
                rows = rows[self.layout.order[rows].argsort()]
                centre = right.values[rows].mean(axis=0, dtype=np.float64)
                left, right = replace(left, centre=centre), replace(right, centre=centre)
            for some in row_blocks(len(chosen), 32 * left.values.shape[1], _WORKING_BYTES):
                now = chosen[some]
                near = left.take(probes[place[now]])
                squared[now] = some_squared(near, right, column[now, None])[:, 0]
        return squared

    @cached_property
    def _vectors(self) -> FloatArray:
        return self.gallery.vectors()

    @cached_property
    def _lengths(self) -> FloatArray:
        return self.gallery.squared_lengths(self._vectors)


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
        for rows in row_blocks(len(product.error), 8 * len(gallery), _SORTED_BYTES):
            here = slice(block.start + rows.start, block.start + rows.stop)
            rank_some(here, _Product(*(values[rows] for values in product)))

    def rank_some(block: slice, product: _Product) -> None:
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
    working = _WORKING_BYTES if dtype is np.float32 else 4 * _WORKING_BYTES
    budget = min(block_bytes, max(working, _FEWEST_ROWS * row_bytes))
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
    return max((entry["num_threads"] for entry in _blas().info()), default=1)


@cache
def _blas() -> ThreadpoolController:
    """The libraries of matrix products, which take a millisecond to find."""
    return ThreadpoolController().select(user_api="blas")


class Right:
    """The gallery's side of the products, kept if several blocks of probes need it."""

    def __init__(self, gallery: Points, dtype: type[np.floating[Any]], blocks: int) -> None:
        self._gallery, self._dtype = gallery, dtype
        shape = (len(gallery), gallery.values.shape[1] + 2)
        row_bytes = np.dtype(dtype).itemsize * shape[1]
        self._tiles = list(row_blocks(len(gallery), row_bytes, _TILE_BYTES))
        self._kept: npt.NDArray[Any] | None = None
        self._own = threading.local()
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
        # Each thread uses its memory again: fresh memory costs a fifth of the product.
        if not hasattr(self._own, "products"):
            self._own.products = np.empty((len(left), len(self._gallery)), self._dtype)
        result: npt.NDArray[Any] = self._own.products[: len(left)]
        if self._kept is not None:
            return np.matmul(left, self._kept.T, out=result)
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
