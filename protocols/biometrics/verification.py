"""Verification, one comparison at a time: FMR, FNMR, EER, DET, AUC and d'.

Vocabulary of ISO/IEC 19795-1: a comparison is accepted if its score is at least the threshold;
FMR is the share of impostor comparisons that are accepted, FNMR the share of genuine comparisons
that are not. Thresholds are the distinct scores, and infinity. Rates are quotients of whole
numbers, so ties are exact and the order of the scores does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from protocols.biometrics.tally import ScoreTally
from protocols.ranking.distances import FloatArray, IntArray

DET_POINTS = 200
"""Most points of a thinned curve."""


class OperatingPoint(NamedTuple):
    """The errors at a threshold.

    Attributes:
        threshold: Scores of at least this are accepted; may be infinite.
        fmr: False match rate, 0..1.
        fnmr: False non-match rate, 0..1.
        false_matches: Impostor comparisons that are accepted.
        false_non_matches: Genuine comparisons that are not.
    """

    threshold: float
    fmr: float
    fnmr: float
    false_matches: int
    false_non_matches: int


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Both error rates at every threshold.

    Attributes:
        threshold: (T,) float64, ascending, the last infinite.
        false_matches: (T,) int64, non-increasing.
        false_non_matches: (T,) int64, non-decreasing.
        genuine: Number of genuine comparisons.
        impostor: Number of impostor comparisons.
    """

    threshold: FloatArray
    false_matches: IntArray
    false_non_matches: IntArray
    genuine: int
    impostor: int

    @property
    def fmr(self) -> FloatArray:
        """(T,) false match rates."""
        return np.asarray(self.false_matches / self.impostor)

    @property
    def fnmr(self) -> FloatArray:
        """(T,) false non-match rates."""
        return np.asarray(self.false_non_matches / self.genuine)

    def resolves(self, target: float) -> bool:
        """Whether there are enough impostor comparisons to measure an FMR of ``target``."""
        return target * self.impostor >= 1.0

    def at_fmr(self, target: float) -> OperatingPoint:
        """The smallest threshold whose FMR is not above ``target``.

        Raises:
            ValueError: The target is not in (0, 1], or below one in the number of impostor
                comparisons, so that these data cannot measure it.
        """
        if not 0.0 < target <= 1.0:
            raise ValueError(f"A target FMR must be above 0 and at most 1, not {target}.")
        if not self.resolves(target):
            raise ValueError(
                f"An FMR of {target:g} cannot be measured on {self.impostor} impostor comparisons: "
                f"it takes at least {int(np.ceil(1 / target))}."
            )
        return self._point(int(np.argmax(self.fmr <= target)))

    def at_threshold(self, threshold: float) -> OperatingPoint:
        """The errors of these comparisons at a threshold chosen elsewhere.

        Raises:
            ValueError: The threshold is NaN.
        """
        if np.isnan(threshold):
            raise ValueError("The threshold is NaN: choose it from scores first.")
        place = int(np.searchsorted(self.threshold, threshold, side="left"))
        return self._point(place)._replace(threshold=float(threshold))

    def equal_error(self) -> float:
        """The equal error rate (Maio et al., FVC2000, TPAMI 24, 2002), 0..1.

        The mean of FMR and FNMR at the threshold next to their crossing where their sum is lower.
        """
        # Compared as whole numbers: FNMR <= FMR without a division.
        gap = self.false_matches * self.genuine - self.false_non_matches * self.impostor
        sums = self.fmr + self.fnmr
        before, after = int(np.flatnonzero(gap >= 0)[-1]), int(np.argmax(gap <= 0))
        return float(sums[before if sums[before] <= sums[after] else after]) / 2.0

    def thinned(self) -> ErrorCurve:
        """The same curve at :data:`DET_POINTS` thresholds at most, the first and last among them.

        They are spread evenly along the DET curve as it is drawn, on probit axes, where rates of 0
        and 1 lie half a comparison inside.
        """
        if len(self.threshold) <= DET_POINTS:
            return self
        x = _probit(self.fmr, self.impostor)
        y = _probit(self.fnmr, self.genuine)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        wanted = np.linspace(0.0, along[-1], DET_POINTS)
        kept = np.unique(np.searchsorted(along, wanted).clip(0, len(along) - 1))
        kept[-1] = len(along) - 1
        threshold, matches = self.threshold[kept], self.false_matches[kept]
        non_matches = self.false_non_matches[kept]
        return ErrorCurve(threshold, matches, non_matches, self.genuine, self.impostor)

    def _point(self, place: int) -> OperatingPoint:
        """The operating point at a place of the curve."""
        matched, missed = int(self.false_matches[place]), int(self.false_non_matches[place])
        return OperatingPoint(
            float(self.threshold[place]),
            matched / self.impostor,
            missed / self.genuine,
            matched,
            missed,
        )


def error_curve(tally: ScoreTally) -> ErrorCurve:
    """Both error rates at every threshold.

    Args:
        tally: Genuine and impostor scores by value.

    Returns:
        The curve, with one point a distinct score and one at infinity.

    Raises:
        ValueError: There is no genuine or no impostor comparison.

    >>> curve = error_curve(ScoreTally(np.array([1.0, 2.0]), np.array([0, 1]), np.array([1, 0])))
    >>> curve.fmr.tolist(), curve.fnmr.tolist(), curve.equal_error()
    ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], 0.0)
    """
    _check_complete(tally)
    below = np.concatenate([[0], np.cumsum(tally.genuine)])
    passed = np.concatenate([[0], np.cumsum(tally.impostor)])
    return ErrorCurve(
        threshold=np.append(tally.values, np.inf),
        false_matches=(passed[-1] - passed).astype(np.int64),
        false_non_matches=below.astype(np.int64),
        genuine=tally.n_genuine,
        impostor=tally.n_impostor,
    )


def area_under_curve(tally: ScoreTally) -> float:
    """AUC of the ROC: the chance that a genuine score beats an impostor's, ties counted half.

    Raises:
        ValueError: There is no genuine or no impostor comparison.
    """
    _check_complete(tally)
    beaten = np.cumsum(tally.impostor) - 0.5 * tally.impostor
    return float(tally.genuine @ beaten) / (float(tally.n_genuine) * tally.n_impostor)


def d_prime(tally: ScoreTally) -> float:
    """Decidability: the means' distance by the root of the mean of both population variances.

    Returns:
        d' (Daugman, 2000), at least 0; NaN where no score varies.

    Raises:
        ValueError: There is no genuine or no impostor comparison.
    """
    _check_complete(tally)
    means, variances = [], []
    for count, total in ((tally.genuine, tally.n_genuine), (tally.impostor, tally.n_impostor)):
        mean = float(tally.values @ count) / total
        means.append(mean)
        variances.append(float((tally.values - mean) ** 2 @ count) / total)
    spread = float(np.sqrt(sum(variances) / 2.0))
    return abs(means[0] - means[1]) / spread if spread > 0 else float("nan")


def _check_complete(tally: ScoreTally) -> None:
    if not tally.complete:
        raise ValueError(
            f"There are {tally.n_genuine} genuine and {tally.n_impostor} impostor comparisons: an "
            "error rate needs at least one of each."
        )


def _probit(rate: FloatArray, count: int) -> FloatArray:
    """Normal quantile of a rate, kept half a trial away from 0 and 1."""
    return np.asarray(ndtri(np.clip(rate, 0.5 / count, 1.0 - 0.5 / count)))
