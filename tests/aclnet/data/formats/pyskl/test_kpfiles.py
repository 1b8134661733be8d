from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.formats.pyskl.kpfiles import decompress_pose


@pytest.mark.parametrize("case", ["a", "b"])
@pytest.mark.parametrize("squeeze", [False, True])
def test_equal_to_the_released_operator(case: str, squeeze: bool, shared: Path) -> None:
    with np.load(shared / "golden/action/pipeline_decompress.npz") as golden:
        kept = golden[f"{case}_box_score"] >= float(golden[f"{case}_box_thr"])
        found = decompress_pose(
            golden[f"{case}_keypoint"][kept],
            golden[f"{case}_frame_inds"][kept],
            int(golden[f"{case}_total_frames"]),
            squeeze=squeeze,
            max_persons=int(golden[f"{case}_max_person"]),
        )
        name = f"squeeze{int(squeeze)}"
        np.testing.assert_array_equal(found[..., :2], golden[f"{case}_out_kp_{name}"])
        np.testing.assert_array_equal(found[..., 2], golden[f"{case}_out_score_{name}"])
        assert found.shape[1] == golden[f"{case}_out_total_{name}"]
    assert found.dtype == np.float16


def plainly(boxes: Any, frames: Any, total: int, squeeze: bool, most: int) -> Any:
    """Frame by frame, without any indexing trick: (M, T, V, 3)."""
    numbers = sorted(set(frames.tolist())) if squeeze else range(total)
    people = [[box for box, at in zip(boxes, frames, strict=True) if at == t] for t in numbers]
    persons = max(map(len, people), default=0)
    if persons > most:
        people = [sorted(group, key=lambda box: -box[:, 2].sum())[:most] for group in people]
    out = np.zeros((min(persons, most), len(people), *boxes.shape[1:]), np.float16)
    for frame, group in enumerate(people):
        for person, box in enumerate(group):
            out[person, frame] = box
    return out


@given(st.lists(st.integers(0, 5), max_size=12), st.booleans(), st.integers(1, 4))
def test_equal_to_a_plain_reading(frames: list[int], squeeze: bool, most: int) -> None:
    boxes = np.random.default_rng(len(frames)).uniform(size=(len(frames), 4, 3))
    boxes = boxes.astype(np.float16)
    found = decompress_pose(boxes, np.array(frames, np.int16), 6, squeeze=squeeze, max_persons=most)
    expected = plainly(boxes, np.array(frames, int), 6, squeeze, most)
    np.testing.assert_array_equal(found, expected)
