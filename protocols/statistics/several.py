"""Several comparisons at once, such as a table of methods against a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protocols.statistics.comparison import SIGNIFICANT, Comparison, interval_in_words
from protocols.text import nouns


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values so that all of them together hold their level.

    Whatever they depend on each other, one below 0.05 falls on a difference that is none in at most
    5 % of such tables (Holm, Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: of m tests, 0..1.

    Returns:
        The corrected ones, in the same order; never smaller than the others, and never above 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    left = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(left * values[order]), 1.0)
    return [float(value) for value in corrected]


def enough_draws(comparisons: int) -> int:
    """Number of random swaps with which a corrected p-value may be as small as 0.005."""
    return max(2000, 200 * comparisons)


def correct(found: Sequence[Comparison]) -> list[Comparison]:
    """Correct the verdicts of several comparisons by Holm's method.

    Args:
        found: of m pairs of runs.

    Returns:
        The same with `p_value_corrected`, and with the verdict and sentence that it allows.
    """
    raw = [raw_p_value(one) for one in found]
    return [_corrected(*each, len(found)) for each in zip(found, raw, holm(raw), strict=True)]


def raw_p_value(one: Comparison) -> float:
    """The p-value to correct: of several trainings the greater one, as both tests must agree."""
    return max(one.p_value, one.p_value_of_trainings or 0.0)


def _corrected(one: Comparison, raw: float, p_value: float, count: int) -> Comparison:
    verdict = one.verdict if p_value < SIGNIFICANT else "not significant"
    first, second = one.names
    if verdict == "not significant":
        begin = f"Not significant: {first} and {second} differ by {100 * one.difference:+.1f}"
    else:
        by = f"{100 * abs(one.difference):.1f}"
        begin = f"Significant: {first} is {verdict} than {second} by {by}"
    over = f"{one.units} {nouns(one.resampled, one.units)}"
    sentence = (
        f"{begin} points of {one.measure} "
        f"({interval_in_words(one.low, one.high)} over {over}; p = {raw:.2g}, {p_value:.2g} when "
        f"corrected for {count} {nouns('comparisons', count)})."
    )
    least = min(count * one.least_p_value, 1.0)
    if least >= SIGNIFICANT:
        sentence += (
            f" With {over}, no difference can be significant in {count} "
            f"{nouns('comparisons', count)}: the lowest possible corrected p is {least:.2g}."
        )
    return replace(one, verdict=verdict, sentence=sentence, p_value_corrected=p_value)
