from __future__ import annotations

import numpy as np
import pytest

from protocols.statistics.fairness import MOST_GROUPS, measure_fairness, quarters

COUNTS = np.array([[2, 2], [1, 2], [0, 2], [0, 0], [3, 4]])
"""The fourth sample is in no comparison."""
PEOPLE = np.array(["a", "a", "b", "c", "b"])


def test_people_count_alike_and_the_worst_are_named_by_their_rate() -> None:
    found = measure_fairness(COUNTS, PEOPLE, {})
    assert found.metrics["by_person/mean"] == pytest.approx((3 / 4 + 3 / 6) / 2)
    assert found.metrics["by_person/worst"] == pytest.approx(3 / 6)
    assert found.counts["people/by_person/mean"] == 2


def test_the_worst_tenth_is_rounded_up() -> None:
    counts = np.stack([np.arange(11), np.full(11, 10)], axis=1)
    found = measure_fairness(counts, np.arange(11).astype(str), {})
    assert found.metrics["by_person/worst tenth"] == pytest.approx((0.0 + 0.1) / 2)
    assert found.counts["people/by_person/worst tenth"] == 2


def test_groups_pool_their_comparisons_and_samples_without_a_group_are_left_out() -> None:
    view = np.array(["90", "0", "0", "0", ""])
    found = measure_fairness(COUNTS, PEOPLE, {"view": view})
    assert {name: rate for name, rate in found.metrics.items() if "view" in name} == {
        "by_view/0": 1 / 4,
        "by_view/90": 1.0,
    }
    assert found.counts["people/by_view/0"] == found.counts["samples/by_view/0"] == 2
    low, high = found.intervals["by_view/0"]
    assert low < 1 / 4 < high


@pytest.mark.parametrize("groups", [1, MOST_GROUPS + 1])
def test_one_group_and_too_many_tell_nothing(groups: int) -> None:
    size = 2 * groups
    names = (np.arange(size) % groups).astype(str)
    found = measure_fairness(np.ones((size, 2), dtype=int), names, {"view": names})
    assert not any("view" in name for name in found.metrics)


def test_samples_of_unknown_people_are_people_of_their_own() -> None:
    people = np.array(["", "", "a", "a", "a"])
    found = measure_fairness(COUNTS, people, {"view": np.array(list("xxyyy"))})
    assert not any("person" in name for name in found.metrics)
    assert found.counts["people/by_view/x"] == 2
    assert found.counts["people/by_view/y"] == 1


def test_quarters_are_listed_by_size() -> None:
    length = np.array([20, 30, 40, 50, 60, 70, 80, 90])
    counts, people = np.ones((8, 2), dtype=int), np.arange(8).astype(str)
    found = measure_fairness(counts, people, {"length": quarters(length)})
    listed = [name for name in found.metrics if "length" in name]
    assert listed == [f"by_length/{name}" for name in ("shortest", "shorter", "longer", "longest")]
    assert {found.counts[f"samples/{name}"] for name in listed} == {2}
