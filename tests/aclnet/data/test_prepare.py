from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.prepare import layout_centre, prepare_recording
from aclnet.skeleton import load_layout

NTU_FILES = ("ntu_1p_f32", "ntu_2p_f32", "ntu_2p_f16")
Array = npt.NDArray[Any]


def recording(seed: int, persons: int = 2, frames: int = 9, empty: float = 0.4) -> Array:
    """(T, M, 5, 3); some persons' frames and some joints are empty."""
    random = np.random.default_rng(seed)
    made = random.normal(size=(frames, persons, 5, 3)).astype(np.float32)
    made[random.random((frames, persons)) < empty] = 0
    made[random.random((frames, persons, 5)) < 0.1] = 0
    return made


@pytest.mark.parametrize("name", NTU_FILES)
def test_recordings_are_prepared_as_in_the_release(shared: Path, name: str) -> None:
    with np.load(shared / "golden" / "action" / f"pipeline_{name}.npz") as file:
        golden = {key: file[key] for key in file.files}
    frames = golden["kp"].swapaxes(0, 1)
    joint = layout_centre(load_layout("ntu25"))
    made = prepare_recording(frames, joint)
    np.testing.assert_array_equal(made.swapaxes(0, 1), golden["pre"])
    assert made.dtype == golden["pre"].dtype
    assert len(made) == golden["pre_total_frames"]


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_the_main_person_is_first_whole_and_centred(seed: int, persons: int) -> None:
    frames = recording(seed, persons)
    made = prepare_recording(frames, centre_joint=2)
    seen = frames.any(axis=(2, 3)).sum(axis=0)
    main = int(np.argmax(seen))
    if not seen.any():
        assert made is frames
        return
    assert len(made) == seen.max()
    order = [main, *(p for p in range(persons) if p != main)]
    kept = frames[frames[:, main].any(axis=(1, 2))][:, order]
    if persons <= 2:
        there = (kept != 0).any(axis=-1, keepdims=True)
        np.testing.assert_array_equal(made, (kept - kept[0, 0, 2]) * there)
        assert not made[~there[..., 0]].any()
    np.testing.assert_array_equal(made[0, 0, 2], 0)


@given(st.integers(0, 10**6))
def test_who_stands_first_in_the_file_does_not_matter(seed: int) -> None:
    frames = recording(seed)
    first, second = frames.any(axis=(2, 3)).sum(axis=0)
    if first == second:
        return
    made = prepare_recording(frames, 2)
    other = prepare_recording(frames[:, ::-1], 2)
    np.testing.assert_array_equal(made, other)


def test_a_recording_is_not_changed_in_place_and_confidence_is_left_alone() -> None:
    frames = recording(3)
    frames = np.concatenate([frames, np.full_like(frames[..., :1], 0.5)], axis=-1)
    before = frames.copy()
    made = prepare_recording(frames, 2, dims=3)
    np.testing.assert_array_equal(frames, before)
    assert len(made) < len(frames)
    assert (made[..., 3] == 0.5).all()


def test_the_centre_is_the_spine() -> None:
    assert layout_centre(load_layout("ntu25")) == 1
    assert layout_centre(load_layout("kinect20")) == 1
    with pytest.raises(ValueError, match=r"coco17 has no joint spine.*map_to=coco20"):
        layout_centre(load_layout("coco17"))
