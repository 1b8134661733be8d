"""Holm's correction of several comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import compare
from protocols.statistics.person_counts import PartCounts
from protocols.statistics.several import correct, enough_draws, holm


def rejected(p_values: list[float], level: float) -> set[int]:
    """Holm's steps: the smallest p against level / m, the next against level / (m - 1), ..."""
    found: set[int] = set()
    for step, row in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if p_values[row] * (len(p_values) - step) > level:
            break
        found.add(row)
    return found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_corrected_values_are_the_levels_at_which_holms_steps_reject(
    p_values: list[float], data: st.DataObject
) -> None:
    corrected = holm(p_values)
    assert all(raw <= value <= 1 for raw, value in zip(p_values, corrected, strict=True))
    levels = [*corrected, data.draw(st.floats(0, 1))]
    for level in levels:
        if level < 1:  # at 1 everything is rejected, whatever the steps say
            assert rejected(p_values, level) == {
                row for row, value in enumerate(corrected) if value <= level
            }


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_the_order_changes_nothing(p_values: list[float], random: object) -> None:
    order = list(range(len(p_values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    mixed = holm([p_values[row] for row in order])
    assert mixed == [holm(p_values)[row] for row in order]


def counts(rate: float, seed: int, people: int = 8) -> PartCounts:
    generator = np.random.default_rng(seed)
    return {"nm": {str(i): (int(generator.binomial(30, rate)), 30) for i in range(people)}}


def test_a_verdict_falls_only_where_the_corrected_p_allows_it() -> None:
    one = compare(counts(0.9, 0), counts(0.5, 1), names=("acl", "ce"))
    assert (one.verdict, one.p_value) == ("better", one.least_p_value)
    alone, *many = correct([one]), correct([one] * 5), correct([one] * 7)
    assert alone[0].p_value_corrected == one.p_value
    assert alone[0].verdict == "better"
    assert [each[0].verdict for each in many] == ["better", "not significant"]
    assert many[0][0].p_value_corrected == pytest.approx(5 * one.p_value)
    assert many[0][0].sentence.startswith("Significant: acl is better than ce by ")
    assert ", 0.039 when corrected for 5 comparisons)." in many[0][0].sentence
    assert many[1][0].sentence.endswith(
        "With 8 people, no difference can be significant in 7 comparisons: the lowest possible "
        "corrected p is 0.055."
    )


def test_several_trainings_are_corrected_with_their_own_test() -> None:
    runs = [
        [counts(rate, seed, 20) for seed in seeds] for rate, seeds in ((0.9, (0, 1)), (0.5, (2, 3)))
    ]
    one = compare(*runs)
    assert one.p_value_of_trainings is not None
    (found,) = correct([one])
    assert found.p_value_corrected == max(one.p_value, one.p_value_of_trainings)


def test_random_swaps_suffice_for_many_comparisons() -> None:
    assert all(count / (enough_draws(count) + 1) < 0.01 for count in (1, 10, 45, 1000))
