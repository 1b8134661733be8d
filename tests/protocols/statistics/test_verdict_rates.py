"""How often the verdict is wrong, and how often it finds a difference, by number of people.

The rates in the docstring of `protocols.statistics.comparison` are those of 2,000 simulations:

    python tests/protocols/statistics/test_verdict_rates.py 2000
"""

from __future__ import annotations

import sys
from typing import Any, get_args

import numpy as np
import pytest

from protocols import compare
from protocols.statistics.comparison import Unit
from protocols.statistics.outcomes import Outcomes

PEOPLE = (3, 5, 10, 20)
SAMPLES, SEEDS, RATE = 20, 3, 0.8
POWER = {  # at a true difference of 5 points
    "samples": {3: 0.0, 5: 0.0, 10: 0.19, 20: 0.38},
    "people": {3: 0.0, 5: 0.0, 10: 0.19, 20: 0.39},
    "seeds": {3: 0.0, 5: 0.0, 10: 0.34, 20: 0.61},
}


def answers(people: int, lead: float, random: np.random.Generator) -> tuple[Any, Any]:
    """(seeds, people, samples): what two runs get right; the second less by `lead` on average.

    About four in five are right. People differ (by a standard deviation of about 15 points), each
    suits one of the two runs better than the other, the same in all seeds (by about 7), and hard
    samples are hard for both.
    """
    ease, suits = random.normal(0, 0.6, (people, 1)), random.normal(0, 0.2, (2, 1, people, 1))
    hard = random.normal(0, np.sqrt(0.7), (people, SAMPLES))
    own = random.normal(0, np.sqrt(0.3), (2, SEEDS, people, SAMPLES))
    middle = 0.8416 * np.sqrt(1 + 0.6**2 + 0.2**2)
    first, second = hard + own < middle + ease + suits
    return first, second & (random.random(second.shape) >= lead / RATE)


def outcomes(right: Any) -> Outcomes:
    """Of one seed, (people, samples)."""
    people, count = right.shape
    return Outcomes(
        classes=np.array(["x", "y"]),
        sample=np.array([f"{i:04d}" for i in range(right.size)]),
        label=np.zeros(right.size, np.int64),
        predicted=1 - right.ravel().astype(np.int64),
        subject=np.repeat(np.arange(people).astype(np.str_), count),
        subset=np.full(right.size, ""),
    )


def counts(right: Any) -> dict[str, dict[str, tuple[int, int]]]:
    """Of one seed, in two parts."""
    return {
        part: {str(i): (int(row.sum()), len(row)) for i, row in enumerate(half)}
        for part, half in zip("NC", np.split(right, 2, axis=1), strict=True)
    }


def called(unit: Unit, people: int, lead: float, times: int, draws: int) -> float:
    """Share of comparisons that call one of the two better."""
    random = np.random.default_rng([people, int(100 * lead), len(unit)])
    found = 0
    for _ in range(times):
        both = answers(people, lead, random)
        if unit == "people":
            runs: list[Any] = [counts(right[0]) for right in both]
        elif unit == "samples":
            runs = [outcomes(right[0]) for right in both]
        else:
            runs = [[outcomes(seed) for seed in right] for right in both]
        result = compare(*runs, unit, generator=random, draws=draws)
        found += result.verdict != "not told apart"
    return found / times


@pytest.mark.slow
@pytest.mark.parametrize("unit", get_args(Unit))
def test_equal_runs_are_seldom_told_apart_and_others_as_often_as_stated(unit: Unit) -> None:
    times = 120
    for people, stated in POWER[unit].items():
        wrong = called(unit, people, 0.0, times, 200)
        # 0.05, and two standard errors of so few simulations.
        assert wrong <= min(people > 5, 0.05 + 2 * np.sqrt(0.05 * 0.95 / times))
        found = called(unit, people, 0.05, times, 200)
        assert found == pytest.approx(stated, abs=0.12 if stated else 0)


if __name__ == "__main__":
    for each in get_args(Unit):
        for size in PEOPLE:
            rates = [called(each, size, lead, int(sys.argv[1]), 2000) for lead in (0.0, 0.05)]
            print(
                f"{each}, {size} people: {rates[0]:.1%} of equal runs, {rates[1]:.1%} at 5 points"
            )
