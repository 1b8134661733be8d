"""Short gaps of joints, beside a plain, slow way in fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.convert import in_time
from aclnet.data.gaps import fill, fill_samples, to_be_filled
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import open_store, write_store
from aclnet.skeleton import load_layout

LAYOUT = load_layout("coco17").to_dict()


def plain(
    frames: Any, numbers: list[int], seconds: Fraction, rate: int, dims: int
) -> tuple[Any, int]:
    """Joint by joint, frame by frame."""
    made, count = frames.copy(), 0
    for person, joint in np.ndindex(frames.shape[1:3]):
        path = frames[:, person, joint]
        seen = [bool(one[dims] > 0 if len(one) > dims else one.any()) for one in path]
        for row in range(len(path)):
            before = [at for at in range(row) if seen[at]]
            after = [at for at in range(row, len(path)) if seen[at]]
            if seen[row] or not before or not after:
                continue
            first, last = before[-1], after[0]
            if Fraction(numbers[last] - numbers[first], rate) <= seconds:
                share = Fraction(numbers[row] - numbers[first], numbers[last] - numbers[first])
                made[row, person, joint] = path[first] + float(share) * (path[last] - path[first])
                low = np.minimum(path[first][dims:], path[last][dims:])
                made[row, person, joint, dims:] = low
                count += 1
    return made, count


@given(
    st.sets(st.integers(0, 40), max_size=30).map(sorted),
    st.sampled_from([Fraction(1, 10), Fraction(3, 10), Fraction(1, 3), Fraction(1)]),
    st.sampled_from([(30, 3, 4), (25, 2, 3), (30, 3, 3), (60, 2, 2)]),
    st.integers(0, 1000),
)
def test_as_the_plain_way(
    numbers: list[int], seconds: Fraction, kind: tuple[int, int, int], seed: int
) -> None:
    rate, dims, channels = kind
    random = np.random.default_rng(seed)
    frames = random.normal(size=(len(numbers), 2, 3, channels))
    frames[..., dims:] = random.random(frames[..., dims:].shape)
    frames *= random.random((len(numbers), 2, 3, 1)) < 0.5
    single = frames.astype(np.float32)
    theirs, count = plain(single.astype(np.float64), numbers, seconds, rate, dims)
    made, found = fill(single, np.array(numbers, np.int64), float(seconds), rate, dims)
    assert (made.dtype, found) == (np.float32, count)
    np.testing.assert_array_equal(made, theirs.astype(np.float32))


def test_a_joint_of_confidence_0_is_missing_wherever_it_is() -> None:
    frames = np.array([[0, 0, 0.9], [500, 500, 0], [2, 4, 0.5]], np.float32)[:, None, None]
    made, _ = fill(frames, np.arange(3), 0.1, 30, dims=2)
    np.testing.assert_array_equal(made[1, 0, 0], np.array([1, 2, 0.5], np.float32))


def lost(rate: float | None = None) -> Sample:
    """A walk of two people, of whom one comes late and loses a wrist and, later, all joints."""
    random = np.random.default_rng(0)
    frames = random.uniform(1, 2, (20, 2, 17, 3)).astype(np.float32)
    frames[:4, 1] = 0
    frames[6:8, 1, 9] = 0
    frames[10:19, 1] = 0
    return Sample("walk", frames, label="a", fps=rate)


def described(**about: Any) -> StoreInfo:
    return StoreInfo(name="x", layout=LAYOUT, channels=tuple("xyz"), unit="metre", **about)


def filled(samples: list[Sample], seconds: float, **about: Any) -> tuple[StoreInfo, list[Sample]]:
    info, made = fill_samples(described(**about), iter(samples), seconds)
    return info, list(made)


def test_what_is_changed_is_counted_and_said() -> None:
    whole = replace(lost(), sample="whole", frames=np.ones((5, 1, 17, 3), np.float32))
    info, (walk, same) = filled([lost(), whole], 0.2, fps=30)
    assert info.settings["fill_gaps"] == {"seconds": 0.2, "missing": 2 + 9 * 17, "filled": 2}
    assert info.notes == {"2 of 155 missing joints filled, in gaps of up to 0.2 s": 1}
    assert same.frames is whole.frames
    np.testing.assert_array_equal(walk.frames[10:19, 1], 0)
    np.testing.assert_array_equal(walk.frames[:4, 1], 0)


def test_the_gap_is_measured_in_time() -> None:
    for rate, count in ((10, 0), (30, 2), (None, 2)):
        assert filled([lost(rate)], 0.2)[0].settings["fill_gaps"]["filled"] == count
    info, _ = filled([lost()], 0.2)
    assert list(info.notes) == [
        "2 of 155 missing joints filled, in gaps of up to 0.2 s, at 30 frames a second where not "
        "known (fps)"
    ]
    every = replace(lost(30), frame_numbers=np.arange(20) * 4)
    assert filled([every], 0.2)[0].settings["fill_gaps"]["filled"] == 0


def test_a_store_says_whether_it_has_such_gaps(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", [lost()], described(fps=30))
    assert to_be_filled(store, 0.2)
    assert not to_be_filled(store, 0.09)
    info, samples = fill_samples(store.info, store.samples(), 0.2)
    again = write_store(tmp_path / "again", samples, info)
    assert not to_be_filled(again, 0.2)
    assert open_store(tmp_path / "again").info.settings["fill_gaps"]["filled"] == 2


@pytest.mark.parametrize("seconds", [0.0, -1.0, 61.0, float("nan")])
def test_a_gap_that_no_recording_has_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"fill_gaps must be above 0 and at most 60 seconds"):
        filled([lost()], seconds)


def test_gaps_are_filled_before_frames_are_left_out() -> None:
    sample = Sample("s", np.arange(1.0, 10).reshape(9, 1, 1, 1).repeat(17, 2).repeat(3, 3), fps=60)
    sample.frames[[3, 5]] = 0
    _, (made,) = in_time(described(), iter([sample]), 0.1, 25)
    np.testing.assert_allclose(made.frames[:, 0, 0, 0], [1, 3.4, 5.8, 8.2])


def test_ends_that_agree_keep_every_bit() -> None:
    value = np.float32(0.1)
    frames: npt.NDArray[np.float32] = np.full((4, 1, 1, 3), value, np.float32)
    frames[1:3] = 0
    np.testing.assert_array_equal(fill(frames, np.arange(4), 1, 30)[0], value)
