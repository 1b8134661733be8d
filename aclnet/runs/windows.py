"""Recordings of any length, cut into windows that are each judged like a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from aclnet.data.numbering import Numbers
from aclnet.data.prepare import layout_centre, prepare_sample
from aclnet.data.sample import COLUMNS, Frames, Sample, StoreInfo
from aclnet.data.store import Store
from aclnet.runs.settings import Persons, Preparation
from aclnet.skeleton import layout_from_dict


class Window(NamedTuple):
    """A part of a recording.

    Attributes:
        person: number of the person from 0, in the order of the file; None: all together.
        numbers: (T,) rising, the frames' numbers in the recording as it was filmed.
        frames: (T, M, V, C), the network's input.
    """

    person: int | None
    numbers: Numbers
    frames: Frames

    @property
    def start(self) -> int:
        """Number of the first frame."""
        return int(self.numbers[0])

    @property
    def end(self) -> int:
        """The number after that of the last frame."""
        return int(self.numbers[-1]) + 1


def window_starts(length: int, window: int, stride: int) -> list[int]:
    """First frames of a recording's windows; the last window ends with the recording.

    >>> window_starts(21, window=10, stride=4), window_starts(7, window=10, stride=4)
    ([0, 4, 8, 11], [0])
    """
    last = max(length - window, 0)
    return sorted({*range(0, last + 1, stride), last})


def cut_windows(
    sample: Sample,
    info: StoreInfo,
    window: int,
    stride: int,
    *,
    persons: Persons = "together",
    prepare: Preparation = "none",
) -> Iterator[Window]:
    """The windows of a recording in which somebody is seen, person by person.

    Args:
        sample: the recording.
        info: description of its data.
        window: frames of a window; a recording with fewer is one window.
        stride: frames between the starts of two windows.
        persons: "together": all persons are one group; "apart": each is judged alone.
        prepare: "main_person" as in `aclnet.data.convert`, window by window; a window then has the
            frames with the main person.

    Raises:
        ValueError: a coordinate of the sample is not finite.
    """
    _check_finite(sample)
    for person, frames in _people(sample.frames, persons):
        alone = replace(sample, frames=frames)
        for start in window_starts(len(frames), window, stride):
            part = alone.keep(slice(start, start + window))
            if np.any(part.frames[..., : info.dims]):
                if prepare == "main_person":
                    joint = layout_centre(layout_from_dict(info.layout))
                    part = prepare_sample(part, joint, dims=info.dims)
                yield Window(person, part.numbers, part.frames)


def _people(frames: Frames, persons: Persons) -> Iterator[tuple[int | None, Frames]]:
    if persons == "together":
        yield None, frames
        return
    for person in range(frames.shape[1]):
        # All persons keep their places, as the network may count absent ones.
        alone = np.zeros_like(frames)
        alone[:, 0] = frames[:, person]
        yield person, alone


def whole_recording(sample: Sample) -> Frames:
    """The frames (T, M, V, C) of a recording that is embedded as a whole.

    Raises:
        ValueError: it has no frame, nobody is seen in it, or a coordinate is not finite.
    """
    if not len(sample.frames):
        raise ValueError(f"sample {sample.sample!r} has no frame")
    _check_finite(sample)
    if not np.any(sample.frames):
        raise ValueError(f"sample {sample.sample!r}: nobody is seen in any frame")
    return sample.frames


def window_store(windows: list[Frames], info: StoreInfo) -> Store:
    """Recordings or windows (T, M, V, C) as a store in memory; it may be empty."""
    index = pd.DataFrame("", index=range(len(windows)), columns=list(COLUMNS))
    lengths = np.array([len(window) for window in windows], dtype=np.int64)
    index["sample"] = [str(number) for number in range(len(windows))]
    index["start"], index["length"] = np.cumsum(lengths) - lengths, lengths
    empty = np.zeros((0, 1, len(info.layout["joints"]), len(info.channels)), dtype=np.float32)
    return Store(info, index, np.concatenate(windows) if windows else empty)


def _check_finite(sample: Sample) -> None:
    wrong = np.argwhere(~np.isfinite(sample.frames))
    if len(wrong):
        frame, person, joint, _ = wrong[0].tolist()
        raise ValueError(
            f"sample {sample.sample!r}: frame {sample.numbers[frame]}, person {person}, joint "
            f"{joint} is not a finite number: write 0 where a joint was not found, or leave the "
            "frame out"
        )
