"""The rank of the first mate, counted in float32."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from protocols.ranking.distances import BLOCK_BYTES, IntArray, Points
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.layout import Layout
from protocols.ranking.proven.pairs import ExactPairs
from protocols.ranking.proven.product import Product, each_block

_MOST_NEAR = 16


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

    def count(block: slice, product: Product) -> None:
        squared, error = product.squared, product.error
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
        proven[block] = certain & product.safe[:, None]

    each_block(count, probe, gallery, np.float32, block_bytes)
    return FirstMates(first, proven)


class _NearTies:
    """Rows too near to a best mate for float32, put in order on the tie grid."""

    def __init__(self, probe: Points, gallery: Points, layout: Layout) -> None:
        self.layout = layout
        self._pairs = ExactPairs(probe, gallery, layout)

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
        squared = self._pairs.squared(probes, place, part, column)
        row, pair = self.layout.order[column], place * self.layout.parts + part
        own, mate_squared = pair[cut:], squared[cut:]
        start = np.flatnonzero(np.diff(own, prepend=-1))
        best, best_row = np.full(size, np.inf), np.zeros(size, np.int64)
        best[own[start]] = np.minimum.reduceat(mate_squared, start)
        tied = np.where(mate_squared == best[own], row[cut:], len(self.layout.order))
        best_row[own[start]] = np.minimum.reduceat(tied, start)
        own, squared, row = pair[:cut], squared[:cut], row[:cut]
        ahead = (squared < best[own]) | ((squared == best[own]) & (row < best_row[own]))
        return np.bincount(own[ahead], minlength=size).reshape(shape)

    def _places(
        self, at: IntArray, pairs: BoolArray | None = None
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Places in the block, parts and columns; of some pairs of probes and parts alone."""
        place, column = np.divmod(at, len(self.layout.order))
        part = self.layout.part_of[column]
        if pairs is None:
            return place, part, column
        chosen = pairs[place * self.layout.parts + part]
        return place[chosen], part[chosen], column[chosen]
