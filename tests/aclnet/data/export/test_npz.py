"""A store becomes an `.npz`, and that the same store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.export.npz import npz_arrays
from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, write_store
from aclnet.skeleton import layout_from_dict

LAYOUT = layout_from_dict(
    {
        "name": "mine",
        "joints": ["hip", "left_hand", "right_hand"],
        "bones": {"left_hand": "hip", "right_hand": "hip"},
        "centre": "hip",
        "aliases": {"hip": ["root"]},
    }
)


def made(folder: Path, changes: dict[str, Any], samples: dict[str, Any]) -> Store:
    """Three recordings of 4, 1 and 6 frames with values that a reader would guess wrongly."""
    about: dict[str, Any] = {
        "name": "mine",
        "layout": LAYOUT.to_dict(),
        "channels": ("x", "y", "z", "confidence"),
        "unit": "metre",
        "synthetic": True,
        "dropped": {"empty sequences": 3},
        "notes": {"columns not read: box": 1},
        "settings": {"people": "apart"},
        **changes,
    }
    info = StoreInfo(**about)
    random = np.random.default_rng(0)

    def each() -> Any:
        for number, length in enumerate((4, 1, 6)):
            frames = random.uniform(size=(length, 2, 3, len(info.channels))).astype(np.float32)
            fields = {name: values[number] for name, values in samples.items()}
            yield Sample(f"Zoë {number}", frames, **fields)

    return write_store(folder / "store", each(), info)


SAMPLES = [
    {"identity": ["001", "1", " a"], "view": ["018", "", "18"], "split": ["1", "2", "2"]},
    {"label": ["walk", "", "run"], "condition": ["nm", "NM", ""], "take": ["01", "1", "2"]},
    {"frame_numbers": [np.array([300, 305, 310, 399]), None, np.arange(2, 8)]},
    {"image_size": [(640, 480), None, (1, 2)], "camera": ["c", "", "C"]},
    {"fps": [29.97, 1 / 3, 25.0], "split": ["probe", "gallery", ""]},
]


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": ("x", "y"), "unit": "pixel", "image_size": (320, 240), "fps": 12.5},
        {"channels": ("x", "y", "z"), "unit": "normalised"},
    ],
)
def test_the_same_store_comes_back(
    changes: dict[str, Any], samples: dict[str, Any], tmp_path: Path
) -> None:
    store = made(tmp_path, changes, samples)
    np.savez(tmp_path / "out.npz", **npz_arrays(store))  # type: ignore[arg-type]
    assert detect(tmp_path / "out.npz") == "npz"
    again = convert(tmp_path / "out.npz", tmp_path / "again")
    assert again.info.fingerprint == store.info.fingerprint  # frames and fields, to the last bit
    ours, theirs = (
        one.info.model_dump(exclude={"name", "source", "settings"}) for one in (store, again)
    )
    assert ours == theirs
    assert again.info.settings["people"] == "apart"


def test_some_recordings_have_a_rate_of_their_own(tmp_path: Path) -> None:
    store = made(tmp_path, {"fps": 25.0}, {"fps": [None, 30.0, None]})
    np.savez(tmp_path / "out.npz", **npz_arrays(store))  # type: ignore[arg-type]
    again = convert(tmp_path / "out.npz", tmp_path / "again")
    assert again.info.fingerprint == store.info.fingerprint


def test_classes_keep_their_order(tmp_path: Path) -> None:
    labels = {"label": ["sit", "walk", "sit"]}
    store = made(tmp_path, {"classes": ("walk", "unseen", "sit")}, labels)
    np.savez(tmp_path / "out.npz", **npz_arrays(store))  # type: ignore[arg-type]
    with np.load(tmp_path / "out.npz") as file:
        assert file["label"].tolist() == [2, 0, 2]
    again = convert(tmp_path / "out.npz", tmp_path / "again")
    assert again.info.classes == store.info.classes
    assert again.info.fingerprint == store.info.fingerprint


def test_some_rates_are_not_known(tmp_path: Path) -> None:
    store = made(tmp_path, {}, {"fps": [None, 25.0, 30.0]})
    np.savez(tmp_path / "out.npz", **npz_arrays(store))  # type: ignore[arg-type]
    assert [one.fps for one in read(tmp_path / "out.npz")[1]] == [None, 25, 30]


def test_a_damaged_description_is_refused(tmp_path: Path) -> None:
    arrays = npz_arrays(made(tmp_path, {}, {}))
    for about, words in (
        (np.array("{"), "about: .*Invalid JSON"),
        (np.array("[" * 100_000), "about: .*Invalid JSON"),
        (np.array('{"name": 3}'), "about: 'name': "),
        (np.array([1]), "about: is not text; export the store again"),
    ):
        np.savez(tmp_path / "out.npz", **{**arrays, "about": about})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"out.npz: {words}"):
            read(tmp_path / "out.npz")


def test_other_channels_are_refused(tmp_path: Path) -> None:
    store = made(tmp_path, {"channels": ("x", "y", "depth")}, {})
    with pytest.raises(ValueError, match="channels x, y, depth cannot be exported"):
        npz_arrays(store)
