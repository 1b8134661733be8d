"""Confidence intervals and tests: Wilson, bootstrap over people, swaps of people, exact McNemar.

Trials of one person are not independent, so the interval of a reported rate comes from resampling
people; the Wilson interval is for a plain count of independent trials. Two models on the same
probes are compared probe by probe. All intervals cover 95 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray

CONFIDENCE = 0.95
"""Coverage of every interval."""

_TAIL = (1.0 - CONFIDENCE) / 2.0
_DRAWS_A_CHUNK = 256
_SWAPS_A_CHUNK = 512
_ALL_SWAPS = 12
"""Most units of which all swaps are tried, instead of random ones."""


def ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> FloatArray:
    """Division with 0/0 = NaN, silently: what is empty is counted elsewhere."""
    result: FloatArray = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def mean_of_known(values: FloatArray) -> FloatArray:
    """Mean over the last axis without NaN; NaN where nothing is left."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def mean_rate(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> FloatArray:
    """Mean of ``part / whole`` over the last axis, without 0/0."""
    return mean_of_known(ratio(part, whole))


def sum_by_person(columns: npt.ArrayLike, person: npt.NDArray[np.integer], size: int) -> FloatArray:
    """(Q, N) numbers of N samples, summed over each of ``size`` people: (size, Q)."""
    rows = [np.bincount(person, weights=row, minlength=size) for row in np.asarray(columns)]
    return np.stack(rows, axis=1).astype(np.float64)


def wilson_interval(
    successes: npt.ArrayLike, trials: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Score interval of a binomial rate (Wilson, JASA 22, 1927).

    Args:
        successes: Counts, any shape.
        trials: Counts of the same shape.

    Returns:
        Low and high end, of that shape; 0 and 1 where there are no trials.

    Raises:
        ValueError: A count is negative or above its trials.

    >>> low, high = wilson_interval(0, 100)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0, 0.037)
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("successes must lie between 0 and the number of trials.")
    from scipy.special import ndtri

    z = float(ndtri(0.5 + CONFIDENCE / 2.0))
    spread = z * np.sqrt(k * (n - k) / np.maximum(n, 1.0) + z * z / 4.0)
    low = (k + z * z / 2.0 - spread) / (n + z * z)
    high = (k + z * z / 2.0 + spread) / (n + z * z)
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def bootstrap_interval(
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    generator: np.random.Generator,
    statistic: Callable[[FloatArray, FloatArray], FloatArray] = ratio,
    draws: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap over people.

    Args:
        successes: (S, ...) counts of each person, in as many cells as the statistic needs.
        trials: (S, ...) counts of each person.
        generator: Draws the people.
        statistic: Takes the resampled sums, both (B, ...), to (B,) or (B, K) values.
        draws: Number of resamples.
        progress: Called with the number of resamples done and their total.

    Returns:
        Low and high end, each () or (K,); resamples without a value are left out, NaN where all
        are.

    Raises:
        ValueError: Shapes differ, there is no person, or ``draws`` is below 1.
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if k.shape != n.shape or k.ndim < 1 or not len(k):
        raise ValueError(
            f"successes {k.shape} and trials {n.shape} must have one shape, people first, and "
            "at least one person."
        )
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}.")
    values: list[FloatArray] = []
    for start in range(0, draws, _DRAWS_A_CHUNK):
        size = min(_DRAWS_A_CHUNK, draws - start)
        weights = generator.multinomial(len(k), np.full(len(k), 1.0 / len(k)), size=size)
        sums = [(weights @ part.reshape(len(k), -1)).reshape(size, *k.shape[1:]) for part in (k, n)]
        values.append(statistic(sums[0], sums[1]))
        if progress is not None:
            progress(start + size, draws)
    every = np.concatenate(values)
    columns = every.reshape(draws, -1)
    ends = [percentiles(columns[:, column]) for column in range(columns.shape[1])]
    low, high = np.array(ends, dtype=np.float64).T.reshape(2, *every.shape[1:])
    return low, high


def percentiles(values: FloatArray) -> tuple[float, float]:
    """Both ends of the percentile interval of (B,) resampled values; NaN where all are NaN."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [_TAIL, 1.0 - _TAIL])
    return float(low), float(high)


def named_intervals(
    names: Sequence[str],
    people: Sequence[int],
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    generator: np.random.Generator,
    statistic: Callable[[FloatArray, FloatArray], FloatArray],
    draws: int,
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals over people of K named rates, with those of :func:`widen_if_alike`.

    Args:
        names: K names, in the order of the statistic's values.
        people: Number of people behind each rate.
        successes: As in :func:`bootstrap_interval`.
        trials: As there.
        generator: Draws the people.
        statistic: As there, to (B, K).
        draws: Number of resamples.

    Returns:
        Low and high end by name; what has no value is left out.
    """
    low, high = bootstrap_interval(successes, trials, generator, statistic, draws)
    sums = [np.asarray(part, dtype=np.float64).sum(axis=0)[None] for part in (successes, trials)]
    observed = statistic(sums[0], sums[1])[0]
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(observed)
    return {
        name: widen_if_alike((float(low[i]), float(high[i])), float(observed[i]), int(people[i]))
        for i, name in enumerate(names)
        if known[i]
    }


