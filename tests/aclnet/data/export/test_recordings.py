"""A store becomes a file a recording, and the same store again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.export import export_store
from aclnet.data.formats import detect
from aclnet.data.store import Store
from aclnet.skeleton import layout_from_dict

People = Callable[..., Store]
KEYS = ["a/walk 1", "a/walk.2", "b"]
METRES = {"channels": ("x", "y", "z"), "unit": "metre", "image_size": None}


def again(options: dict[str, str], source: Path, target: Path) -> Store:
    """The store that comes back with the options that the export says."""
    values: dict[str, Any] = dict(options)
    for name, kind in (("persons", int), ("fps", float)):
        if name in values:
            values[name] = kind(values[name])
    if "image_size" in values:
        values["image_size"] = tuple(map(int, values["image_size"].split("x")))
    return convert(source, target, **values)


def assert_same(one: Store, other: Store) -> None:
    assert other.info.fingerprint == one.info.fingerprint  # frames and fields, to the last bit
    said = {"channels", "unit", "image_size", "fps", "layout", "classes", "dropped"}
    assert other.info.model_dump(include=said) == one.info.model_dump(include=said)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unit": "normalised", "image_size": None, "fps": None},
        {**METRES, "channels": ("x", "y", "z", "confidence")},
    ],
)
def test_csv_and_back(changes: dict[str, Any], people: People, tmp_path: Path) -> None:
    store = people(KEYS, **changes)
    options = export_store(store, tmp_path / "out", "csv")
    assert detect(tmp_path / "out") == "keypoint_csv"
    assert sorted(one.name for one in tmp_path.glob("out*")) == ["out", "out.labels.csv"]
    assert_same(store, again(options, tmp_path / "out", tmp_path / "again"))


def test_kinetics_and_back(people: People, tmp_path: Path) -> None:
    store = people(KEYS, unit="normalised", image_size=None)
    options = export_store(store, tmp_path / "k400", "kinetics")
    assert detect(tmp_path / "k400") == "kinetics_json"
    assert_same(store, again(options, tmp_path / "k400", tmp_path / "again"))
    content = json.loads((tmp_path / "k400" / "b.json").read_text())
    assert [one["frame_index"] for one in content["data"]] == list(range(7, 14))
    assert [len(one["skeleton"]) for one in content["data"]] == [1, 2, 2, 0, 2, 2, 2]
    table = json.loads((tmp_path / "k400_label.json").read_text())
    assert table["b"] == {"has_skeleton": True, "label": "walk, slowly", "label_index": 0}


def test_kinetics_has_shares_of_the_image(people: People, tmp_path: Path) -> None:
    store = people(["a"])
    options = export_store(store, tmp_path / "out", "kinetics")
    back = again(options, tmp_path / "out", tmp_path / "again")
    assert back.info.unit == "normalised"
    wanted = store.clip(0)[..., :2] / (640, 480)
    np.testing.assert_allclose(back.clip(0)[..., :2], wanted, rtol=1e-6)


def test_trc_and_back(people: People, tmp_path: Path) -> None:
    store = people(KEYS, 1, **METRES, fps=120.0)
    options = export_store(store, tmp_path / "out", "trc")
    assert detect(tmp_path / "out") == "trc"
    back = again(options, tmp_path / "out", tmp_path / "again")
    np.testing.assert_array_equal(back.frames, store.frames)
    assert [back.fps(row) for row in range(3)] == [120] * 3
    for name in ("sample", "identity", "label", "view", "take", "frames"):
        assert back.index[name].tolist() == store.index[name].tolist()


def test_each_person_has_a_trc(people: People, tmp_path: Path) -> None:
    store = people(["a"], 2, **METRES)
    options = export_store(store, tmp_path / "out", "trc")
    back = again(options, tmp_path / "out", tmp_path / "again")
    assert back.index["sample"].tolist() == ["a/person-1", "a/person-2"]
    assert back.index["identity"].tolist() == ["p0", "p0"]
    np.testing.assert_array_equal(back.clip(1)[:, 0], store.clip(0)[:, 1])


def test_a_single_recording_may_be_a_file(people: People, tmp_path: Path) -> None:
    store = people(["a/b"])
    options = export_store(store, tmp_path / "one.csv")
    back = again(options, tmp_path / "one.csv", tmp_path / "again")
    np.testing.assert_array_equal(back.frames, store.frames)
    assert back.index[["sample", "identity"]].values.tolist() == [["one", "p0"]]
    with pytest.raises(ValueError, match=r"one.labels.csv already exists|one.csv already exists"):
        export_store(store, tmp_path / "one.csv")
    export_store(store, tmp_path / "one.csv", overwrite=True)
    with pytest.raises(ValueError, match="there are 3 recordings, one file each: name a folder"):
        export_store(people(KEYS, name="other"), tmp_path / "all.csv")


@pytest.mark.parametrize("key", ["../up", "/top", ".hidden", "a//b", "x" * 230, "a/."])
def test_names_that_no_file_can_have(key: str, people: People, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a possible file name"):
        export_store(people([key]), tmp_path / "out", "csv")
    assert not list(tmp_path.glob("*out*"))


def test_a_name_is_a_file_or_a_folder(people: People, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would be a file and a folder"):
        export_store(people(["a", "a.csv/b"]), tmp_path / "out", "csv")


@pytest.mark.parametrize(
    ("to", "changes", "message"),
    [
        ("trc", {}, "TRC holds positions in metres, but the store has x, y, confidence"),
        ("trc", {**METRES, "fps": None}, "TRC needs the frame rate"),
        ("kinetics", METRES, "Kinetics JSON holds x, y and a score"),
        ("kinetics", {"image_size": None}, "fractions of the image size, but the store has pixels"),
        ("csv", {"channels": ("x", "y", "depth")}, "cannot be written as CSV"),
    ],
)
def test_what_a_format_cannot_hold(
    to: Any, changes: dict[str, Any], message: str, people: People, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        export_store(people(["a"], **changes), tmp_path / "out", to)
    assert not list(tmp_path.glob("*out*"))


def test_a_folder_is_never_replaced(people: People, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(ValueError, match="out already exists: remove it"):
        export_store(people(["a"]), tmp_path / "out", "csv", overwrite=True)


def test_a_layout_of_ones_own(people: People, tmp_path: Path) -> None:
    own = {"name": "own", "joints": [f"j{i}" for i in range(17)], "centre": "j0"}
    own["bones"] = [[f"j{i}", "j0"] for i in range(1, 17)]
    store = people(KEYS, layout=layout_from_dict(own).to_dict())
    options = export_store(store, tmp_path / "out", "csv")
    (tmp_path / "own.yaml").write_text(json.dumps(own))
    options["layout"] = str(tmp_path / "own.yaml")
    assert_same(store, again(options, tmp_path / "out", tmp_path / "again"))
