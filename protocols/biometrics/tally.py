"""Comparison scores counted by value, which is all that a verification measure needs.

A score says how alike two samples are; higher is more alike. Scores of one person are *genuine*,
of two people *impostor*. Equal scores share one value, so that ties are ties whatever the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray

POOLED = "all"
"""Name of all conditions taken together."""

POOLED_WORDS = "all conditions"
"""What a note calls them."""


def metric_mark(condition: str) -> str:
    """The end of the metric names of a condition: ``/`` and its name, empty for all together."""
    return "" if condition == POOLED else f"/{condition}"


@dataclass(frozen=True, eq=False)
class ScoreTally:
    """Counts of U distinct scores.

    Attributes:
        values: (U,) float64, ascending, distinct.
        genuine: (U,) int64, genuine comparisons of that score.
        impostor: (U,) int64, impostor comparisons of that score.
    """

    values: FloatArray
    genuine: IntArray
    impostor: IntArray

    @property
    def n_genuine(self) -> int:
        """Number of genuine comparisons."""
        return int(self.genuine.sum())

    @property
    def n_impostor(self) -> int:
        """Number of impostor comparisons."""
        return int(self.impostor.sum())

    @property
    def complete(self) -> bool:
        """Whether there are comparisons of both kinds, which an error rate needs."""
        return self.n_genuine > 0 and self.n_impostor > 0


def tally_scores(genuine: npt.ArrayLike, impostor: npt.ArrayLike) -> ScoreTally:
    """Count scores by value.

    Args:
        genuine: (n,) scores of two samples of one person, in any order.
        impostor: (m,) scores of samples of two people.

    Returns:
        The tally.

    Raises:
        ValueError: An array is not one-dimensional and numeric, or a score is not finite.

    >>> tally = tally_scores([0.9, 0.5], [0.5, 0.1, 0.1])
    >>> tally.values.tolist(), tally.genuine.tolist(), tally.impostor.tolist()
    ([0.1, 0.5, 0.9], [0, 1, 1], [2, 1, 0])
    """
    sides = [
        np.unique(_checked(scores, name), return_counts=True)
        for scores, name in ((genuine, "genuine"), (impostor, "impostor"))
    ]
    values = np.union1d(sides[0][0], sides[1][0])
    counts = [np.zeros(len(values), dtype=np.int64) for _ in sides]
    for count, (own, times) in zip(counts, sides, strict=True):
        count[np.searchsorted(values, own)] = times
    return ScoreTally(values.astype(np.float64), counts[0], counts[1])


def merge_tallies(tallies: Sequence[ScoreTally]) -> ScoreTally:
    """Pool several tallies into one."""
    if len(tallies) == 1:
        return tallies[0]
    every = np.concatenate([tally.values for tally in tallies] or [np.empty(0)])
    values, place = np.unique(every, return_inverse=True)
    sums = [
        np.bincount(
            place,
            # Counts stay below 2^53, up to which float64 adds whole numbers exactly.
            weights=np.concatenate([getattr(tally, side) for tally in tallies] or [np.empty(0)]),
            minlength=len(values),
        ).astype(np.int64)
        for side in ("genuine", "impostor")
    ]
    return ScoreTally(values, sums[0], sums[1])


def _checked(scores: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Scores as a vector of finite numbers."""
    array: npt.NDArray[Any] = np.asarray(scores)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiu"):
        raise ValueError(
            f"{name} scores must be a numeric vector, not {array.dtype} of shape {array.shape}."
        )
    broken = np.flatnonzero(~np.isfinite(array.astype(np.float64)))
    if len(broken):
        raise ValueError(
            f"The {name} score at position {broken[0]} is not finite ({len(broken)} in "
            "all): leave these comparisons out."
        )
    # Adding zero makes -0 a 0; np.unique would keep the first of them.
    return array + 0
