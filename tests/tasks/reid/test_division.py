from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from aclnet.data.sample import FIELDS, StoreInfo
from aclnet.data.store import Store
from aclnet.skeleton import load_layout
from tasks.reid.division import divide_recordings, divide_strangers
from tasks.samples.identities import IdentityGroups, IdentitySettings


def people(rows: Sequence[str]) -> Store:
    """Recordings from "identity split" or "identity"."""
    info = StoreInfo(
        name="mine", layout=load_layout("coco17").to_dict(), channels=("x", "y"), unit="pixel"
    )
    words = [row.partition(" ") for row in rows]
    index = pd.DataFrame(dict.fromkeys(("sample", *FIELDS), [""] * len(rows)))
    index["sample"] = [str(i) for i in range(len(rows))]
    index["identity"] = [word[0] for word in words]
    index["split"] = [word[2] for word in words]
    index["start"], index["length"] = np.arange(len(rows)), 1
    return Store(info, index, np.zeros((len(rows), 1, 17, 2), np.float32))


def test_strangers_are_tested() -> None:
    store = people(["10", "9", "1", "2", "1", "10"])
    division = divide_strangers(store, IdentitySettings(train=3, validation=1), 0)
    assert division.groups == IdentityGroups(("1", "2"), ("9",), ("10",))
    assert division.train.tolist() == [False, False, True, True, True, False]
    assert division.validation.tolist() == [False, True, False, False, False, False]
    assert division.test.tolist() == [True, False, False, False, False, True]


DEPTH = [
    "b train",
    "b gallery",
    "b probe",
    "a train",
    "a train",
    "a gallery",
    "c train",
    "c train",
    "c probe",
]


def test_known_people_are_tested_in_other_recordings() -> None:
    division = divide_recordings(people(DEPTH), IdentitySettings(validation=0))
    assert division.groups.train == ("a", "b", "c")
    assert division.groups.test == ("a", "b", "c")
    assert np.flatnonzero(division.train).tolist() == [0, 3, 4, 6, 7]
    assert np.flatnonzero(division.test).tolist() == [1, 2, 5, 8]
    assert not division.validation.any()


def test_recordings_in_two_parts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"split of 1 of 10 samples is both train and .* is 9:"):
        divide_recordings(people([*DEPTH, "c train probe"]), IdentitySettings(validation=0))


@pytest.mark.parametrize(("wanted", "held"), [(1, [4]), (2, [4, 7]), (9, [4, 7]), (0.5, [4])])
def test_the_last_of_several_training_recordings_watches(wanted: float, held: list[int]) -> None:
    division = divide_recordings(people(DEPTH), IdentitySettings(validation=wanted))
    assert np.flatnonzero(division.validation).tolist() == held
    # Everybody still trains.
    assert division.groups.train == ("a", "b", "c")
    assert division.groups.validation == ("a", "c")[: len(held)]
    assert not (division.train & division.validation).any()
    assert (division.train | division.validation | division.test).all()


def test_a_split_may_have_several_words() -> None:
    store = people(["a train cross", "b train", "a probe cross"])
    division = divide_recordings(store, IdentitySettings(validation=0))
    assert division.train.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a", "b"], "0 of 2 is 'train'"),
        (["a train", "b train"], "2 of 2 is 'train'"),
        (["a train", "a train", "b probe"], "of 1 person"),
    ],
)
def test_data_that_do_not_say_who_trains(rows: list[str], words: str) -> None:
    with pytest.raises(ValueError, match="data set mine: people: same") as error:
        divide_recordings(people(rows), IdentitySettings())
    assert words in str(error.value)
    assert "people: strangers" in str(error.value)


def test_windows_without_take_hold_nobody_out() -> None:
    store = people(DEPTH)
    info = store.info.model_copy(update={"settings": {"frames": 1}})
    windows = Store(info, store.index, store.frames)
    with pytest.raises(ValueError, match="data set mine: its windows do not name their recording"):
        divide_recordings(windows, IdentitySettings(validation=1))
    assert not divide_recordings(windows, IdentitySettings(validation=0)).validation.any()
    taken = Store(info, store.index.assign(take="1"), store.frames)
    assert divide_recordings(taken, IdentitySettings(validation=1)).validation.sum() == 1
