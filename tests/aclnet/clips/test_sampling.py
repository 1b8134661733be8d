from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.clips.sampling import (
    released_frames,
    released_test_frames,
    stretched_frames,
    uniform_frames,
)


def test_released_samplers_equal_the_golden_ones(shared: Path) -> None:
    golden = np.load(shared / "golden" / "action" / "pipeline_sampling.npz")
    seen = set()
    for key in golden.files:
        parts = key.split("_")
        train = parts[0] == "train"
        rule, *numbers = parts[1:] if train else parts
        length, frames, *rest = (int(number[1:]) for number in numbers)
        clips = rest[0] if rest else 1
        random = np.random.RandomState(123 if train else 255)
        made = released_frames(length, frames, clips, random, rule=rule, test=not train)
        np.testing.assert_array_equal(made.reshape(-1), golden[key].reshape(-1), err_msg=key)
        if not train:
            many = released_test_frames(np.array([7, length]), frames, clips, rule)
            np.testing.assert_array_equal(many[1], made)
        seen.add((train, rule))
    assert len(seen) == 4


@given(
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=20),
    frames=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_uniform_frames_span_a_recording_in_order(
    lengths: list[int], frames: int, seed: int
) -> None:
    made = uniform_frames(np.array(lengths), frames, np.random.default_rng(seed))
    assert made.shape == (len(lengths), frames)
    for length, row in zip(lengths, made, strict=True):
        assert row.min() >= 0
        assert row.max() < length
        if length < frames:
            assert set((row[1:] - row[:-1]).tolist()) <= {1, 1 - length}
        elif length < 2 * frames:
            assert set(np.diff(row).tolist()) <= {1, 2}
        else:
            bounds = np.arange(frames + 1) * length // frames
            assert ((row >= bounds[:-1]) & (row < bounds[1:])).all()


@pytest.mark.parametrize("length", [5, 12, 40])
def test_uniform_frames_are_distributed_as_the_released_ones(length: int) -> None:
    count, frames = 4000, 8
    random = np.random.RandomState(0)
    drawn = released_frames(length, frames, count, random, test=False)
    made = uniform_frames(np.full(count, length), frames, np.random.default_rng(0))
    for place in range(frames):
        ours = np.bincount(made[:, place], minlength=length) / count
        theirs = np.bincount(drawn[:, place], minlength=length) / count
        assert np.abs(ours - theirs).max() < 0.05


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=9), frames=st.integers(1, 40))
def test_stretched_frames_cover_a_recording(lengths: list[int], frames: int) -> None:
    length = np.array(lengths)
    phase = np.random.default_rng(0).random((len(lengths), frames))
    made = stretched_frames(length, frames, phase)
    assert (np.diff(made, axis=1) >= 0).all()
    assert (made >= 0).all()
    assert (made < length[:, None]).all()
    short = made[length <= frames]
    for size, row in zip(length[length <= frames], short, strict=True):
        assert len(set(row.tolist())) >= min(size, frames) // 2
