"""What a keypoint file holds: people found in frames, not yet tracks; and how its JSON is read.

Shared by the readers of files that pose estimators write (`aclnet.data.formats`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Unit = Literal["pixel", "metre", "normalised"]


@dataclass(frozen=True)
class KeypointFrames:
    """The people found in one video, D detections in all, ordered by frame.

    Args:
        frame: (D,) int64, 0-based number of the frame.
        track: D names of people as the file gives them; empty where it gives none.
        points: (D, V, C) float32: x, y, [z,] confidence.
        length: T, the number of frames, those with nobody too.
        joints: the V joints' names, where the file gives them.
        unit: of the coordinates, where the format fixes it.
    """

    frame: IndexArray
    track: tuple[str, ...]
    points: Points
    length: int
    joints: tuple[str, ...] = ()
    unit: Unit | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, mask: BoolArray) -> KeypointFrames:
        """The detections of a mask (D,); the frames stay."""
        track = tuple(itertools.compress(self.track, mask.tolist()))
        return replace(self, frame=self.frame[mask], track=track, points=self.points[mask])


def number_rows(rows: Sequence[object], places: Sequence[str], file: Path) -> Points:
    """Lists of equally many finite numbers as one array.

    Args:
        rows: D lists as JSON gives them.
        places: what an error calls each of them, such as "12.jpg, person 0".
        file: where they come from.

    Returns:
        float32 (D, W).

    Raises:
        ValueError: a row is no list of numbers, has another length than the first, or holds NaN
            or infinity.
    """
    width = -1
    for row, place in zip(rows, places, strict=True):
        if not isinstance(row, list) or not all(type(value) in (int, float) for value in row):
            raise ValueError(
                f"{file}: {place}: keypoints must be a list of numbers; write 0 for a joint that "
                "was not found"
            )
        width = len(row) if width < 0 else width
        if len(row) != width:
            raise ValueError(
                f"{file}: {place}: {len(row)} numbers, the first person has {width}; convert "
                "files of different joints apart"
            )
    array: Points = np.array(rows, dtype=np.float32).reshape(len(rows), max(width, 0))
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{file}: {places[int(np.flatnonzero(bad)[0])]}: a keypoint is NaN or infinite; write "
            "0 for a joint that was not found"
        )
    return array


def triples(rows: Points, places: Sequence[str], file: Path) -> Points:
    """Rows x, y, confidence, x, y, confidence, …: (D, 3V) to (D, V, 3).

    Raises:
        ValueError: the numbers are no triples.
    """
    count = rows.shape[1]
    if len(rows) and (count == 0 or count % 3):
        raise ValueError(
            f"{file}: {places[0]}: {count} numbers are no triples of x, y and confidence; "
            "give three numbers a joint"
        )
    return rows.reshape(len(rows), count // 3, 3)


def load_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: it is no JSON or cannot be read.
    """
    try:
        return json.loads(file.read_text("utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(
            f"{file}: not JSON, or cut off ({error}); write or copy the file again"
        ) from None
