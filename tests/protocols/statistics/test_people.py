"""Comparing runs by what they did with every person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.statistics.people import compare_people, reid_person_counts

Counts = dict[str, dict[str, tuple[int, int]]]
SEEDS = st.integers(0, 2**32 - 1)


def run(rate: float, seed: int, people: int = 20, trials: int = 30) -> Counts:
    generator = np.random.default_rng(seed)
    return {
        part: {f"p{i:02d}": (int(generator.binomial(trials, rate)), trials) for i in range(people)}
        for part in ("N-N", "C-N")
    }


def test_better_worse_and_not_told_apart() -> None:
    good, bad = run(0.9, 0), run(0.6, 1)
    better = compare_people(good, bad, names=("acl", "ce"))
    assert better.verdict == "better"
    assert better.low > 0
    assert better.sentence.startswith("By these data acl is better than ce, by ")
    assert "points of rank-1 (95 % interval" in better.sentence
    assert "over 20 people" in better.sentence
    worse = compare_people(bad, good, names=("ce", "acl"))
    assert worse.verdict == "worse"
    same = compare_people(run(0.7, 2), run(0.7, 3), names=("a", "b"))
    assert same.verdict == "not told apart"
    assert same.sentence.startswith("These data do not tell a and b apart: rank-1 differs by ")


def test_figures_are_means_over_parts_and_people() -> None:
    first = {"N-N": {"x": (4, 4), "y": (0, 1)}, "C-N": {"x": (1, 2)}}
    second = {"N-N": {"x": (2, 4), "y": (1, 1)}, "C-N": {"x": (1, 2)}}
    result = compare_people(first, second, draws=50)
    assert result.parts == {"C-N": 0.0, "N-N": pytest.approx(1 / 5)}
    assert result.difference == pytest.approx(0.1)
    assert result.gains == {"y": -1.0, "x": 0.25}
    assert list(result.gains) == ["y", "x"]
    assert (result.people, result.verdict) == (2, "not told apart")


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_exchange_changes_only_the_sign(seed: int) -> None:
    a, b = run(0.8, seed), run(0.7, seed + 1)
    one, two = compare_people(a, b, draws=200), compare_people(b, a, draws=200)
    assert two.difference == pytest.approx(-one.difference)
    assert (two.low, two.high) == pytest.approx((-one.high, -one.low))
    assert two.p_value == one.p_value
    backwards = {part: dict(reversed(people.items())) for part, people in reversed(a.items())}
    assert compare_people(backwards, b, draws=200) == one


def test_few_people_are_never_enough() -> None:
    # Five people, all better: the most extreme of 32 swaps has p = 2 / 32.
    good, bad = run(1.0, 0, people=5), run(0.2, 1, people=5)
    result = compare_people(good, bad)
    assert result.low > 0
    assert result.p_value == pytest.approx(2 / 32, abs=0.02)
    assert result.verdict == "not told apart"


def test_two_equal_runs_are_seldom_told_apart() -> None:
    generator = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        ease = generator.beta(4, 2, 15)
        runs: list[Counts] = []
        for _ in range(2):
            # A person may suit one run and not the other, as chance has it.
            own = np.clip(ease + generator.normal(0, 0.1, 15), 0, 1)
            hits = generator.binomial(20, own)
            runs.append({"C-N": {f"p{i}": (int(hit), 20) for i, hit in enumerate(hits)}})
        called += compare_people(*runs, generator=generator, draws=200).verdict != "not told apart"
    assert called / 200 <= 0.08


def test_runs_over_other_probes_are_refused() -> None:
    a = run(0.8, 0, people=3)
    with pytest.raises(ValueError, match="has the part 'C-N'"):
        compare_people(a, {"N-N": a["N-N"]})
    fewer = {part: {k: v for k, v in people.items() if k != "p01"} for part, people in a.items()}
    with pytest.raises(ValueError, match="has the person 'p01'"):
        compare_people(a, fewer)
    other = a | {"C-N": a["C-N"] | {"p02": (1, 2)}}
    with pytest.raises(ValueError, match="p02 has 30 probes of C-N in old and 2 in new"):
        compare_people(a, other, names=("old", "new"))
    with pytest.raises(ValueError, match="has 3 hits in 2 probes"):
        compare_people({"N-N": {"x": (3, 2)}}, {"N-N": {"x": (1, 2)}})
    with pytest.raises(ValueError, match="no probe to compare"):
        compare_people({"N-N": {"x": (0, 0)}}, {"N-N": {"x": (0, 0)}})


def test_counts_are_read_from_a_record() -> None:
    people = {"names": ["x", "y"], "trials": [4, 2], "rank1_hits": [3, 0]}
    assert reid_person_counts({"pairs": {"C-N": {"people": people}}}) == {
        "C-N": {"x": (3, 4), "y": (0, 2)}
    }
    with pytest.raises(ValueError, match="keeps no counts by person"):
        reid_person_counts(None)
    damaged = people | {"trials": [4]}
    with pytest.raises(ValueError, match="pair C-N are damaged"):
        reid_person_counts({"pairs": {"C-N": {"people": damaged}}})
