"""Do several trainings tell two methods apart, beyond what the luck of a training explains?

A training's luck (initial weights, batches) moves all people alike, so that resampling people does
not see it. People and trainings are therefore both taken as drawn at random, as readers and cases
are in radiology (Obuchowski and Rockette, Communications in Statistics B 24, 1995), with the
degrees of freedom of Satterthwaite (Biometrics Bulletin 2, 1946) as Hillis does (Statistics in
Medicine 26, 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray
from protocols.statistics.intervals import mean_rate, ratio


class PairGain(NamedTuple):
    """One pair of runs, such as those of a seed.

    Attributes:
        unit: (S,) numbers of its people, the same for a person in all pairs.
        gain: (S, Q) hits of the first run minus those of the second, in each of Q parts.
        trials: (S, Q) their trials.
    """

    unit: npt.NDArray[np.int64]
    gain: FloatArray
    trials: FloatArray


POWER = 0.8
"""Share of repetitions that would find the `detectable` difference."""


class TrainingsTest(NamedTuple):
    """The test over people and trainings.

    Attributes:
        p_value: Two-sided, of the mean difference; 1 for a single person.
        detectable: The smallest true difference that four of five such groups of runs would find,
            if they spread as these do; None for a single person.
    """

    p_value: float
    detectable: float | None


def trainings_test(pairs: Sequence[PairGain], level: float = 0.05) -> TrainingsTest:
    """Test the mean difference over pairs of trainings and their people.

    The variance of the mean is that of people plus that of trainings less the part that both
    contain, and never less than either. Where no person is in two pairs (folds) it is that of the
    pairs alone.

    Args:
        pairs: Two or more pairs of runs.
        level: From this p-value on, a difference is not found.

    >>> def pair(*gain):
    ...     return PairGain(np.arange(4), np.array([gain]).T, np.full((4, 1), 10))
    >>> steady = [pair(5, 4, 6, 5), pair(4, 5, 5, 6), pair(6, 4, 5, 5)]
    >>> lucky = [pair(0, 1, 0, 1), pair(12, 11, 12, 11), pair(3, 3, 2, 4)]
    >>> for test in map(trainings_test, (steady, lucky)):
    ...     print(f"p = {test.p_value:.2g}, finds {test.detectable:.2f}")
    p = 0.00023, finds 0.10
    p = 0.27, finds 1.79
    """
    size, count = 1 + max(int(pair.unit.max()) for pair in pairs), len(pairs)
    share = np.zeros((size, count))
    rates = np.empty(count)
    for column, (unit, gain, trials) in enumerate(pairs):
        total, tried = gain.sum(axis=0), trials.sum(axis=0)
        rates[column] = mean_rate(total[None], tried[None])[0]
        # How much each person moves the rate, to first order; 0 in the sum.
        moved = ratio(gain - ratio(total, tried) * trials, np.broadcast_to(tried, gain.shape))
        share[unit, column] = moved[:, tried > 0].mean(axis=1)
    known = share[np.unique(np.concatenate([pair.unit for pair in pairs]))]
    return _tested(known, rates, level)


def _tested(share: FloatArray, rates: FloatArray, level: float) -> TrainingsTest:
    """The test from (S, n) shares of people in the rates of n pairs, and these (n,) rates."""
    people, count = share.shape
    if people < 2:
        return TrainingsTest(1.0, None)
    by_person = share.mean(axis=1)
    # Variances of the mean: of people, of pairs, and of what is left of both.
    of_people = people / (people - 1) * float(np.sum(by_person**2))
    of_pairs = float(np.var(rates, ddof=1)) / count
    left = share - by_person[:, None]
    of_both = people / (people - 1) * float(np.sum(left**2)) / (count * (count - 1))
    variance = max(of_people, of_pairs, of_people + of_pairs - of_both)
    difference = abs(float(rates.mean()))
    if variance <= 0.0:
        return TrainingsTest(float(difference == 0.0), 0.0)
    freedom = variance**2 / (of_people**2 / (people - 1) + of_pairs**2 / (count - 1))
    from scipy.special import stdtr, stdtrit

    error = float(np.sqrt(variance))
    reach = stdtrit(freedom, 1.0 - level / 2.0) + stdtrit(freedom, POWER)
    return TrainingsTest(2.0 * float(stdtr(freedom, -difference / error)), float(reach) * error)
