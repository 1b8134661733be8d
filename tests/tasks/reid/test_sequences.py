from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from aclnet.clips.settings import ClipSettings
from aclnet.data.sample import FIELDS, StoreInfo
from aclnet.data.store import Store
from aclnet.skeleton import load_layout
from protocols.embeddings import Embeddings
from protocols.reid.walks import pool_walks
from tasks.reid.sequences import SequenceSettings, cut_sequences, without_border
from tasks.samples.open import without_short


def recordings(*lengths: int) -> Store:
    """Recordings `a`, `b`, ... whose first coordinate counts the frames of all of them."""
    layout = load_layout("coco17")
    info = StoreInfo(name="r", layout=layout.to_dict(), channels=("x", "y"), unit="pixel")
    index = pd.DataFrame(dict.fromkeys(("sample", *FIELDS), [""] * len(lengths)))
    index["sample"] = index["identity"] = list("abcdef"[: len(lengths)])
    index["take"] = "1"
    index["length"] = lengths
    index["start"] = np.cumsum((0, *lengths[:-1]))
    total = np.arange(sum(lengths), dtype=np.float32)
    return Store(info, index, np.tile(total[:, None, None, None], (1, 1, 17, 2)))


def shown(store: Store) -> list[list[int]]:
    return [store.clip(row)[:, 0, 0, 0].astype(int).tolist() for row in range(len(store))]


def cut(store: Store, frames: int, step: int = 1, stride: int | None = None) -> Any:
    return cut_sequences(
        store, ClipSettings(frames=frames, step=step), SequenceSettings(stride=stride)
    )


def test_sequences_adjoin_and_what_is_left_over_is_counted() -> None:
    found = cut(recordings(7, 3, 2), 3)
    assert shown(found.store) == [[0, 1, 2], [3, 4, 5], [7, 8, 9], [10, 11]]
    # One sequence keeps its recording's name; a recording that is too short is one by itself.
    assert found.store.index["sample"].tolist() == ["a@0", "a@3", "b", "c"]
    assert found.store.index["identity"].tolist() == ["a", "a", "b", "c"]
    assert found.left_over == 1


@pytest.mark.parametrize(
    ("stride", "firsts", "left_over"), [(1, [0, 1, 2, 3, 4], 0), (2, [0, 2, 4], 0), (4, [0, 4], 1)]
)
def test_stride(stride: int, firsts: list[int], left_over: int) -> None:
    found = cut(recordings(7), 3, stride=stride)
    assert [frames[0] for frames in shown(found.store)] == firsts
    assert all(len(frames) == 3 for frames in shown(found.store))
    seen = {frame for frames in shown(found.store) for frame in frames}
    assert found.left_over == left_over == 7 - len(seen)


def test_step_makes_sequences_longer() -> None:
    found = cut(recordings(11), 3, step=2)
    assert shown(found.store) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert found.left_over == 1


def test_border_frames_go_at_both_ends() -> None:
    store = recordings(7, 4, 3)
    inner = without_border(store, 2)
    assert inner.lengths.tolist() == [3, 0, 0]
    assert shown(inner)[0] == [2, 3, 4]
    assert without_border(store, 0) is store
    assert store.lengths.tolist() == [7, 4, 3]
    # Names count the frames of the whole recording.
    both = SequenceSettings(border_frames=1)
    found = cut_sequences(without_border(recordings(8), 1), ClipSettings(frames=3), both).store
    assert shown(found) == [[1, 2, 3], [4, 5, 6]]
    assert found.index["sample"].tolist() == ["a@1", "a@4"]


def test_walks_are_put_together_by_their_recording() -> None:
    store = cut(recordings(6, 3), 3).store
    names = store.index["sample"].to_numpy().astype(np.str_)
    subjects = store.index["identity"].to_numpy().astype(np.str_)
    takes = store.index["take"].to_numpy().astype(np.str_)
    vectors = np.ones((len(store), 2), np.float32)
    pooled = pool_walks(Embeddings(vectors, subjects, take=takes, sample=names))
    assert pooled.sample.tolist() == ["a", "b"]


@pytest.mark.parametrize("frames", [6, 10])
def test_golden_windows_of_kgbd(frames: int, shared: Path) -> None:
    with np.load(shared / "golden" / "reid" / "windows.npz") as golden:
        lengths, labels, first = (golden[name] for name in ("lengths", "labels", "frames_concat"))
        expected = golden[f"kgbd_f{frames}_gallery_windows"][:, :, 0]
        people = golden[f"kgbd_f{frames}_gallery_ids"]
    store = recordings(*lengths.tolist())
    store = without_short(store.select(np.arange(len(lengths))), frames)
    found = cut(store, frames).store
    values = np.array([first[frames_of, 0] for frames_of in shown(found)])
    np.testing.assert_array_equal(values, expected)
    owner = dict(zip("abcdef", labels.tolist(), strict=True))
    assert [owner[name] for name in found.index["identity"]] == people.tolist()


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"border_frames": -1}, {"training": "some"}])
def test_bad_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SequenceSettings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"training": "released"}, "need each other"),
        ({"cutting": "kgbd"}, "need each other"),
        ({"training": "released", "cutting": "kgbd", "stride": 3}, "remove stride"),
        ({"training": "released", "cutting": "kgbd", "border_frames": 1}, "border_frames to 0"),
    ],
)
def test_released_rules_stand_alone(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SequenceSettings(**wrong)


def windows_of(frames: int, *lengths: int) -> Store:
    store = recordings(*lengths)
    info = store.info.model_copy(update={"settings": {"frames": frames}})
    return Store(info, store.index, store.frames)


def test_windows_that_were_cut_before_stay() -> None:
    store = windows_of(4, 4, 4)
    assert without_border(store, 1) is store
    # Other lengths than the reader noted are no such windows.
    assert without_border(windows_of(4, 4, 6), 1).lengths.tolist() == [2, 4]
    for settings in (
        SequenceSettings(border_frames=1),
        SequenceSettings(training="released", cutting="kgbd"),
    ):
        found = cut_sequences(store, ClipSettings(frames=4), settings, train=True)
        assert shown(found.store) == [[0, 1, 2, 3], [4, 5, 6, 7]]
        assert found.store.index["sample"].tolist() == ["a", "b"]


def test_training_recordings_are_cut_by_their_own_released_rule() -> None:
    rule, clip = SequenceSettings(training="released", cutting="ias"), ClipSettings(frames=2)
    store = recordings(24, 11)
    test = cut_sequences(store, clip, rule)
    assert shown(test.store) == [[10, 11], [12, 13]]
    assert test.store.index["sample"].tolist() == ["a@10", "a@12"]
    assert (test.left_over, test.border_frames, test.short) == (0, 31, 1)
    training = cut_sequences(store, clip, rule, train=True)
    firsts = [frames[0] for frames in shown(training.store)]
    assert firsts == [*range(10, 23), *range(11, 23)]
    assert training.border_frames == 20
