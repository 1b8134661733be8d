from __future__ import annotations

import numpy as np

from aclnet.data.sample import Sample, StoreInfo
from aclnet.runs.windows import cut_windows
from aclnet.skeleton import load_layout

INFO = StoreInfo(
    name="x", layout=load_layout("ntu25").to_dict(), channels=("x", "y", "z"), unit="metre"
)


def late() -> Sample:
    """Every fifth frame from 300 on; the first person is there from 310, the other from 325 on."""
    frames = np.ones((8, 2, 25, 3), np.float32)
    frames[:2, 0] = frames[:5, 1] = 0
    return Sample("late", frames, frame_numbers=np.arange(300, 340, 5))


def test_windows_go_by_the_recordings_frames() -> None:
    cut = list(cut_windows(late(), INFO, 4, 2))
    assert [(one.start, one.end) for one in cut] == [(300, 316), (310, 326), (320, 336)]


def test_the_main_persons_frames_keep_their_numbers() -> None:
    cut = list(cut_windows(late(), INFO, 4, 4, prepare="main_person"))
    assert [one.numbers.tolist() for one in cut] == [[310, 315], [320, 325, 330, 335]]


def test_a_person_apart_begins_where_they_are_seen() -> None:
    cut = list(cut_windows(late(), INFO, 8, 8, persons="apart", prepare="main_person"))
    assert [(one.person, one.start, one.end) for one in cut] == [(0, 310, 336), (1, 325, 336)]
