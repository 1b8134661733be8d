from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats.keypoints.files import Recording
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.reader import KeypointReader
from aclnet.data.sample import Sample, StoreInfo


def opened(
    counted: list[int], seen: tuple[int, int, int, int] = (0, 1, 2, 3), **options: str
) -> tuple[StoreInfo, list[Sample]]:
    """Somebody in four frames, and from the third on somebody else."""
    frame = np.repeat(seen, [1, 1, 2, 2])
    points = np.full((6, 17, 3), 5.0, np.float32) + np.arange(17)[:, None]
    points[[3, 5]] += 500
    found = KeypointFrames(frame, ("1", "1", "1", "2", "1", "2"), points, np.array(counted))
    reader = KeypointReader(
        lambda path: [Recording("a", (path,), "")], lambda *_: found, {(17, 2): ("coco17",)}
    )
    info, samples = reader(Path("a.json"), **options)
    return info, list(samples)


def read(numbers: list[int], people: str = "together") -> list[Sample]:
    return opened(numbers, people=people)[1]


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


@pytest.mark.parametrize(
    ("numbers", "note"),
    [
        ([5, 6, 7, 8], ""),
        ([0, 40, 80, 120], "increase by 40: read as 1 frame in 40 of the video; if they are "),
        (
            [0, 5, 10, 15],
            "milliseconds (200 frames per second), set the option numbers=milliseconds",
        ),
        ([0, 33, 67, 100], "read as times, 30 frames per second; if they count frames, set the op"),
    ],
)
def test_how_steps_are_read_is_said(numbers: list[int], note: str) -> None:
    for people in ("together", "apart"):
        info, _ = opened(numbers, people=people)
        assert note in "".join(info.notes)
        assert list(info.notes.values()) == [1] * bool(note)


def test_times_of_no_step_are_taken_as_frames_and_that_is_said() -> None:
    info, _ = opened([*range(98)], seen=(0, 34, 66, 97))
    assert [note[:42] for note in info.notes] == ["no two consecutive frames have a person: t"]


@pytest.mark.parametrize(
    ("numbers", "option", "kept", "rate"),
    [
        ([1000, 1040, 1080, 1120], "milliseconds", [25, 26, 27, 28], 25),
        ([0, 8, 17, 25], "milliseconds", [0, 1, 2, 3], 120),
        ([0, 1, 2, 3], "milliseconds", [0, 1, 2, 3], 1000),
        ([0, 33, 67, 100], "frames", [0, 33, 67, 100], None),
    ],
)
def test_what_numbers_count_may_be_given(
    numbers: list[int], option: str, kept: list[int], rate: float | None
) -> None:
    info, (sample,) = opened(numbers, numbers=option)
    assert (sample.numbers.tolist(), sample.fps, info.notes) == (kept, rate, {})
    assert info.settings["numbers"] == option
    with pytest.raises(
        ValueError, match="numbers must be auto or frames or milliseconds, not 'ms'"
    ):
        opened(numbers, numbers="ms")
