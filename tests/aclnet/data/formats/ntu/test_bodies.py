from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.formats.ntu.bodies import Body, clean_bodies, motion

Array = npt.NDArray[np.float32]


def person(frames: int, moving: float = 1.0, width: float = 0.4, place: float = 1.0) -> Array:
    """A body of 5 joints, 1 m high, whose joint 0 goes `moving` metres."""
    joints = np.zeros((frames, 5, 3), np.float32)
    joints[:, :, 0] = np.linspace(0, width, 5)
    joints[:, :, 1] = np.linspace(0, 1, 5)
    joints[:, :, 2] = place
    joints[:, :, 2] += np.linspace(0, moving, frames)[:, None]
    return joints


def test_one_body_is_taken_as_it_is() -> None:
    joints = person(3, width=5.0)  # short and wide, but the only one
    np.testing.assert_array_equal(clean_bodies([Body(4, joints)]), joints[:, None])


def test_motion_is_the_sum_of_the_variances() -> None:
    joints = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    points = joints.reshape(-1, 3).astype(np.float64)
    wanted = ((points - points.mean(0)) ** 2).mean(0).sum()
    assert motion(joints) == pytest.approx(wanted, rel=1e-5)


def test_short_bodies_are_noise_up_to_eleven_frames() -> None:
    still = Body(0, person(30, 0.1))
    assert clean_bodies([still, Body(0, person(11, 9.0))]).shape == (30, 1, 5, 3)
    both = clean_bodies([still, Body(0, person(12, 9.0))])
    assert both.shape == (30, 2, 5, 3)
    # Who moves most comes first.
    np.testing.assert_array_equal(both[:12, 0], person(12, 9.0))


@pytest.mark.parametrize(("wide", "kept"), [(69, 2), (70, 1)])
def test_wide_bodies_are_noise_from_the_published_share_on(wide: int, kept: int) -> None:
    table = person(100, 9.0)
    table[:wide, :, 0] *= 3  # 1.2 m wide, 1 m high
    tracks = clean_bodies([Body(0, person(100, 0.5)), Body(0, table)])
    assert tracks.shape == (100, kept, 5, 3)


def test_what_moves_in_wide_frames_is_not_counted() -> None:
    jumping = person(40, 0.1)
    jumping[:20] *= 9
    jumping[:20, :, 0] *= 3
    walking = person(40, 2.0)
    assert motion(jumping) > motion(walking)
    np.testing.assert_array_equal(clean_bodies([Body(0, jumping), Body(0, walking)])[:, 0], walking)


def test_bodies_one_after_another_are_one_track() -> None:
    first, again, other = person(20, 5.0), person(20, 4.0, place=2), person(50, 3.0, place=9)
    tracks = clean_bodies([Body(0, first), Body(30, again), Body(2, other)])
    assert tracks.shape == (52, 2, 5, 3)
    np.testing.assert_array_equal(tracks[:20, 0], first)
    np.testing.assert_array_equal(tracks[20:30, 0], 0)
    np.testing.assert_array_equal(tracks[30:50, 0], again)
    np.testing.assert_array_equal(tracks[2:, 1], other)


def test_a_third_at_the_same_time_is_left_out() -> None:
    bodies = [Body(0, person(20, moving)) for moving in (1.0, 3.0, 2.0)]
    tracks = clean_bodies(bodies)
    np.testing.assert_array_equal(tracks[:, 0], bodies[1].joints)
    np.testing.assert_array_equal(tracks[:, 1], bodies[2].joints)


def test_the_track_seen_first_comes_first() -> None:
    late, early = person(20, 5.0), person(40, 1.0)
    tracks = clean_bodies([Body(10, late), Body(3, early)])
    np.testing.assert_array_equal(tracks[:, 0], early)
    assert len(tracks) == 40  # frames 0 to 2 are nobody's


def test_filters_that_leave_nobody_are_not_applied() -> None:
    assert clean_bodies([Body(0, person(4)), Body(0, person(5))]).shape == (5, 2, 5, 3)
    wide = [Body(0, person(20, width=3.0)), Body(0, person(20, 2.0, width=3.0))]
    assert clean_bodies(wide).shape == (20, 2, 5, 3)
    with pytest.raises(ValueError, match="no body"):
        clean_bodies([])


# The published steps once more, frame by frame in plain Python: what `clean_bodies` must equal.
Frame = list[list[float]]
People = list[tuple[int, list[Frame]]]


def spread(frames: list[Frame]) -> float:
    points = [point for frame in frames for point in frame]
    total = 0.0
    for axis in range(3):
        values = [point[axis] for point in points]
        mean = sum(values) / len(values)
        total += sum((value - mean) ** 2 for value in values) / len(values)
    return total


def is_narrow(frame: Frame) -> bool:
    x, y = [point[0] for point in frame], [point[1] for point in frame]
    return max(x) - min(x) <= 0.8 * (max(y) - min(y))


def chosen(people: People) -> People:
    people = sorted(people, key=lambda person: -spread(person[1]))
    if len(people) > 1:
        people = [person for person in people if len(person[1]) > 11] or people
    if len(people) > 1:
        ranked = []
        for start, frames in people:
            narrow = [frame for frame in frames if is_narrow(frame)]
            if 1 - len(narrow) / len(frames) < 0.69754:
                ranked.append((min(spread(frames), spread(narrow)), start, frames))
        ranked.sort(key=lambda entry: -entry[0])
        people = [(start, frames) for _, start, frames in ranked] or people
    return people


def placed(people: People) -> list[list[Any]]:
    tracks: list[list[Any]] = [[None, None] for _ in range(max(s + len(f) for s, f in people))]
    taken: list[tuple[int, int] | None] = [None, (0, 0)]
    for start, frames in people:
        end = start + len(frames)
        free = [i for i, span in enumerate(taken) if not span or start >= span[1] or end <= span[0]]
        for track in free[:1]:
            for t, frame in enumerate(frames, start):
                tracks[t][track] = frame
            span = taken[track] or (start, end)
            taken[track] = (min(start, span[0]), max(end, span[1]))
    return tracks


def plain(bodies: list[Body]) -> Any:
    people = chosen([(body.start, body.joints.tolist()) for body in bodies])
    if len(people) == 1:
        return [[frame] for frame in people[0][1]]
    tracks = placed(people)
    while tracks[0] == [None, None]:
        tracks.pop(0)
    while tracks[-1] == [None, None]:
        tracks.pop()
    if tracks[0][0] is None:
        tracks = [[b, a] for a, b in tracks]
    empty = [[0.0] * 3] * bodies[0].joints.shape[1]
    return [[track or empty for track in frame] for frame in tracks]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=6))
def test_equals_a_plain_reading_of_the_published_steps(spans: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(len(spans) + sum(a * 41 + b for a, b in spans))
    bodies = []
    for start, frames in spans:
        joints = rng.normal(size=(frames, 4, 3)) * rng.uniform(0.5, 2, size=3) + 5
        bodies.append(Body(start, joints.astype(np.float32)))
    np.testing.assert_array_equal(clean_bodies(bodies), np.array(plain(bodies), np.float32))