def widen_if_alike(ends: tuple[float, float], rate: float, people: int) -> tuple[float, float]:
    """The same interval, or the Wilson interval of ``people`` where all of them are alike.

    Where nobody errs (or everybody does, or all have the same rate) all resamples agree, as though
    the rate were certain. Then each person counts as one trial, which varies as much as anything
    between 0 and 1 with that mean can (Wilson at small n: Brown, Cai and DasGupta, Statistical
    Science 16, 2001).

    Args:
        ends: Low and high end of the resampled rate; NaN stays NaN.
        rate: The rate itself; one that misses 0 or 1 by rounding counts as that.
        people: Number of people.

    Returns:
        Low and high end.
    """
    # A mean of means of ones may be one less its last bits.
    certain = abs(rate - round(rate)) <= 1e-12 if np.isfinite(ends).all() else False
    if not certain and not ends[1] - ends[0] <= 1e-12:
        return ends
    low, high = wilson_interval((round(rate) if certain else rate) * people, people)
    return float(low), float(high)


def swap_test(
    gain: FloatArray,
    trials: FloatArray,
    generator: np.random.Generator,
    draws: int,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """p-value of a paired randomisation test: the share of swaps that differ as much.

    All swaps where few people differ at all; else random ones, and the runs themselves.

    Args:
        gain: (S, Q) hits of the first run minus those of the second, of each person in Q parts.
        trials: (S, Q) their trials.
        generator: Draws the swaps.
        draws: Number of random swaps.
        progress: Called with the number of random swaps done and their total.

    Returns:
        The two-sided p-value of the mean over the parts.
    """
    total = trials.sum(axis=0)[None]
    seen = abs(float(mean_rate(gain.sum(axis=0)[None], total)[0]))
    moved = gain[np.any(gain != 0, axis=1)]
    if len(moved) <= _ALL_SWAPS:
        # Bit by bit; the other half of the swaps are these with all signs changed.
        number = np.arange(2 ** max(len(moved) - 1, 0))[:, None]
        sign = 1.0 - 2.0 * (number >> np.arange(len(moved)) & 1)
        swapped = np.abs(mean_rate(sign @ moved, np.broadcast_to(total, (len(sign), total.size))))
        return float(np.mean(swapped >= seen - 1e-12))
    extreme = 0
    for start in range(0, draws, _SWAPS_A_CHUNK):
        size = min(_SWAPS_A_CHUNK, draws - start)
        sign = generator.integers(0, 2, size=(size, len(gain))) * 2.0 - 1.0
        swapped = np.abs(mean_rate(sign @ gain, np.broadcast_to(total, (size, total.shape[1]))))
        # Sums of the same numbers in another order differ in their last bits.
        extreme += int(np.count_nonzero(swapped >= seen - 1e-12))
        if progress is not None:
            progress(start + size, draws)
    return (extreme + 1) / (draws + 1)


class McNemar(NamedTuple):
    """Outcome of the exact McNemar test.

    Attributes:
        only_first: Probes that only the first model gets right.
        only_second: Probes that only the second model gets right.
        p_value: Two-sided exact binomial p-value; 1 where the models never differ.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: npt.ArrayLike, second: npt.ArrayLike) -> McNemar:
    """Compare two models on the same probes (McNemar, Psychometrika 12, 1947; exact form).

    Args:
        first: (P,) whether the first model is right.
        second: (P,) whether the second is, in the same order of probes.

    Returns:
        The discordant counts and the p-value.

    Raises:
        ValueError: The arrays differ in length.

    >>> mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    McNemar(only_first=5, only_second=0, p_value=0.0625)
    """
    a: npt.NDArray[Any] = np.asarray(first, dtype=np.bool_)
    b: npt.NDArray[Any] = np.asarray(second, dtype=np.bool_)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"Both models need one answer a probe, not {a.shape} and {b.shape}.")
    better, worse = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    fewer, more = sorted((better, worse))
    if more - fewer <= 1:
        return McNemar(better, worse, 1.0)
    from scipy.special import betainc

    # Twice the smaller tail of the binomial distribution of one half, which is symmetric.
    return McNemar(better, worse, 2.0 * float(betainc(more, fewer + 1, 0.5)))
