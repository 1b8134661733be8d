"""Recordings of any length, cut into windows that are each judged like a recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from aclnet.data.prepare import layout_centre, prepare_recording
from aclnet.data.sample import COLUMNS, Frames, Sample, StoreInfo
from aclnet.data.store import Store
from aclnet.runs.settings import Persons, Preparation
from aclnet.skeleton import layout_from_dict


class Window(NamedTuple):
    """A part of a recording.

    Attributes:
        person: number of the person from 0, in the order of the file; None: all together.
        start: first frame, from 0.
        end: the frame after the last one.
        frames: (T, M, V, C), the network's input.
    """

    person: int | None
    start: int
    end: int
    frames: Frames


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
        prepare: "main_person" as in `aclnet.data.convert`, window by window.

    Raises:
        ValueError: a coordinate of the sample is not finite.
    """
    frames = np.asarray(sample.frames)
    _check_finite(frames, sample.sample)
    for person, alone in _people(frames, persons):
        for start in window_starts(len(alone), window, stride):
            part = alone[start : start + window]
            end = start + len(part)
            if np.any(part[..., : info.dims]):
                if prepare == "main_person":
                    joint = layout_centre(layout_from_dict(info.layout))
                    part = prepare_recording(part, joint, dims=info.dims)
                yield Window(person, start, end, part)


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
    frames = np.asarray(sample.frames)
    if not len(frames):
        raise ValueError(f"sample {sample.sample!r} has no frame")
    _check_finite(frames, sample.sample)
    if not frames.any():
        raise ValueError(f"sample {sample.sample!r}: nobody is seen in any frame")
    return frames


def window_store(windows: list[Frames], info: StoreInfo) -> Store:
    """Recordings or windows (T, M, V, C) as a store in memory; it may be empty."""
    index = pd.DataFrame("", index=range(len(windows)), columns=list(COLUMNS))
    lengths = np.array([len(window) for window in windows], dtype=np.int64)
    index["sample"] = [str(number) for number in range(len(windows))]
    index["start"], index["length"] = np.cumsum(lengths) - lengths, lengths
    empty = np.zeros((0, 1, len(info.layout["joints"]), len(info.channels)), dtype=np.float32)
    return Store(info, index, np.concatenate(windows) if windows else empty)


def _check_finite(frames: Frames, name: str) -> None:
    wrong = np.argwhere(~np.isfinite(frames))
    if len(wrong):
        frame, person, joint, _ = wrong[0].tolist()
        raise ValueError(
            f"sample {name!r}: frame {frame}, person {person}, joint {joint} is not a finite "
            "number: write 0 where a joint was not found, or leave the frame out"
        )
