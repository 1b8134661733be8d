from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats.keypoints.files import Recording
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.reader import KeypointReader
from aclnet.data.sample import Sample


def read(numbers: list[int], people: str = "together") -> list[Sample]:
    """Somebody in all frames, and from the third on somebody else."""
    frame = np.array([0, 1, 2, 2, 3, 3])
    points = np.full((6, 17, 3), 5.0, np.float32) + np.arange(17)[:, None]
    points[[3, 5]] += 500
    found = KeypointFrames(frame, ("1", "1", "1", "2", "1", "2"), points, np.array(numbers))
    reader = KeypointReader(
        lambda path: [Recording("a", (path,), "")], lambda *_: found, {(17, 2): ("coco17",)}
    )
    _, samples = reader(Path("a.json"), people=people)
    return list(samples)


@pytest.mark.parametrize("numbers", [[300, 301, 302, 303], [0, 5, 10, 15]])
def test_samples_keep_the_files_frame_numbers(numbers: list[int]) -> None:
    assert [sample.numbers.tolist() for sample in read(numbers)] == [numbers]
    apart = [sample.numbers.tolist() for sample in read(numbers, "apart")]
    assert apart == [numbers, numbers[2:]]


def test_rounded_times_are_no_frame_numbers() -> None:
    milliseconds = [0, 33, 67, 100]
    assert [sample.numbers.tolist() for sample in read(milliseconds)] == [[0, 1, 2, 3]]
    assert [s.numbers.tolist() for s in read(milliseconds, "apart")] == [[0, 1, 2, 3], [2, 3]]
