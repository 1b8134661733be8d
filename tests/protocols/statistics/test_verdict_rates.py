"""How often the verdict is wrong, and how often it finds a difference, by number of people.

The rates in the docstring of `protocols.statistics.comparison` are those of 1,000 simulations:

    python tests/protocols/statistics/test_verdict_rates.py 1000
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from protocols import compare
from protocols.statistics.comparison import Unit
from protocols.statistics.outcomes import Outcomes

PEOPLE, SEEDS = (3, 5, 10, 20), (3, 5)
SAMPLES, RATE = 20, 0.8
LUCK = 0.017
"""Standard deviation of what a training gives to all people alike."""
Case = tuple[Unit, int, int, float]  # unit, people, seeds, luck
POWER: dict[Case, float] = {  # at a true difference of 5 points
    ("samples", 3, 1, 0.0): 0.0,
    ("samples", 5, 1, 0.0): 0.0,
    ("samples", 10, 1, 0.0): 0.18,
    ("samples", 20, 1, 0.0): 0.39,
    ("people", 5, 1, 0.0): 0.0,
    ("people", 10, 1, 0.0): 0.18,
    ("people", 20, 1, 0.0): 0.41,
    ("people", 20, 3, 0.0): 0.51,
    ("people", 20, 3, LUCK): 0.38,
    ("seeds", 3, 3, LUCK): 0.0,
    ("seeds", 5, 5, LUCK): 0.0,
    ("seeds", 10, 3, 0.0): 0.25,
    ("seeds", 10, 3, LUCK): 0.21,
    ("seeds", 10, 5, LUCK): 0.35,
    ("seeds", 20, 3, 0.0): 0.50,
    ("seeds", 20, 3, LUCK): 0.40,
    ("seeds", 20, 5, 0.0): 0.67,
    ("seeds", 20, 5, LUCK): 0.53,
}


def answers(
    people: int, lead: float, random: np.random.Generator, seeds: int, luck: float
) -> tuple[Any, Any]:
    """(seeds, people, samples): what two runs get right; the second less by `lead` on average.

    About four in five are right. People differ (by a standard deviation of about 15 points), each
    suits one of the two runs better than the other, the same in all seeds (by about 7), and hard
    samples are hard for both. A training may have luck, the same for all its people.
    """
    ease, suits = random.normal(0, 0.6, (people, 1)), random.normal(0, 0.2, (2, 1, people, 1))
    hard = random.normal(0, np.sqrt(0.7), (people, SAMPLES))
    own = random.normal(0, np.sqrt(0.3), (2, seeds, people, SAMPLES))
    spread = np.sqrt(1 + 0.6**2 + 0.2**2)
    middle = 0.8416 * spread
    # Where four in five are right, a shift by one spread moves the rate by 28 points.
    own += random.normal(0, luck * spread / 0.28, (2, seeds, 1, 1)) if luck else 0.0
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


def called(case: Case, lead: float, times: int, draws: int) -> float:
    """Share of comparisons that call one of the two better."""
    unit, people, seeds, luck = case
    random = np.random.default_rng([people, int(100 * lead), len(unit), seeds, int(1e4 * luck)])
    kept: Any = counts if unit == "people" else outcomes
    found = 0
    for _ in range(times):
        both = answers(people, lead, random, seeds, luck)
        runs = [[kept(seed) for seed in right] for right in both]
        result = compare(*runs, unit if seeds == 1 else None, generator=random, draws=draws)
        found += result.verdict != "not significant"
    return found / times


# One with few people, one of samples, one of people, one of seeds.
ALWAYS = next(iter(POWER)), [*POWER][2], [*POWER][6], [*POWER][12]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [case if case in ALWAYS else pytest.param(case, marks=pytest.mark.thorough) for case in POWER],
    ids=str,
)
def test_equal_methods_seldom_differ_significantly_and_others_as_often_as_stated(
    case: Case,
) -> None:
    times, stated = 120, POWER[case]
    wrong = called(case, 0.0, times, 200)
    # 0.05, and two standard errors of so few simulations.
    assert wrong <= min(case[1] > 5, 0.05 + 2 * np.sqrt(0.05 * 0.95 / times))
    found = called(case, 0.05, times, 200)
    assert found == pytest.approx(stated, abs=0.12 if stated else 0)


if __name__ == "__main__":
    cases: list[Case] = [(unit, size, 1, 0.0) for unit in ("samples", "people") for size in PEOPLE]
    cases += [("samples", 20, 1, LUCK)]
    cases += [
        (unit, size, seeds, luck)
        for unit in ("seeds", "people")
        for seeds in SEEDS
        for luck in (0.0, LUCK)
        for size in PEOPLE
    ]
    for each in cases:
        rates = [called(each, lead, int(sys.argv[1]), 2000) for lead in (0.0, 0.05)]
        print(f"{each}: {rates[0]:.1%} of equal methods, {rates[1]:.1%} at 5 points", flush=True)
