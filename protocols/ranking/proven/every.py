"""The ranks of all mates, from which average precision follows.

A mate's rank is that among the mates and the number of other people's rows that are nearer. In a
large gallery these are counted in float32: a bucket a distance, and the running sum of the buckets.
Only the rows in the buckets about a mate need be looked at, and only those that float32 cannot tell
from it be measured again. What is tied so often that this is slow, and small galleries, are sorted
in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import BLOCK_BYTES, FloatArray, IntArray, Points, row_blocks
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.layout import Layout, spread_runs
from protocols.ranking.precision import MateRanks, Ties, ranks_to_measures
from protocols.ranking.proven.pairs import ExactPairs
from protocols.ranking.proven.product import Product, each_block

_FAR = np.int64(0x7FEF_FFFF_FFFF_FFFF)
_SORTED_BYTES = 8 * 2**20
_COUNTED_BYTES = 8 * 2**20
_FEWEST_COUNTED = 4096  # rows a part; fewer are sorted as fast
_MOST_BUCKETS = 2**13
# Rows near to a mate, and those that float32 cannot tell from it, as shares of all rows; one counts
# for each such mate. With more it is faster to sort.
_MOST_CLOSE = 1 / 4
_MOST_TIED = 1 / 128
_SAMPLE = 64


class AllMates(NamedTuple):
    """Ranks of all mates of P probes in a gallery.

    Attributes:
        ranks: What follows from them.
        proven: (P,) whether that is certain.
    """

    ranks: MateRanks
    proven: BoolArray

    @classmethod
    def nobody(cls, count: int) -> AllMates:
        """Nothing known of any probe, to be filled in."""
        return cls(MateRanks.nobody(count), np.zeros(count, np.bool_))

    def fill(self, probes: slice | IntArray, found: AllMates) -> None:
        """Put in what was found of some probes."""
        for name, values in found.ranks._asdict().items():
            getattr(self.ranks, name)[probes] = values
        self.proven[probes] = found.proven


def all_mates(
    probe: Points,
    gallery: Points,
    layout: Layout,
    *,
    ties: Ties = "row",
    skip: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> list[AllMates]:
    """Rank all mates, by counting or sorting.

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
    found = [AllMates.nobody(len(probe)) for _ in range(layout.parts)]
    many = len(gallery) >= _FEWEST_COUNTED * layout.parts and len(probe) > _SAMPLE
    if ties == "row" and many:
        some = np.linspace(0, len(probe) - 1, _SAMPLE, dtype=np.int64)
        tried = Counting(probe.take(some), gallery, layout.take(some), skip).all(block_bytes)
        if np.mean([part.proven for part in tried]) >= 0.5:
            found = Counting(probe, gallery, layout, skip).all(block_bytes)
    open_rows = np.flatnonzero(~np.all([part.proven for part in found], axis=0))
    if len(open_rows):
        rest = _sorted(
            probe.take(open_rows), gallery, layout.take(open_rows), ties, skip, block_bytes
        )
        for whole, part in zip(found, rest, strict=True):
            whole.fill(open_rows, part)
    return found


