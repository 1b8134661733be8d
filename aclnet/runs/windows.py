"""Recordings of unknown length cut into windows, each of which is judged as a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aclnet.data.prepare import layout_centre, prepare_recording
from aclnet.data.sample import COLUMNS, FIELDS, Frames, Sample, StoreInfo
from aclnet.data.store import Store
from aclnet.runs.settings import Persons, Preparation
from aclnet.skeleton import layout_from_dict


@dataclass(frozen=True)
class Window:
    """A part of a recording.

    Attributes:
        person: number of the person from 0, in the order of the file; None: all together.
        start: first frame, from 0.
        end: the frame after the last one.
        frames: (T, M, V, C) as the network's recordings are.
    """

    person: int | None
    start: int
    end: int
    frames: Frames


@dataclass(frozen=True)
class Cutting:
    """How recordings are cut.

    Attributes:
        window: frames of a window; a recording that has no more is one window.
        stride: frames between the starts of two windows.
        persons: "together": all persons of a sample are one group; "apart": each is judged alone.
        prepare: "main_person" as in `aclnet.data.convert`, window by window.
    """

    window: int
    stride: int
    persons: Persons = "together"
    prepare: Preparation = "none"

    def __post_init__(self) -> None:
        for name, value in (("window", self.window), ("stride", self.stride)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1 frame, not {value}")
        for name, text, known in (
            ("persons", self.persons, ("together", "apart")),
            ("prepare", self.prepare, ("none", "main_person")),
        ):
            if text not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}, not {text!r}")

    def starts(self, length: int) -> list[int]:
        """First frames of a recording's windows; the last window ends with the recording."""
        last = max(length - self.window, 0)
        return sorted({*range(0, last + 1, self.stride), last})

    def windows(self, sample: Sample, info: StoreInfo) -> Iterator[Window]:
        """The windows in which somebody is seen, person by person.

        Raises:
            ValueError: a number of the sample is not finite.
        """
        frames = np.asarray(sample.frames)
        _check_finite(frames, sample.sample)
        for person, alone in self._people(frames):
            for start in self.starts(len(alone)):
                part = alone[start : start + self.window]
                if np.any(part[..., : info.dims]):
                    made = self._prepared(part, info)
                    yield Window(person, start, start + len(part), made)

    def _people(self, frames: Frames) -> Iterator[tuple[int | None, Frames]]:
        if self.persons == "together":
            yield None, frames
            return
        for person in range(frames.shape[1]):
            # The network has learned from so many persons, and an absent one may count there.
            alone = np.zeros_like(frames)
            alone[:, 0] = frames[:, person]
            yield person, alone

    def _prepared(self, frames: Frames, info: StoreInfo) -> Frames:
        if self.prepare == "none":
            return frames
        joint = layout_centre(layout_from_dict(info.layout))
        return prepare_recording(frames, joint, dims=info.dims)


def whole_recording(sample: Sample) -> Frames:
    """The frames (T, M, V, C) of a recording that is embedded as a whole.

    Raises:
        ValueError: it has no frame, or a number of it is not finite.
    """
    frames = np.asarray(sample.frames)
    if not len(frames):
        raise ValueError(f"sample {sample.sample!r} has no frame")
    _check_finite(frames, sample.sample)
    return frames


def window_store(windows: list[Frames], info: StoreInfo) -> Store:
    """Recordings or windows (T, M, V, C) as a store in memory; it may be empty."""
    lengths = [len(window) for window in windows]
    starts = np.cumsum([0, *lengths])[:-1]
    blank = dict.fromkeys(FIELDS, "")
    rows = [
        {"sample": str(number), "start": int(start), "length": length, **blank}
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True))
    ]
    joints = len(info.layout["joints"])
    frames = (
        np.concatenate(windows)
        if windows
        else np.zeros((0, 1, joints, len(info.channels)), dtype=np.float32)
    )
    return Store(info, pd.DataFrame(rows, columns=list(COLUMNS)), frames)


def _check_finite(frames: Frames, name: str) -> None:
    wrong = np.argwhere(~np.isfinite(frames))
    if len(wrong):
        frame, person, joint, _ = wrong[0].tolist()
        raise ValueError(
            f"sample {name!r}: frame {frame}, person {person}, joint {joint} is not a finite "
            "number: write 0 where a joint was not found, or leave the frame out"
        )
