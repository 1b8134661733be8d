"""How sure verification rates are, where everybody is compared with everybody.

An impostor comparison involves two people, and both of them make it hard or easy. To resample only
the probes would make FMR look about twice as sure as it is where the same people stand on both
sides. Therefore people are drawn with replacement, and a comparison counts as often as its probe's
person was drawn times its gallery person (the vertex bootstrap: Snijders and Borgatti, Connections
22, 1999; for biometrics Bolle et al., CVIU 93, 2004); a genuine comparison counts as often as its
one person. Beyond 100 people whole groups of people are drawn, so that the tables stay small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.biometrics.scores import Comparisons
from protocols.biometrics.tally import ScoreTally
from protocols.biometrics.verification import error_curve
from protocols.ranking.distances import FloatArray, IntArray
from protocols.statistics.intervals import spread_at_end

MOST_UNITS = 100
"""People beyond which groups of people are resampled."""

_DRAWS_A_CHUNK = 64


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
        return PeopleErrors(
            self.thresholds,
            *(
                part[chosen].sum(axis=0, keepdims=True)
                for part in (self.genuine, self.missed, self.impostor, self.matched)
            ),
        )

    def resampled(
        self, generator: np.random.Generator, draws: int = 2000
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
        for weights in _weights(generator, self.genuine.shape[1], draws):
            genuine, missed = weights @ self.genuine[0], weights @ self.missed[0]
            impostor = np.sum((weights @ self.impostor[0]) * weights, axis=1)
            matched = _both_drawn(table, weights)
            with np.errstate(divide="ignore", invalid="ignore"):
                fnmr.append(missed / genuine[:, None])
                fmr.append(matched / impostor[:, None])
        return np.concatenate(fmr), np.concatenate(fnmr)


def _both_drawn(table: FloatArray, weights: FloatArray) -> FloatArray:
    """(B, T) sums of a (U, U, T) table, in which both people of an entry are weighted (B, U)."""
    units, steps = table.shape[1:]
    # (B, U) x (U, U T): the product runs over the probe's person, the sum over the other.
    half = (weights @ table.reshape(units, -1)).reshape(len(weights), units, steps)
    return np.asarray(np.einsum("but,bu->bt", half, weights))


def _weights(generator: np.random.Generator, units: int, draws: int) -> Iterator[FloatArray]:
    """How often each unit was drawn, (B, U), a chunk of draws at a time."""
    share = np.full(units, 1.0 / units)
    for start in range(0, draws, _DRAWS_A_CHUNK):
        size = min(_DRAWS_A_CHUNK, draws - start)
        yield generator.multinomial(units, share, size=size).astype(np.float64)


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
    return PeopleErrors(
        steps,
        below[..., -1],
        below[..., :-1],
        passed[..., 0],
        np.ascontiguousarray(passed[..., 1:]),
    )


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


def threshold_grid(tallies: Sequence[ScoreTally], least_fmr: float, points: int = 64) -> FloatArray:
    """Thresholds between which resampled curves are drawn as straight lines.

    For each tally, three in five lie where its FMR falls in equal steps of its logarithm, from 1/2
    to ``least_fmr``, the others where its FNMR rises in equal steps.

    Args:
        tallies: Complete tallies.
        least_fmr: The lowest FMR of interest, above 0.
        points: Thresholds a tally.

    Returns:
        Ascending thresholds, all finite.
    """
    found: list[FloatArray] = []
    for tally in tallies:
        curve = error_curve(tally)
        lowest = min(max(least_fmr, 1.0 / curve.impostor), 0.5)
        rates = np.geomspace(0.5, lowest, max(points * 3 // 5, 2))
        # FMR falls: searched for from its end.
        places = len(curve.fmr) - np.searchsorted(curve.fmr[::-1], rates, side="right")
        misses = np.searchsorted(curve.fnmr, np.linspace(0.0, 0.98, points - len(rates)))
        chosen = np.concatenate([places, misses]).clip(0, len(curve.threshold) - 1)
        found.append(curve.threshold[chosen])
    every = np.unique(np.concatenate(found)) if found else np.empty(0)
    return every[np.isfinite(every)]


def crossing_rates(fmr: FloatArray, fnmr: FloatArray) -> FloatArray:
    """(B,) rate at which the straight lines between the thresholds cross; NaN where they do not.

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


def spread_of(
    values: FloatArray, observed: float, units: int, confidence: float
) -> tuple[float, float]:
    """Percentile interval of resampled values; never without width.

    Where nobody errs (or everybody always does) each resample says the same, as though it were
    certain. There the people are what was tried: the Wilson interval of none (or all) among
    ``units`` people stands in (at 95 % and many people, close to the rule of three).

    Args:
        values: (B,) resampled rates, NaN where there is none.
        observed: The rate itself.
        units: Number of people.
        confidence: Coverage, 0..1.

    Returns:
        Low and high end; NaN where no resample has a value.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return spread_at_end((float(low), float(high)), observed, units, confidence)