class Counting:
    """Ranks counted in float32, with the rows near to a mate put in order on the tie grid."""

    def __init__(self, probe: Points, gallery: Points, layout: Layout, skip: int = 0) -> None:
        self.probe, self.gallery, self.layout, self.skip = probe, gallery, layout, skip
        self.pairs = ExactPairs(probe, gallery, layout)
        widest = int(np.diff(layout.bounds).max())
        self.buckets = min(_MOST_BUCKETS, 1 << max(3, widest.bit_length()))

    def all(self, block_bytes: int) -> list[AllMates]:
        """Rank the mates of all probes, by part."""
        found = [AllMates.nobody(len(self.probe)) for _ in range(self.layout.parts)]

        def count(block: slice, product: Product) -> None:
            row_bytes = 8 * (len(self.gallery) + self.buckets)
            for rows in row_blocks(len(product.error), row_bytes, _COUNTED_BYTES):
                here = slice(block.start + rows.start, block.start + rows.stop)
                for whole, part in zip(found, self._some(here, product.rows(rows)), strict=True):
                    whole.fill(here, part)

        each_block(count, self.probe, self.gallery, np.float32, block_bytes)
        return found

    def _some(self, block: slice, product: Product) -> list[AllMates]:
        """The same of a few probes, whose distances are overwritten."""
        squared, count = product.squared, block.stop - block.start
        scale = self._scale(product)
        safe = np.isfinite(scale)
        if self.layout.hidden is not None:
            squared[self.layout.hidden.of(block)] = np.inf
        found = []
        for part in range(self.layout.parts):
            probe, column = self.layout.mates_of(block, part)
            value = squared[probe, column]
            squared[probe, column] = np.inf  # so that the others are left
            seen = np.flatnonzero(np.isfinite(value) & safe[probe])
            own = _Rows(probe[seen], column[seen], value[seen])
            nearer, crowded = self._count(block, part, product, scale, own)
            # The mates of a probe come in the order of their ranks, whoever they are.
            nearer += own.probe * len(self.gallery)
            nearer.sort()
            nearer -= own.probe * len(self.gallery)
            total = np.bincount(own.probe, minlength=count)
            rank = nearer + np.arange(1, len(nearer) + 1) - (np.cumsum(total) - total)[own.probe]
            ranks = ranks_to_measures(own.probe, rank, rank, count, "row", self.skip)
            found.append(AllMates(ranks, safe & ~crowded))
        return found

    def _scale(self, product: Product) -> npt.NDArray[np.float32]:
        """(B,) buckets a distance of 1, infinite where there is no counting.

        They are powers of two, which round nothing, and an error is at most half a bucket.
        """
        safe = product.safe & (product.reach > np.finfo(np.float32).tiny)
        reach, error = (np.where(safe, one, 1.0) for one in (product.reach, product.error))
        finest = np.minimum((self.buckets - 2) / reach, 0.5 / error)
        scale = np.exp2(np.floor(np.log2(finest))).astype(np.float32)
        return np.where(safe, scale, np.float32(np.inf))

    def _count(
        self,
        block: slice,
        part: int,
        product: Product,
        scale: npt.NDArray[np.float32],
        own: _Rows,
    ) -> tuple[IntArray, BoolArray]:
        """How many rows of other people are nearer than each mate.

        Returns:
            (K,) counts, and (B,) of which probes too much is tied to tell.
        """
        count, columns = len(scale), self.layout.columns(part)
        squared, error = product.squared[:, columns], product.error
        flat, width = squared.reshape(-1), squared.shape[1]

        def bucket(probe: IntArray, value: npt.NDArray[np.float32]) -> IntArray:
            place = np.maximum((value + np.float32(product.shift)) * scale[probe], 0)
            return np.asarray(probe * self.buckets + place.astype(np.int64))

        farthest = np.full(count, -np.inf, np.float32)
        np.maximum.at(farthest, own.probe, own.value)
        cells = np.flatnonzero(squared <= (farthest + error)[:, None])
        ends = np.searchsorted(cells, width * np.arange(1, count + 1))
        probe = np.repeat(np.arange(count), np.diff(ends, prepend=0))
        place = bucket(probe, flat.take(cells))
        before = np.zeros(count * self.buckets + 1, np.int64)
        np.cumsum(np.bincount(place, minlength=len(before) - 1), out=before[1:])
        low = bucket(own.probe, own.value - error[own.probe])
        high = bucket(own.probe, own.value + error[own.probe])  # the same, or the next one
        nearer = before.take(low) - before.take(own.probe * self.buckets)
        close = before.take(high + 1) - before.take(low)
        crowded = np.bincount(own.probe, close, count) > _MOST_CLOSE * width
        some = np.flatnonzero((close > 0) & ~crowded[own.probe])
        marked = np.zeros(count * self.buckets, np.bool_)
        marked[low[some]] = marked[high[some]] = True
        at = np.flatnonzero(marked.take(place))
        at = at[np.argsort(place[at], kind="stable")]
        mate, other = spread_runs(np.searchsorted(place[at], low[some]), close[some])
        mate, other = some[mate], cells[at[other]]
        gap = flat.take(other) - own.value[mate]
        reach = error[own.probe[mate]]
        ahead = gap < -reach
        near = np.flatnonzero(np.abs(gap) <= reach)
        crowded |= np.bincount(own.probe[mate[near]], minlength=count) > _MOST_TIED * width
        near = near[~crowded[own.probe[mate[near]]]]
        ahead[near] = self._goes_before(block, part, own, mate[near], other[near] % width)
        return nearer + np.bincount(mate[ahead], minlength=len(nearer)), crowded

    def _goes_before(
        self, block: slice, part: int, own: _Rows, mate: IntArray, other: IntArray
    ) -> BoolArray:
        """(K,) whether rows, given by their columns in the part, go before mates of a probe."""
        other = other + self.layout.columns(part).start
        probe, column = own.probe[mate], own.column[mate]
        # Each pair of a probe and a row is measured once.
        size = len(self.gallery)
        pairs = np.concatenate([probe * size + other, probe * size + column])
        pair, again = np.unique(pairs, return_inverse=True)
        row, place = np.divmod(pair, size)
        probes = np.arange(block.start, block.stop)
        squared = self.pairs.squared(probes, row, np.full(len(row), part), place)[again]
        theirs, mine = squared[: len(mate)], squared[len(mate) :]
        order = self.layout.order
        ahead: BoolArray = (theirs < mine) | ((theirs == mine) & (order[other] < order[column]))
        return ahead


class _Rows(NamedTuple):
    """Rows of the gallery, each of a probe.

    Attributes:
        probe: (K,) places of the probes in the block, rising.
        column: (K,) columns of the layout.
        value: (K,) float32 squared distances as of the product.
    """

    probe: IntArray
    column: IntArray
    value: npt.NDArray[np.float32]


def _sorted(
    probe: Points, gallery: Points, layout: Layout, ties: Ties, skip: int, block_bytes: int
) -> list[AllMates]:
    """Ranks by sorted float64 distances, whose last bit says whether a row is a mate.

    A probe with a row of another person near to one of its mates is not proven.
    """
    found = [AllMates.nobody(len(probe)) for _ in range(layout.parts)]

    def rank(block: slice, product: Product) -> None:
        for rows in row_blocks(len(product.error), 8 * len(gallery), _SORTED_BYTES):
            here = slice(block.start + rows.start, block.start + rows.stop)
            rank_some(here, product.rows(rows))

    def rank_some(block: slice, product: Product) -> None:
        squared, error = product.squared, product.error
        # Twice the error, so that all are above zero: their bits then rise as they do.
        squared += product.shift + 2 * error[:, None] + np.finfo(np.float64).tiny
        keys = squared.view(np.int64)
        keys |= 1
        for part in range(layout.parts):
            keys[layout.mates_of(block, part)] -= 1
        if layout.hidden is not None:
            keys[layout.hidden.of(block)] = _FAR
        count = block.stop - block.start
        for part, whole in enumerate(found):
            here = keys[:, layout.columns(part)]
            here.sort(axis=1)
            own, at, doubtful = _mates_in(here, error, ties)
            measures = ranks_to_measures(own, at + 1, at + 1, count, ties, skip)
            whole.fill(block, AllMates(measures, product.safe & ~doubtful))

    each_block(rank, probe, gallery, np.float64, block_bytes)
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
