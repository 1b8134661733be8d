from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aclnet.config import load_settings
from tasks.samples.identities import (
    IdentityGroups,
    IdentitySettings,
    divide_identities,
)

CASIA_B = [f"{number:03d}" for number in range(1, 125)]


def everybody(groups: IdentityGroups) -> list[str]:
    return [*groups.train, *groups.validation, *groups.test]


def table(folder: Path, **people: str) -> str:
    file = folder / "people.csv"
    rows = [f"{name},{split}" for name, splits in people.items() for split in splits.split()]
    file.write_text("\n".join(["subject,split", *rows, ""]), encoding="utf-8")
    return str(file)


@given(
    st.lists(st.text(min_size=1, max_size=4), min_size=5, max_size=30, unique=True),
    st.floats(0.1, 0.9) | st.integers(2, 20),
    st.floats(0, 0.5) | st.integers(0, 5),
    st.sampled_from(["sorted", "drawn"]),
    st.integers(0, 100),
)
def test_groups_are_strangers_and_leave_nobody_out(
    names: list[str], train: float, validation: float, order: str, seed: int
) -> None:
    chosen = IdentitySettings.model_validate(
        {"train": train, "validation": validation, "order": order}
    )
    learning = min(len(names), train if train >= 1 else round(train * len(names)))
    held = min(learning, validation if validation >= 1 else round(validation * learning))
    if learning - held < 2 or learning == len(names):
        with pytest.raises(ValueError, match=f" into {learning - held} training, "):
            divide_identities(names, chosen, seed)
        return
    groups = divide_identities(names * 2, chosen, seed)
    assert sorted(everybody(groups)) == sorted(names)
    assert len(groups.validation) == held
    assert len(groups.train) == learning - held


def test_who_is_outside_the_groups_is_counted(tmp_path: Path) -> None:
    chosen = IdentitySettings(table=table(tmp_path, a="train", b="train", c="test", gone="test"))
    groups = divide_identities(["a", "b", "c", "unlisted"], chosen, seed=0)
    counts = groups.counts(train=4, validation=0, test=2, total=9)
    assert (counts["left_out"], counts["absent_names"]) == (3, 1)
    assert "left_out" not in groups.counts(train=7, validation=0, test=2, total=9)


def test_shares_and_counts_of_the_sorted_people() -> None:
    names = [str(number) for number in range(1, 21)]
    shares = divide_identities(names, IdentitySettings(train=0.6, validation=0.25), seed=0)
    counts = divide_identities(names, IdentitySettings(train=12, validation=3), seed=9)
    assert shares == counts
    assert shares.train == tuple(names[:9])
    assert shares.validation == ("10", "11", "12")
    assert shares.test == tuple(names[12:])


def test_nobody_validates_where_nobody_is_asked_to() -> None:
    groups = divide_identities(list("abcd"), IdentitySettings(train=2, validation=0), seed=0)
    assert groups == IdentityGroups(("a", "b"), (), ("c", "d"))


def test_casia_b_is_divided_by_its_table() -> None:
    groups = divide_identities(CASIA_B, IdentitySettings(table="casia_b"), seed=0)
    assert groups.train == tuple(CASIA_B[:59])
    assert groups.validation == tuple(CASIA_B[59:74])
    assert groups.test == tuple(CASIA_B[74:])


def test_the_sorted_division_is_casia_bs_too() -> None:
    chosen = IdentitySettings(train=74, validation=15)
    by_table = divide_identities(CASIA_B, IdentitySettings(table="casia_b"), seed=0)
    assert divide_identities(CASIA_B[::-1], chosen, seed=0) == by_table


def test_a_table_speaks_only_of_people_who_are_there() -> None:
    there = [*CASIA_B[:5], *CASIA_B[70:80], "200"]
    groups = divide_identities(there, IdentitySettings(table="casia_b"), seed=0)
    assert groups.train == tuple(CASIA_B[:5])
    assert groups.validation == tuple(CASIA_B[70:74])
    assert groups.test == tuple(CASIA_B[74:80])


