from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.data.class_names import class_lists, class_names
from aclnet.data.formats.nwucla_json import ACTIONS
from aclnet.data.names import parse_nwucla


@pytest.mark.parametrize("name", class_lists())
def test_names_are_there_once_and_plain(name: str) -> None:
    names = class_names(name)
    assert len(set(names)) == len(names)
    assert all(text == text.strip() and text.isprintable() and text for text in names)


def test_ntu60_opens_ntu120() -> None:
    assert class_names("ntu120")[:60] == class_names("ntu60")
    # Places that everybody quotes: A43 is a fall, A50 opens the mutual actions, A120 ends.
    assert class_names("ntu60")[42] == "falling down"
    assert class_names("ntu60")[49] == "punch/slap"
    assert class_names("ntu120")[105] == "hit with object"
    assert class_names("ntu120")[119] == "rock-paper-scissors"


def test_pku_follows_the_alphabet() -> None:
    assert list(class_names("pku51")) == sorted(class_names("pku51"))


def test_nwucla_is_the_recordings_order(shared: Path) -> None:
    with np.load(shared / "data" / "nwucla.npz") as data:
        assert class_names("nwucla") == tuple(data["class_names"].tolist())
        names = [parse_nwucla(str(name)) for name in data["sequence_name"]]
        labels = data["label"].tolist()
    assert [ACTIONS.index(name.action) for name in names if name] == labels


def test_an_unknown_list_is_named() -> None:
    with pytest.raises(ValueError, match=r"no class names 'ntu'; shipped are ntu120, ntu60"):
        class_names("ntu")
