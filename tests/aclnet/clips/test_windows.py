from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.clips.windows import (
    random_windows,
    reflect,
    sliding_windows,
    windows_at,
    windows_at_phase,
)

Indices = npt.NDArray[np.int64]

some_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(
    lambda lengths: np.array(lengths, dtype=np.int64)
)
counts, steps, strides = st.integers(1, 20), st.integers(1, 3), st.integers(1, 15)


def of(length: int) -> Indices:
    return np.array([length], dtype=np.int64)


@pytest.fixture
def poses(shared: Path) -> dict[str, npt.NDArray[np.float32]]:
    with np.load(shared / "golden" / "gait" / "preprocess.npz") as archive:
        keys = [key for key in archive.files if key.startswith(("pose", "center60", "v2_pad60"))]
        return {key: archive[key] for key in keys}


@pytest.mark.parametrize(("source", "target"), [("pose", "center60"), ("pose61", "center60_of61")])
def test_centre_windows_are_gaitgraphs(
    poses: dict[str, npt.NDArray[np.float32]], source: str, target: str
) -> None:
    pose = poses[source]
    np.testing.assert_array_equal(pose[windows_at_phase(of(len(pose)), 60, 0.5)[0]], poses[target])


@pytest.mark.parametrize("length", [59, 60])
def test_short_sequences_reflect_as_gaitgraph2_pads(
    poses: dict[str, npt.NDArray[np.float32]], length: int
) -> None:
    pose = poses["pose"][:length]
    window = windows_at(of(0), of(length), 60)[0]
    np.testing.assert_array_equal(pose[window], poses[f"v2_pad60_T{length}"])


@given(st.integers(1, 30), st.integers(-100, 100))
def test_reflection_walks_back_and_forth(length: int, start: int) -> None:
    frames = reflect(np.arange(start, start + 80)[None], of(length))[0]
    assert frames.min() >= 0
    assert frames.max() < length
    moves = np.abs(np.diff(frames))
    assert (moves == (1 if length > 1 else 0)).all()
    assert reflect(of(0)[None], of(length)).item() == 0
    if length > 1:
        # It comes back to the same frame after there and back, and never sooner.
        assert (frames[2 * (length - 1) :] == frames[: 80 - 2 * (length - 1)]).all()


@settings(deadline=None)
@given(some_lengths, counts, steps, strides, st.integers(0, 2**32 - 1))
def test_every_window_lies_within_its_sequence(
    lengths: Indices, count: int, step: int, stride: int, seed: int
) -> None:
    owner, slid = sliding_windows(lengths, count, stride, step)
    drawn = random_windows(lengths, count, np.random.default_rng(seed), step)
    everyone = np.arange(len(lengths))
    for who, frames in (
        (everyone, drawn),
        (everyone, windows_at_phase(lengths, count, 0.5, step)),
        (owner, slid),
    ):
        assert frames.shape == (len(who), count)
        assert frames.dtype == np.int64
        assert (frames >= 0).all()
        assert (frames < lengths[who][:, None]).all()
        long_enough = lengths[who] > (count - 1) * step
        assert (np.diff(frames[long_enough], axis=1) == step).all()


@pytest.mark.parametrize(("length", "count", "step", "starts"), [(13, 10, 1, 4), (13, 5, 2, 5)])
def test_random_windows_begin_everywhere_the_last_place_too(
    length: int, count: int, step: int, starts: int
) -> None:
    drawn = random_windows(np.full(4000, length), count, np.random.default_rng(0), step)
    places, times = np.unique(drawn[:, 0], return_counts=True)
    assert places.tolist() == list(range(starts))
    assert drawn.max() == length - 1
    assert times.min() > 0.85 * 4000 / starts


def test_a_sequence_of_exactly_one_window_is_that_window() -> None:
    everything = list(range(60))
    assert random_windows(of(60), 60, np.random.default_rng(0))[0].tolist() == everything
    assert windows_at_phase(of(60), 60, 0.5)[0].tolist() == everything
    assert sliding_windows(of(60), 60, 30)[1].tolist() == [everything]


def test_random_windows_follow_the_generator() -> None:
    def draw(seed: int) -> Indices:
        return random_windows(np.full(8, 500), 3, np.random.default_rng(seed))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()


@given(st.integers(1, 60), counts, steps)
def test_a_centre_window_leaves_as_much_before_as_behind(
    length: int, count: int, step: int
) -> None:
    frames = windows_at_phase(of(length), count, 0.5, step)[0]
    if length > (count - 1) * step:
        before, behind = frames[0], length - 1 - frames[-1]
        assert 0 <= behind - before <= 1
    else:
        assert frames[0] == 0


@given(some_lengths, counts, strides, steps)
def test_sliding_windows_cover_each_sequence(
    lengths: Indices, count: int, stride: int, step: int
) -> None:
    owner, frames = sliding_windows(lengths, count, stride, step)
    assert (np.diff(owner) >= 0).all()
    assert np.unique(owner).tolist() == list(range(len(lengths)))  # one window at least
    span = (count - 1) * step + 1
    for i, length in enumerate(lengths.tolist()):
        mine = frames[owner == i]
        assert (mine[:, 0] == stride * np.arange(len(mine))).all()
        left_out = length - 1 - mine.max()
        if length >= span:
            assert left_out < stride
        else:
            assert len(mine) == 1
        if step == 1 and stride <= count:
            assert np.unique(mine).tolist() == list(range(length - left_out))


def test_no_sequence_has_no_window() -> None:
    owner, frames = sliding_windows(np.array([], dtype=np.int64), 5, 2)
    assert owner.shape == (0,)
    assert frames.shape == (0, 5)
