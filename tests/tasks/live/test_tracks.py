from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.runs.windows import window_starts
from tasks.live.events import MOST_PEOPLE, Frame
from tasks.live.tracks import Cut, Tracks, Window

BODY = np.array([[0, 0, 1], [0, 40, 1], [20, 40, 1]], np.float32)


def frame(number: int | None, people: Mapping[str, float], seconds: float | None = None) -> Frame:
    points = [BODY + np.array([x, 100, 0], np.float32) for x in people.values()]
    names = tuple("" if name.startswith("?") else name for name in people)
    made = np.array(points, np.float32).reshape(len(points), 3, 3)
    return Frame(number, seconds, names, made, 0.0)


def add(tracks: Tracks, one: Frame) -> list[Window]:
    return tracks.add(one, one.points, one.points)


def spans(windows: list[Window]) -> list[tuple[str, int, int]]:
    return [(one.track, one.start, one.end) for one in windows]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_a_track_is_cut_as_a_recording(length: int, window: int, stride: int) -> None:
    tracks = Tracks(Cut(window, stride, 1, 5))
    found = [one for n in range(length) for one in add(tracks, frame(n, {"7": 10.0 * n}))]
    found += tracks.end(0.0)
    starts = window_starts(length, window, stride)
    assert spans(found) == [("7", s, min(s + window, length)) for s in starts]
    for one in found:
        assert one.frames[:, 0, 0].tolist() == [10.0 * n for n in range(one.start, one.end)]


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_little_is_kept_and_gaps_are_zeros(seen: list[bool], window: int, stride: int) -> None:
    tracks = Tracks(Cut(window, stride, 1, 60))
    found: list[Window] = []
    for number, there in enumerate(seen):
        found += add(tracks, frame(number, {"7": 1.0 + number} if there else {}))
        assert all(len(one.frames) <= window for one in tracks._tracks.values())
    found += tracks.end(0.0)
    for one in found:
        expected = [1.0 + n if seen[n] else 0.0 for n in range(one.start, one.end)]
        assert one.frames[:, 0, 0].tolist() == expected
        assert any(expected)


def test_windows_of_several_people_can_be_due_in_different_frames() -> None:
    tracks = Tracks(Cut(8, 8, 1, 3, spread=True))
    found = [spans(add(tracks, frame(n, {str(i): 90.0 * i for i in range(4)}))) for n in range(24)]
    assert max(map(len, found)) == 1
    own = [one for due in found for one in due if one[0] == "1"]
    assert own == [("1", 4, 12), ("1", 12, 20)]
    assert spans(tracks.end(0.0)) == [("1", 16, 24), ("2", 16, 24), ("3", 16, 24)]
    assert tracks.short == 0


def test_a_track_ends_with_a_gap_and_begins_again() -> None:
    tracks = Tracks(Cut(4, 2, 2, 1))
    for number in (0, 1, 3):
        assert add(tracks, frame(number, {"7": 1.0})) == [] or number == 3
    assert spans(add(tracks, frame(6, {"7": 1.0}))) == []  # its last window was due at frame 3
    assert (spans(tracks.end(0.0)), tracks.short) == ([], 1)


def test_people_without_a_track_are_followed() -> None:
    tracks = Tracks(Cut(2, 2, 1, 3))
    found = []
    for number in range(4):
        places = {"?a": 100.0 + number, "?b": 300.0 - number}
        ordered = dict(sorted(places.items(), reverse=bool(number % 2)))
        found += add(tracks, frame(number, ordered))
    assert sorted(spans(found)) == [("~1", 0, 2), ("~1", 2, 4), ("~2", 0, 2), ("~2", 2, 4)]
    assert {one.track: one.frames[0, 0, 0] for one in found[:2]} == {"~1": 100.0, "~2": 300.0}


def test_numbers_go_on_where_a_frame_has_none() -> None:
    tracks = Tracks(Cut(2, 2, 1, 3))
    add(tracks, frame(8, {"7": 1.0}))
    assert spans(add(tracks, frame(None, {"7": 1.0}))) == [("7", 8, 10)]


def test_times_are_those_of_the_frames_with_the_person() -> None:
    tracks = Tracks(Cut(3, 3, 1, 3))
    for number, people in enumerate(({"7": 1.0}, {}, {"7": 1.0})):
        due = add(tracks, frame(number, people, seconds=number / 10))
    assert due[0].seconds == (0.0, 0.2)


@pytest.mark.parametrize("second", [frame(3, {}), frame(2, {}), frame(4, {"7": 1.0})])
def test_what_is_refused_changes_nothing(second: Frame) -> None:
    tracks = Tracks(Cut(2, 2, 1, 3))
    add(tracks, frame(3, {"7": 1.0}))
    if second.tracks:
        doubled = np.concatenate([second.points, second.points + 1])
        second = second._replace(tracks=("7", "7"), points=doubled)
    with pytest.raises(ValueError, match=r"numbers must increase|has a track twice"):
        add(tracks, second)
    assert spans(add(tracks, frame(4, {"7": 1.0}))) == [("7", 3, 5)]


def test_more_people_than_are_followed_are_counted() -> None:
    tracks = Tracks(Cut(1000, 1000, 1, 2))
    for number in range(4):
        people = {f"{number}.{i}": 100.0 * i for i in range(MOST_PEOPLE)}
        add(tracks, frame(number, people))
        assert len(tracks._tracks) == MOST_PEOPLE
        assert len(tracks._follower._last) <= 4 * MOST_PEOPLE
    assert tracks.left_out == 3 * MOST_PEOPLE
    add(tracks, frame(7, {"new": 1.0}))
    assert list(tracks._tracks) == ["new"]


def test_a_clock_that_is_set_back_gives_no_span() -> None:
    tracks = Tracks(Cut(2, 2, 1, 3))
    times = (5.0, 6.0, 7.0, 1.0)
    found = [one for n in range(4) for one in add(tracks, frame(n, {"7": 0.0}, times[n]))]
    assert [one.seconds for one in found] == [(5.0, 6.0), None]
