"""The distances of some pairs, on the tie grid."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from protocols.ranking.distances import (
    FloatArray,
    IntArray,
    Points,
    row_blocks,
    some_squared,
    squared_between,
)
from protocols.ranking.layout import Layout

_FEW_VALUES = 2**24
_WORKING_BYTES = 4 * 2**20


class ExactPairs:
    """Distances as of the exact ranking, for pairs that a product cannot tell apart.

    Args:
        probe: (P, D) points.
        gallery: (G, D) points of the same metric, in the layout's order.
        layout: The parts of the gallery.
    """

    def __init__(self, probe: Points, gallery: Points, layout: Layout) -> None:
        self._probe, self._gallery, self._layout = probe, gallery, layout

    def squared(
        self, probes: IntArray, place: IntArray, part: IntArray, column: IntArray
    ) -> FloatArray:
        """Squared distances as of the exact ranking of each row's part.

        Args:
            probes: (B,) rows of probes.
            place: (K,) which of them, 0 to B-1.
            part: (K,) parts of the columns.
            column: (K,) columns of the layout.

        Returns:
            (K,) float64.
        """
        squared = np.empty(len(place))
        alike = self._gallery.metric == "cosine" or self._layout.parts == 1
        if alike and self._gallery.values.size <= _FEW_VALUES:
            left = self._probe.take(probes)
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
            left, right = self._probe, self._gallery
            if number is not None:
                rows = np.arange(len(right))[self._layout.columns(number)]
                rows = rows[self._layout.order[rows].argsort()]
                centre = right.values[rows].mean(axis=0, dtype=np.float64)
                left, right = replace(left, centre=centre), replace(right, centre=centre)
            for some in row_blocks(len(chosen), 32 * left.values.shape[1], _WORKING_BYTES):
                now = chosen[some]
                near = left.take(probes[place[now]])
                squared[now] = some_squared(near, right, column[now, None])[:, 0]
        return squared

    @cached_property
    def _vectors(self) -> FloatArray:
        return self._gallery.vectors()

    @cached_property
    def _lengths(self) -> FloatArray:
        return self._gallery.squared_lengths(self._vectors)