def test_drawn_people_follow_the_seed() -> None:
    chosen = IdentitySettings(train=30, validation=0.2, order="drawn")
    one = divide_identities(CASIA_B, chosen, seed=1)
    assert divide_identities(CASIA_B[::-1], chosen, seed=1) == one
    assert divide_identities(CASIA_B, chosen, seed=2).test != one.test
    assert one.train != tuple(CASIA_B[:24])
    # Everybody is drawn to train at some time.
    trained = {
        name for seed in range(60) for name in divide_identities(CASIA_B, chosen, seed).train
    }
    assert trained == set(CASIA_B)


def test_the_sorted_order_does_not_follow_the_seed() -> None:
    chosen = IdentitySettings(train=30)
    assert divide_identities(CASIA_B, chosen, 1) == divide_identities(CASIA_B, chosen, 2)


@pytest.mark.parametrize(
    ("train", "validation", "counts"),
    [
        (10, 0, "10 training, 0 validation and 0 test"),
        (99, 0, "10 training, 0 validation and 0 test"),
        (1, 0, "1 training, 0 validation and 9 test"),
        (4, 3, "1 training, 3 validation and 6 test"),
        (4, 9, "0 training, 4 validation and 6 test"),
    ],
)
def test_too_few_people_are_counted_in_the_message(
    train: float, validation: float, counts: str
) -> None:
    chosen = IdentitySettings(train=train, validation=validation)
    with pytest.raises(
        ValueError, match=f"10 people would be divided into {counts}.*change identities.train"
    ):
        divide_identities(list("abcdefghij"), chosen, seed=0)


def test_it_is_said_that_the_validating_people_are_counted() -> None:
    with pytest.raises(ValueError, match=r"identities.train=4 counts the validation people"):
        divide_identities(list("abcdef"), IdentitySettings(train=4, validation=3), seed=0)
    assert IdentitySettings(train=4, validation=0).counting == ""


def test_names_that_the_table_does_not_know_are_shown() -> None:
    chosen = IdentitySettings(table="casia_b")
    with pytest.raises(ValueError, match=r"in the data are p1, p2, p3: compare .*table=casia_b"):
        divide_identities([f"p{number}" for number in range(1, 10)], chosen, seed=0)


def test_listed_people_are_found_by_number_where_one_has_it_and_that_is_said() -> None:
    chosen = IdentitySettings(table="casia_b")
    plain = divide_identities([str(number) for number in range(1, 125)], chosen, seed=0)
    assert plain.train == tuple(str(number) for number in range(1, 60))
    assert plain.note == (
        "Found by number, not by name: 99 of the listed people, such as '1' for '001'."
    )
    # 75 and 0075 share a number: neither is the list's 075.
    shared = divide_identities(["1", "2", "75", "0075", "76"], chosen, seed=0)
    assert (shared.train, shared.test) == (("1", "2"), ("76",))
    exact = divide_identities(["1", "2", "75", "075", "76"], chosen, seed=0)
    assert exact.test == ("075", "76")


@pytest.mark.parametrize("splits", ["train test", "validation test", "train train"])
def test_a_table_that_names_somebody_twice_is_refused(tmp_path: Path, splits: str) -> None:
    file = table(tmp_path, ann="train", bob="train", eve="test", mallory=splits)
    with pytest.raises(ValueError, match=r"people.csv names mallory in 2 rows: give each"):
        divide_identities(["ann", "bob", "eve"], IdentitySettings(table=file), seed=0)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    file = table(tmp_path, ann="train", bob="train", carl="validation", eve="test")
    groups = divide_identities(["eve", "carl", "bob", "ann"], IdentitySettings(table=file), seed=0)
    assert groups == IdentityGroups(("ann", "bob"), ("carl",), ("eve",))


@pytest.mark.parametrize("text", ["train=1.5", "train=0", "validation=-1", "validation=2.2"])
def test_amounts_are_shares_or_whole_numbers(text: str) -> None:
    name = text.partition("=")[0]
    with pytest.raises(ValueError, match=rf"`{name}` = .* is not allowed"):
        load_settings(IdentitySettings, None, [text])
    with pytest.raises(ValidationError):
        IdentitySettings(train=float("nan"))
