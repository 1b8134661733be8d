"""Holding people out of training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.action.division import Division, divide_people, divide_samples, hold_out

SEEDS = st.integers(0, 2**32 - 1)


def division(train: int = 40, test: int = 10) -> Division:
    role = np.array(["train"] * train + ["test"] * test + ["leave"] * 3)
    return Division.of(role, np.full(len(role), ""), left_out=3, unmatched=0)


def people(count: int = 53) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.arange(count) % 8


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, number=st.integers(1, 7))
def test_whole_people_move_and_nobody_else(seed: int, number: int) -> None:
    before = division()
    after = hold_out(before, people(), number, seed)
    who = {role: set(people()[after.rows(role)]) for role in ("train", "validation")}
    assert len(who["validation"]) == number == after.counts["validation_people"]
    assert len(who["train"]) == 8 - number
    assert not who["train"] & who["validation"]
    for role in ("test", "leave"):
        np.testing.assert_array_equal(after.rows(role), before.rows(role))
    assert after.counts["train"] + after.counts["validation"] == 40
    assert (after.counts["left_out"], after.counts["test"]) == (3, 10)
    again = hold_out(before, people(), number, np.random.default_rng(seed))
    np.testing.assert_array_equal(after.role, again.role)


def test_other_seeds_draw_other_people() -> None:
    drawn = {tuple(hold_out(division(), people(), 3, seed).rows("validation")) for seed in range(9)}
    assert len(drawn) > 1


def test_people_are_held_out_by_their_exact_names() -> None:
    names = np.array([("1", "01", "a", "A")[i % 4] for i in range(53)])
    moved = [
        set(names[hold_out(division(), names, 1, seed).rows("validation")]) for seed in range(20)
    ]
    assert {name for one in moved for name in one} == {"1", "01", "a", "A"}
    assert all(len(one) == 1 for one in moved)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, share=st.floats(0.01, 0.99))
def test_without_identity_every_class_gives_its_share(seed: int, share: float) -> None:
    label = np.array(["a"] * 20 + ["b"] * 17 + ["c"] * 2 + ["d"] + ["a"] * 13)
    after = hold_out(division(), np.full(53, ""), 2, seed, label=label, share=share)
    moved = Counter(label[after.rows("validation")].tolist())
    for name, size in (("a", 20), ("b", 17), ("c", 2)):
        assert 1 <= moved[name] <= size - 1
        assert abs(moved[name] - share * size) <= 1.0
    assert moved["d"] == 0
    assert "validation_people" not in after.counts
    np.testing.assert_array_equal(after.rows("test"), division().rows("test"))


def test_one_unknown_person_is_enough_to_draw_samples() -> None:
    names = np.array([str(n) for n in people()])
    names[5] = ""
    after = hold_out(division(), names, 2, 0)
    assert after.counts["validation"] == 4
    names[5], names[45] = "5", ""
    assert hold_out(division(), names, 2, 0).counts["validation_people"] == 2


def test_nobody_held_out_is_the_same_division() -> None:
    before = division()
    assert hold_out(before, people(), 0, 0) is before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": 8}, "8 people cannot be held out of 8 training people: at least one must stay"),
        ({"people": -1}, "0 or more, not -1"),
        ({"identity": ["1"]}, "identity has 1 entries for 53 samples"),
        ({"identity": [""] * 53, "share": 1.0}, "share must lie between 0 and 1, not 1.0"),
        ({"identity": [""] * 53, "label": ["a"]}, r"label has shape \(1,\): give one per sample"),
    ],
)
def test_what_cannot_be_held_out_is_refused(change: dict[str, Any], message: str) -> None:
    asked = {"identity": people(), "people": 2, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        hold_out(division(), **asked)


def test_a_role_has_a_known_name() -> None:
    with pytest.raises(ValueError, match="role must be one of train, validation, test, leave"):
        division().rows("training")


def test_people_keep_together() -> None:
    people = {"train": ["a"], "validation": ["b"], "test": ["c"]}
    found = divide_people(["a", "b", "c", "a", "d"], people)
    assert found.role.tolist() == ["train", "validation", "test", "train", "leave"]
    assert found.counts == {"train": 2, "validation": 1, "test": 1, "left_out": 1}


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=6),
    train=st.floats(0.1, 0.9),
    validation=st.sampled_from([0.0, 0.2]),
)
def test_drawn_samples_leave_every_class_to_be_learnt(
    seed: int, sizes: list[int], train: float, validation: float
) -> None:
    label = np.repeat(np.arange(len(sizes)), sizes)
    found = divide_samples(label, train, validation, seed)
    for number, size in enumerate(sizes):
        roles = Counter(found.role[label == number].tolist())
        assert roles["train"] >= 1
        assert roles["test"] >= (size > 1)
        assert not roles["validation"] or validation
    assert "recordings are divided, not people" in found.notes[0]
