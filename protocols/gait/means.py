"""Means of a gait table: over the other gallery views, over probe views, over conditions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.intervals import ratio


def mean_over_views(
    cells: FloatArray, same_view: BoolArray, empty: str
) -> tuple[FloatArray, FloatArray]:
    """Average cells over the other gallery views, then over probe views.

    Args:
        cells: (..., P, G) rates, NaN where a cell does not exist.
        same_view: (P, G) identical views, left out.
        empty: ``skip`` averages over the cells that exist; ``spread`` lets NaN through.

    Returns:
        (..., P) and (...) means.
    """
    by_probe = mean_of(cells, empty, ~same_view)
    return by_probe, mean_of(by_probe, empty)


def mean_of(values: FloatArray, empty: str, counted: npt.ArrayLike = True) -> FloatArray:
    """Mean over the last axis of the counted values; NaN where nothing is left."""
    used = np.broadcast_to(np.asarray(counted, dtype=np.bool_), values.shape)
    if empty == "skip":
        used = used & np.isfinite(values)
    return ratio(np.where(used, values, 0.0).sum(axis=-1), used.sum(axis=-1))
