"""How sure a rate is: Wilson interval, bootstrap over persons, exact McNemar test.

Trials of one person are not independent, so the interval of a reported rate comes from resampling
persons; the Wilson interval is for a plain count of independent trials. Two models on the same
probes are compared probe by probe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray

_DRAWS_A_CHUNK = 256


def wilson_interval(
    successes: npt.ArrayLike, trials: npt.ArrayLike, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Score interval of a binomial rate (Wilson, JASA 22, 1927).

    Args:
        successes: Counts, any shape.
        trials: Counts of the same shape.
        confidence: Coverage, 0..1.

    Returns:
        Low and high end, of that shape; 0 and 1 where there are no trials.

    Raises:
        ValueError: A count is negative or above its trials, or the confidence is not in (0, 1).

    >>> low, high = wilson_interval(0, 100)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0, 0.037)
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if np.any(k < 0) or np.any(k > n):
        raise ValueError("successes must lie between 0 and the number of trials.")
    from scipy.special import ndtri

    z = float(ndtri(0.5 + _checked(confidence) / 2.0))
    spread = z * np.sqrt(k * (n - k) / np.maximum(n, 1.0) + z * z / 4.0)
    low = (k + z * z / 2.0 - spread) / (n + z * z)
    high = (k + z * z / 2.0 + spread) / (n + z * z)
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def pooled_rate(successes: FloatArray, trials: FloatArray) -> FloatArray:
    """Successes by trials over everything but the first axis: (B, ...) to (B,)."""
    axes = tuple(range(1, successes.ndim))
    done, total = successes.sum(axis=axes), trials.sum(axis=axes)
    rate: FloatArray = np.full(len(done), np.nan)
    np.divide(done, total, out=rate, where=total > 0)
    return rate


def bootstrap_interval(
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    statistic: Callable[[FloatArray, FloatArray], FloatArray] = pooled_rate,
    draws: int = 2000,
    confidence: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Percentile bootstrap over persons.

    Args:
        successes: (S, ...) counts of each person, in as many cells as the statistic wants.
        trials: (S, ...) counts of each person.
        generator: Draws the persons.
        statistic: Takes the resampled sums, both (B, ...), to (B,) or (B, K) values.
        draws: Number of resamples.
        confidence: Coverage, 0..1.

    Returns:
        Low and high end, each () or (K,); resamples without a value are left out, NaN where all
        are.

    Raises:
        ValueError: Shapes differ, there is no person, or draws or confidence are out of range.
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if k.shape != n.shape or k.ndim < 1 or not len(k):
        raise ValueError(
            f"successes {k.shape} and trials {n.shape} must have one shape, persons first, and "
            "at least one person."
        )
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}.")
    tail = (1.0 - _checked(confidence)) / 2.0
    values: list[FloatArray] = []
    for start in range(0, draws, _DRAWS_A_CHUNK):
        size = min(_DRAWS_A_CHUNK, draws - start)
        weights = generator.multinomial(len(k), np.full(len(k), 1.0 / len(k)), size=size)
        sums = [(weights @ part.reshape(len(k), -1)).reshape(size, *k.shape[1:]) for part in (k, n)]
        values.append(statistic(sums[0], sums[1]))
    return _quantiles(np.concatenate(values), tail)


def named_intervals(
    names: Sequence[str],
    units: Sequence[int],
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    generator: np.random.Generator,
    statistic: Callable[[FloatArray, FloatArray], FloatArray],
    *,
    draws: int,
    confidence: float,
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals over people of K named rates, with those of :func:`spread_at_end`.

    Args:
        names: K names, in the order of the statistic's values.
        units: How many people each rate is of.
        successes: As in :func:`bootstrap_interval`.
        trials: As there.
        generator: Draws the people.
        statistic: As there, to (B, K).
        draws: Number of resamples.
        confidence: Coverage, 0..1.

    Returns:
        Low and high end by name; what has no value is left out.
    """
    low, high = bootstrap_interval(
        successes, trials, generator, statistic=statistic, draws=draws, confidence=confidence
    )
    sums = [np.asarray(part, dtype=np.float64).sum(axis=0)[None] for part in (successes, trials)]
    observed = statistic(sums[0], sums[1])[0]
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(observed)
    return {
        name: spread_at_end(
            (float(low[i]), float(high[i])), float(observed[i]), int(units[i]), confidence
        )
        for i, name in enumerate(names)
        if known[i]
    }


def sum_by_person(columns: npt.ArrayLike, person: npt.NDArray[np.integer], size: int) -> FloatArray:
    """(Q, N) numbers of N samples, summed over each of ``size`` persons: (size, Q)."""
    rows = [np.bincount(person, weights=row, minlength=size) for row in np.asarray(columns)]
    return np.stack(rows, axis=1).astype(np.float64)


def spread_at_end(
    ends: tuple[float, float], observed: float, units: int, confidence: float
) -> tuple[float, float]:
    """An interval as it is, but the Wilson interval of ``units`` people for a rate of 0 or 1.

    Args:
        ends: Low and high end of the resampled rate.
        observed: The rate itself; one that misses 0 or 1 by rounding counts as that.
        units: Number of people.
        confidence: Coverage, 0..1.

    Returns:
        Low and high end.
    """
    nearest = round(observed)
    # A mean of means of ones may be one less its last bits.
    if abs(observed - nearest) > 1e-12:
        return ends
    low, high = wilson_interval(nearest * units, units, confidence)
    return float(low), float(high)


def _quantiles(values: FloatArray, tail: float) -> tuple[FloatArray, FloatArray]:
    """Both tails over the first axis, without the resamples that have no value."""
    columns = values.reshape(len(values), -1)
    ends = np.full((2, columns.shape[1]), np.nan)
    for column in range(columns.shape[1]):
        known = columns[np.isfinite(columns[:, column]), column]
        if len(known):
            ends[:, column] = np.quantile(known, [tail, 1.0 - tail])
    ends = ends.reshape(2, *values.shape[1:])
    return np.asarray(ends[0]), np.asarray(ends[1])


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
        ValueError: The arrays are not of one length.

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


def _checked(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}.")
    return confidence


def ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> FloatArray:
    """Division with 0/0 = NaN, silently: what is empty is counted elsewhere."""
    result: FloatArray = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def mean_of_known(values: FloatArray) -> FloatArray:
    """Mean over the last axis without NaN; NaN where nothing is left."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
