"""Resampled verification rates, where everybody is compared with everybody.

An impostor comparison involves two people, and both of them make it hard or easy. Where the same
people are on both sides, resampling only the probes would make the interval of FMR about half as
wide as it should be. Therefore people are drawn with replacement, and a comparison counts as often
as its probe's person was drawn times its gallery person (the vertex bootstrap: Snijders and
Borgatti, Connections 22, 1999; for biometrics Bolle et al., CVIU 93, 2004); a genuine comparison
counts as often as its one person. Beyond 100 people whole groups of people are drawn, so that the
tables stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.biometrics.scores import Comparisons
from protocols.biometrics.tally import ScoreTally
from protocols.biometrics.verification import error_curve
from protocols.ranking.distances import FloatArray, IntArray

MOST_UNITS = 100
"""People beyond which groups of people are resampled."""

_DRAWS_A_CHUNK, _GRID_POINTS = 64, 64


@dataclass(frozen=True, eq=False)
class PeopleErrors:
    """Errors by people, at T thresholds, in C cells; U people (or groups of people).

    Attributes:
        thresholds: (T,) ascending.
        genuine: (C, U) genuine comparisons.
        missed: (C, U, T) genuine comparisons below each threshold.
        impostor: (C, U, U) impostor comparisons, probe's person first.
        matched: (C, U, U, T) impostor comparisons at or above each threshold.
    """

    thresholds: FloatArray
    genuine: IntArray
    missed: IntArray
    impostor: IntArray
    matched: IntArray

    def pooled(self, cells: Sequence[int]) -> PeopleErrors:
        """Some cells taken as one, with C = 1."""
        chosen = list(cells)
        parts = (self.genuine, self.missed, self.impostor, self.matched)
        sums = (part[chosen].sum(axis=0, keepdims=True) for part in parts)
        return PeopleErrors(self.thresholds, *sums)

    def resampled(
        self, generator: np.random.Generator, draws: int
    ) -> tuple[FloatArray, FloatArray]:
        """Draw people, in the first cell.

        Args:
            generator: Draws them.
            draws: How often, B.

        Returns:
            (B, T) FMR and (B, T) FNMR; NaN where a draw has no comparison.
        """
        fmr, fnmr = [], []
        table = self.matched[0].astype(np.float64)
        units, steps = table.shape[1:]
        for start in range(0, draws, _DRAWS_A_CHUNK):
            size = min(_DRAWS_A_CHUNK, draws - start)
            weights = generator.multinomial(units, np.full(units, 1.0 / units), size=size)
            weights = weights.astype(np.float64)
            genuine, missed = weights @ self.genuine[0], weights @ self.missed[0]
            impostor = np.sum((weights @ self.impostor[0]) * weights, axis=1)
            # The product runs over the probe's person, the sum over the other.
            half = (weights @ table.reshape(units, -1)).reshape(size, units, steps)
            matched = np.einsum("but,bu->bt", half, weights)
            with np.errstate(divide="ignore", invalid="ignore"):
                fnmr.append(missed / genuine[:, None])
                fmr.append(matched / impostor[:, None])
        return np.concatenate(fmr), np.concatenate(fnmr)


def count_people(
    comparisons: Comparisons, cell: IntArray, cells: int, thresholds: npt.ArrayLike
) -> PeopleErrors:
    """Count errors by people at fixed thresholds.

    Args:
        comparisons: Probes and gallery.
        cell: (P,) cell of each probe, 0 to ``cells`` - 1.
        cells: Number of cells.
        thresholds: (T,) thresholds, any order; repeated ones are dropped.

    Returns:
        The counts.
    """
    steps = np.unique(np.asarray(thresholds, dtype=np.float64))
    own, enrolled, units = people_units(comparisons)
    bins = len(steps) + 1
    genuine = np.zeros((cells, units, bins), dtype=np.int64)
    impostor = np.zeros((cells, units, units, bins), dtype=np.int64)
    for block, scores in comparisons.blocks():
        # How many thresholds a score reaches: at most that many accept it.
        reached = np.searchsorted(steps, scores.astype(np.float64), side="right")
        made = ~np.isnan(scores)
        same = comparisons.own[block, None] == comparisons.enrolled
        rows, local = np.unique(cell[block] * units + own[block], return_inverse=True)
        picked = (local[:, None] * bins + reached)[same & made]
        found = np.bincount(picked, minlength=len(rows) * bins).reshape(-1, bins)
        genuine.reshape(-1, bins)[rows] += found
        place = (local[:, None] * units + enrolled) * bins + reached
        counted = np.bincount(place[~same & made], minlength=len(rows) * units * bins)
        impostor.reshape(-1, units, bins)[rows] += counted.reshape(-1, units, bins)
    backwards = impostor[..., ::-1]
    passed = np.cumsum(backwards, axis=-1, out=backwards)[..., ::-1]
    below = np.cumsum(genuine, axis=-1)
    matched = np.ascontiguousarray(passed[..., 1:])
    return PeopleErrors(steps, below[..., -1], below[..., :-1], passed[..., 0], matched)


def people_units(comparisons: Comparisons) -> tuple[IntArray, IntArray, int]:
    """The number of each probe's and each gallery sample's person, or group of people.

    Returns:
        (P,), (G,) and how many there are.
    """
    known, codes = np.unique(
        np.concatenate([comparisons.own, comparisons.enrolled]), return_inverse=True
    )
    units = min(len(known), MOST_UNITS)
    numbers = codes.astype(np.int64) % units
    count = len(comparisons.own)
    return numbers[:count], numbers[count:], units


def threshold_grid(tallies: Sequence[ScoreTally], least_fmr: float) -> FloatArray:
    """Thresholds between which resampled curves are interpolated.

    For each tally, three in five lie where its FMR falls in equal steps of its logarithm, from 1/2
    to ``least_fmr``, the others where its FNMR rises in equal steps.

    Args:
        tallies: Complete tallies.
        least_fmr: The lowest FMR of interest, above 0.

    Returns:
        Ascending thresholds, all finite.
    """
    found: list[FloatArray] = []
    for tally in tallies:
        curve = error_curve(tally)
        lowest = min(max(least_fmr, 1.0 / curve.impostor), 0.5)
        rates = np.geomspace(0.5, lowest, _GRID_POINTS * 3 // 5)
        # FMR falls, and searchsorted needs rising values.
        places = len(curve.fmr) - np.searchsorted(curve.fmr[::-1], rates, side="right")
        misses = np.searchsorted(curve.fnmr, np.linspace(0.0, 0.98, _GRID_POINTS - len(rates)))
        chosen = np.concatenate([places, misses]).clip(0, len(curve.threshold) - 1)
        found.append(curve.threshold[chosen])
    every = np.unique(np.concatenate(found)) if found else np.empty(0)
    return every[np.isfinite(every)]


def crossing_rates(fmr: FloatArray, fnmr: FloatArray) -> FloatArray:
    """(B,) rate at which both curves cross, interpolated; NaN where they do not.

    Args:
        fmr: (B, T) non-increasing.
        fnmr: (B, T) non-decreasing.
    """
    gap = fmr - fnmr
    after = np.argmax(gap <= 0, axis=1)
    row = np.arange(len(gap))
    before = np.maximum(after - 1, 0)
    high, low = gap[row, before], gap[row, after]
    share = np.divide(high, high - low, out=np.zeros(len(gap)), where=high > low)
    rate = fmr[row, before] + share * (fmr[row, after] - fmr[row, before])
    return np.where((gap <= 0).any(axis=1) & (gap >= 0).any(axis=1), rate, np.nan)


def fnmr_at(fmr: FloatArray, fnmr: FloatArray, target: float, least: float) -> FloatArray:
    """(B,) FNMR at an FMR of ``target``, between thresholds linear in the logarithm of FMR.

    Args:
        fmr: (B, T) non-increasing.
        fnmr: (B, T) non-decreasing.
        target: The FMR.
        least: What an FMR of 0 counts as, such as half a comparison.
    """
    logs = np.log(np.maximum(fmr, least))
    rates = [
        np.interp(np.log(target), row[::-1], values[::-1])
        for row, values in zip(logs, fnmr, strict=True)
    ]
    return np.array(rates, dtype=np.float64)
