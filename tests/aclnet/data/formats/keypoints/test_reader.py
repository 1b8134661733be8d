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
    milliseconds = [10000, 10033, 10067, 10100]
    for unit in (1, 1000):
        (sample,) = read([number * unit + (number == 10033) for number in milliseconds])
        assert (sample.numbers.tolist(), sample.fps) == ([300, 301, 302, 303], 30)
    apart = [sample.numbers.tolist() for sample in read(milliseconds, "apart")]
    assert apart == [[300, 301, 302, 303], [302, 303]]


def test_rounded_steps_below_any_time_are_frame_numbers() -> None:
    (sample,) = read([0, 4, 8, 11])
    assert (sample.numbers.tolist(), sample.fps) == ([0, 4, 8, 11], None)
