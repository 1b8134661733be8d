from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.tracks import (
    find_tracks,
    seen_joints,
    track_frames,
    without_twins,
)

Points = npt.NDArray[np.float32]
SQUARE = np.array([[-10, -10], [10, -10], [10, 10], [-10, 10]], np.float32)


def body(x: float, y: float = 100, scale: float = 1) -> Points:
    corners = SQUARE * scale + np.array([x, y], np.float32)
    return np.concatenate([corners, np.ones((4, 1), np.float32)], axis=1)


def video(people: list[tuple[int, str, Points]]) -> KeypointFrames:
    frame = np.array([frame for frame, _, _ in people], np.int64)
    points = np.stack([points for _, _, points in people])
    return KeypointFrames(frame, tuple(t for _, t, _ in people), points, np.arange(frame.max() + 1))


def rows(found: KeypointFrames, max_gap: int = 5) -> dict[str, list[int]]:
    return {track.name: track.rows.tolist() for track in find_tracks(found, max_gap)}


def test_people_are_matched_by_place_whatever_their_order() -> None:
    found = video([(t, "", body(x + t)) for t in range(4) for x in ((50, 200), (200, 50))[t % 2]])
    assert rows(found) == {"1": [0, 3, 4, 7], "2": [1, 2, 5, 6]}


def test_size_tells_people_apart_who_stand_in_one_place() -> None:
    near, far = body(100, scale=4), body(101)
    found = video([(0, "", near), (0, "", far), (1, "", body(101)), (1, "", body(99, scale=4))])
    assert rows(found) == {"1": [0, 3], "2": [1, 2]}


def test_the_best_pair_goes_first() -> None:
    # Row 2 lies within reach of both, row 1 only of the first track.
    found = video([(0, "", body(100)), (1, "", body(112)), (1, "", body(101))])
    assert rows(found) == {"1": [0, 2], "2": [1]}


@pytest.mark.parametrize(("gap", "tracks"), [(5, 1), (6, 2)])
def test_a_gap_is_tolerated_up_to_its_limit(gap: int, tracks: int) -> None:
    found = video([(0, "", body(100)), (gap + 1, "", body(101))])
    assert len(rows(found, max_gap=5)) == tracks


def test_a_jump_begins_a_new_track() -> None:
    assert len(rows(video([(0, "", body(100)), (1, "", body(160))]))) == 2


def test_ids_of_the_file_go_before_place() -> None:
    found = video([(0, "7", body(100)), (0, "3", body(200)), (1, "3", body(100))])
    assert rows(found) == {"3": [1, 2], "7": [0]}


def test_a_person_without_id_joins_the_nearest_track() -> None:
    people = [(0, "4", body(100)), (1, "", body(101)), (1, "", body(300)), (2, "4", body(102))]
    assert rows(video(people)) == {"4": [0, 1, 3], "1": [2]}


def test_an_id_given_to_everybody_is_no_track() -> None:
    people = [(t, "0", body(x)) for t in range(3) for x in (50, 200)]
    assert rows(video(people)) == {"1": [0, 2, 4], "2": [1, 3, 5]}
    alone = [(t, "0", body(50)) for t in range(20)]
    once = [*alone, (19, "0", body(200))]
    assert rows(video(once)) == {"1": list(range(20)), "2": [20]}


def test_a_rare_repetition_leaves_the_ids_in_force() -> None:
    people = [(t, name, body(x)) for t in range(8) for name, x in (("5", 50), ("6", 200))]
    people.append((8, "5", body(50)))
    people.append((8, "5", body(200)))
    found = rows(video(people))
    assert found == {"5": [*range(0, 16, 2), 16], "6": [*range(1, 16, 2), 17]}


def test_frames_keep_gaps_as_zeros() -> None:
    found = video([(0, "1", body(10)), (0, "2", body(50)), (3, "1", body(20))])
    frames = track_frames(found, find_tracks(found, 5), 0, 4, 3)
    assert frames.shape == (4, 3, 4, 3)
    np.testing.assert_array_equal(frames[[0, 3], 0], [body(10), body(20)])
    np.testing.assert_array_equal(frames[0, 1], body(50))
    assert not frames[1:3].any()
    assert not frames[3, 1].any()
    assert not frames[:, 2].any()


def test_what_counts_as_seen() -> None:
    flat = np.array([[[0, 0, 0.3], [0, 5, 0.3], [4, 4, 0]]], np.float32)
    assert seen_joints(flat).tolist() == [[False, True, False]]
    # In space the origin is a place like another: the root of a lifted body.
    space = np.array([[[0, 0, 0, 0.3], [1, 1, 1, 0]]], np.float32)
    assert seen_joints(space).tolist() == [[True, False]]


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["", "1", "2", "9"]), st.integers(0, 60)),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 3),
)
def test_each_person_is_in_one_track_and_once_a_frame(
    people: list[tuple[int, str, int]], max_gap: int
) -> None:
    ordered = sorted(people, key=lambda person: person[0])
    found = video([(t, name, body(10.0 * x)) for t, name, x in ordered])
    tracks = find_tracks(found, max_gap)
    assert sorted(row for track in tracks for row in track.rows.tolist()) == list(range(len(found)))
    for track in tracks:
        assert (np.diff(found.frame[track.rows]) > 0).all()
    counts = [len(track.rows) for track in tracks]
    assert counts == sorted(counts, reverse=True)
    again = find_tracks(found, max_gap)
    assert [t.name for t in again] == [t.name for t in tracks]


def test_a_person_listed_twice_in_a_frame_is_one() -> None:
    people = [(0, "", body(50)), (0, "", body(50)), (0, "", body(200)), (1, "", body(50))]
    once = without_twins(video(people))
    assert once.frame.tolist() == [0, 0, 1]
    assert once.points[:, 0, 0].tolist() == [40, 190, 40]


def test_twins_with_two_ids_are_two_people() -> None:
    people = [(0, "", body(50)), (0, "6", body(50)), (0, "5", body(50)), (0, "6", body(50))]
    assert without_twins(video(people)).track == ("6", "5")
