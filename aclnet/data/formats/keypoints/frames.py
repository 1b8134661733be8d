"""The content of a keypoint file: people found in frames but not followed yet."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.keypoints.files import IndexArray, frame_numbers
from aclnet.foreign.arrays import to_float32

Points = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Unit = Literal["pixel", "metre", "normalised"]


@dataclass(frozen=True)
class KeypointFrames:
    """The people found in one video, D detections in all, ordered by frame.

    Args:
        frame: (D,) int64, 0-based number of the frame.
        track: D names of people as in the file; empty where it has none.
        points: (D, V, C) float32: x, y, [z,] confidence.
        numbers: (T,) int64, rising: the number in the file of each frame, empty ones included.
        joints: the V joints' names, where the file has them.
        unit: of the coordinates, where the format fixes it.
        label: of the recording, where the file has it.
        notes: sentences on how the file was read.
    """

    frame: IndexArray
    track: tuple[str, ...]
    points: Points
    numbers: IndexArray
    joints: tuple[str, ...] = ()
    unit: Unit | None = None
    label: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, mask: BoolArray) -> KeypointFrames:
        """The detections of a mask (D,); the number of frames stays."""
        track = tuple(itertools.compress(self.track, mask.tolist()))
        return replace(self, frame=self.frame[mask], track=track, points=self.points[mask])


@dataclass
class PeopleInFrames:
    """Collects people by the name or number of their frame, in any order."""

    names: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    rows: list[object] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    tracks: list[str] = field(default_factory=list)

    def add_frame(self, name: str) -> None:
        """Add a frame by its name or number, with people or without."""
        self.names.append(name)

    def add(self, frame: str, row: object, place: str, track: str = "") -> None:
        """Add a person.

        Args:
            frame: the frame's name or number.
            row: the numbers, as read from JSON.
            place: the person in an error message.
            track: the file's id of the person, if it has one.
        """
        if not self.names or self.names[-1] != frame:
            self.names.append(frame)
        self.owners.append(len(self.names) - 1)
        self.rows.append(row)
        self.places.append(place)
        self.tracks.append(track)

    def triples(self, file: Path) -> KeypointFrames:
        """The people, a row being x, y, confidence of one joint after another.

        Raises:
            ValueError: a row is not a list of finite numbers, not as long as the first, or not of
                triples.
        """
        rows = number_rows(self.rows, self.places, file)
        count = rows.shape[1]
        if count % 3:
            raise ValueError(
                f"{file}: {self.places[0]}: {count} numbers are not triples of x, y and "
                "confidence; give three numbers per joint"
            )
        return self.build(rows.reshape(len(rows), count // 3, 3))

    def build(self, points: Points, joints: tuple[str, ...] = ()) -> KeypointFrames:
        """The people with points (D, V, C), in the order in which they were added."""
        frames, numbers = frame_numbers(self.names)
        frame = frames[np.array(self.owners, np.int64)]
        order = np.argsort(frame, kind="stable")
        track = tuple(self.tracks[row] for row in order.tolist())
        return KeypointFrames(frame[order], track, points[order], numbers, joints)


def number_rows(rows: Sequence[object], places: Sequence[str], file: Path) -> Points:
    """Lists of equally many finite numbers as one array; an empty list, a person unseen, is zero.

    Args:
        rows: D lists as read from JSON.
        places: each of them in an error message, such as "12.jpg, person 0".
        file: where they come from.

    Returns:
        float32 (D, W).

    Raises:
        ValueError: a row is not a list of numbers, has another length than the first, or holds NaN
            or infinity.
    """
    width = next((len(row) for row in rows if isinstance(row, list) and row), 0)
    for row, place in zip(rows, places, strict=True):
        if not isinstance(row, list) or not all(type(value) in (int, float) for value in row):
            raise ValueError(
                f"{file}: {place}: keypoints must be a list of numbers; write 0 for a joint that "
                "was not found"
            )
        if row and len(row) != width:
            raise ValueError(
                f"{file}: {place}: {len(row)} numbers, the first person has {width}; convert files "
                "with different joints separately"
            )
    full = [row or [0] * width for row in rows]
    array = to_float32(full).reshape(len(rows), width)
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{file}: {places[int(np.flatnonzero(bad)[0])]}: a keypoint is NaN or infinite; write "
            "0 for a joint that was not found"
        )
    return array


def person_id(value: object) -> str:
    """A person's id, a whole number from 0 on (7.0 and "7" too) or a list with one; else empty.

    >>> [person_id(value) for value in (7, 7.0, "7", [7], -1, 0.5, None)]
    ['7', '7', '7', '7', '', '', '']
    """
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isdecimal():
        return value
    return str(value) if type(value) is int and value >= 0 else ""
