"""Is one run better than another on the same test samples? Paired by sample key, never by order.

The interval of the difference comes from resampling persons, since the recordings of one person
are not independent; the exact McNemar test counts the samples that only one of the two gets right.
With few persons a bootstrap interval is too narrow, and the test takes samples as independent, so
that a difference is called one only where both say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocols.ranking.distances import FloatArray
from protocols.statistics.intervals import bootstrap_interval, mcnemar, mean_of_known, ratio
from protocols.statistics.matched import Run, match_outcomes, resampling_units
from protocols.statistics.verdict import Verdict, interval_words, judge, plain_sentence


@dataclass(frozen=True)
class PairedComparison:
    """Two runs on the same samples.

    Attributes:
        difference: top-1 of the first minus top-1 of the second.
        low: Low end of its interval.
        high: High end.
        confidence: Coverage of the interval.
        only_first: Samples that only the first gets right.
        only_second: Samples that only the second gets right.
        p_value: Exact two-sided McNemar p-value.
        samples: Samples compared.
        units: Persons, or samples, that were resampled.
        unit: ``persons`` or ``samples``.
        verdict: What these data say of the first.
        sentence: The same as a sentence.
    """

    difference: float
    low: float
    high: float
    confidence: float
    only_first: int
    only_second: int
    p_value: float
    samples: int
    units: int
    unit: str
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class SeedComparison:
    """Two arms over several pairs of runs.

    Attributes:
        differences: top-1 of the first minus top-1 of the second, for each pair.
        mean: Their mean.
        low: Low end of its interval over persons; the seeds are taken as they are.
        high: High end.
        confidence: Coverage of the interval.
        pairs: How many pairs.
        units: Persons, or samples, that were resampled, each with all its seeds.
        unit: ``persons`` or ``samples``.
        verdict: What these data say of the first arm.
        sentence: The same as a sentence.
    """

    differences: tuple[float, ...]
    mean: float
    low: float
    high: float
    confidence: float
    pairs: int
    units: int
    unit: str
    verdict: Verdict
    sentence: str


def compare_outcomes(
    a: Run,
    b: Run,
    *,
    names: tuple[str, str] = ("the first", "the second"),
    generator: np.random.Generator | None = None,
    draws: int = 2000,
    confidence: float = 0.95,
) -> PairedComparison:
    """Compare the top-1 of two runs on the same test samples.

    The first is called better (or worse) where the interval does not hold 0 and the McNemar p is
    below 1 - confidence; otherwise these data do not tell the two apart.

    Args:
        a: Scores, or the outcomes that a record keeps (``Outcomes.from_cells``).
        b: The same of the other run; samples of unknown label take no part.
        names: What to call the two.
        generator: Draws the persons, or the samples where a person is unknown or there is only
            one; None takes one of seed 0, so that the same data give the same interval.
        draws: Number of resamples.
        confidence: Coverage, 0..1.

    Returns:
        The comparison.

    Raises:
        ValueError: The runs have other samples, labels or classes, or there is none to compare.
    """
    matched = match_outcomes(a, b, names)
    generator = np.random.default_rng(0) if generator is None else generator
    units, number = resampling_units([matched])
    low, high = bootstrap_interval(
        np.bincount(number[0], weights=matched.gain, minlength=len(units.names)),
        np.bincount(number[0], minlength=len(units.names)),
        generator,
        draws=draws,
        confidence=confidence,
    )
    test = mcnemar(matched.first, matched.second)
    difference = float(matched.gain.mean())
    told_apart = test.p_value < 1.0 - confidence
    verdict = judge(difference, float(low), float(high), told_apart)
    basis = (
        f"{interval_words(float(low), float(high), confidence)} over {len(units.names)} "
        f"{units.unit}; McNemar p = {test.p_value:.2g} on {len(matched.sample)} samples"
    )
    return PairedComparison(
        difference=difference,
        low=float(low),
        high=float(high),
        confidence=confidence,
        only_first=test.only_first,
        only_second=test.only_second,
        p_value=test.p_value,
        samples=len(matched.sample),
        units=len(units.names),
        unit=units.unit,
        verdict=verdict,
        sentence=plain_sentence(verdict, difference, names, "top-1", basis),
    )


def compare_seeds(
    pairs: Sequence[tuple[Run, Run]],
    *,
    names: tuple[str, str] = ("the first", "the second"),
    generator: np.random.Generator | None = None,
    draws: int = 2000,
    confidence: float = 0.95,
) -> SeedComparison:
    """Compare two arms over several seeds (or folds), each a pair of runs on the same samples.

    Persons are resampled with all their samples of all pairs kept together, because the seeds of
    one person are no further persons; the interval tells what other people would do to the mean
    difference, not what other seeds would. Therefore the first arm is called better (or worse)
    only where the interval does not hold 0 and no pair points the other way.

    Args:
        pairs: (first, second) of each seed; the pairs may have different samples, as folds do.
        names: What to call the two arms.
        generator: As in :func:`compare_outcomes`.
        draws: Number of resamples.
        confidence: Coverage, 0..1.

    Returns:
        The comparison.

    Raises:
        ValueError: There is no pair, or as :func:`compare_outcomes`.
    """
    if not pairs:
        raise ValueError("There is no pair of runs to compare: give one or more.")
    matched = [match_outcomes(a, b, names) for a, b in pairs]
    generator = np.random.default_rng(0) if generator is None else generator
    units, number = resampling_units(matched)
    size = len(units.names)
    gains = [
        np.bincount(own, weights=pair.gain, minlength=size)
        for own, pair in zip(number, matched, strict=True)
    ]
    trials = [np.bincount(own, minlength=size) for own in number]

    def mean_difference(gain: FloatArray, total: FloatArray) -> FloatArray:
        return mean_of_known(ratio(gain, total))

    low, high = bootstrap_interval(
        np.stack(gains, axis=1),
        np.stack(trials, axis=1),
        generator,
        statistic=mean_difference,
        draws=draws,
        confidence=confidence,
    )
    differences = tuple(float(pair.gain.mean()) for pair in matched)
    mean = float(np.mean(differences))
    one_way = all(value * mean >= 0 for value in differences)
    verdict = judge(mean, float(low), float(high), one_way)
    basis = (
        f"{interval_words(float(low), float(high), confidence)} over {size} {units.unit}; "
        f"the pairs differ by {', '.join(f'{100 * value:+.1f}' for value in differences)}"
    )
    return SeedComparison(
        differences=differences,
        mean=mean,
        low=float(low),
        high=float(high),
        confidence=confidence,
        pairs=len(pairs),
        units=size,
        unit=units.unit,
        verdict=verdict,
        sentence=plain_sentence(verdict, mean, names, "top-1", basis),
    )
