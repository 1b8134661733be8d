"""The forms in which people write MediaPipe's landmarks, brought into one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from aclnet.data.formats.keypoints.frames import KeypointFrames, load_json, number_rows
from aclnet.data.formats.keypoints.people import PeopleInFrames
from aclnet.data.formats.keypoints.table import FRAME_COLUMNS, PERSON_COLUMNS, find_column
from aclnet.skeleton import Layout, load_layout

Space = Literal["image", "world"]

_COUNT = 33
_LANDMARK_COLUMNS = (
    "landmark",
    "landmark_name",
    "landmark_id",
    "landmark_index",
    "landmark_idx",
    "joint",
)
_AXES = ("x", "y", "z", "visibility")
_NUMBERED = re.compile(r"(x|y|z|v|visibility)_?(\d{1,2})\Z", re.IGNORECASE)
_KEYS = {
    "image": ("pose_landmarks", "poseLandmarks", "landmarks"),
    "world": ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks"),
}


def row_form(columns: Sequence[str]) -> str:
    """How a table holds landmarks: "landmark" (a row each), "frame" (x0, y0, …), or ""."""
    lower = [column.lower() for column in columns]
    if {"x", "y"} <= set(lower) and find_column(columns, _LANDMARK_COLUMNS):
        return "landmark"
    numbers = {match[2] for column in columns if (match := _NUMBERED.match(column))}
    return "frame" if len(numbers) == _COUNT else ""


def named_columns(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The table with a row a frame and person and columns `<joint>_<axis>`.

    Raises:
        ValueError: a landmark is not one of the 33, or comes twice in a frame.
    """
    form = row_form(list(table.columns))
    if form == "landmark":
        return _spread(table, file)
    return _name_numbers(table) if form == "frame" else table


def landmark_people(file: Path, space: Space) -> KeypointFrames:
    """The people of a JSON file of landmarks.

    Args:
        file: the file.
        space: which landmarks to take where a frame has both.

    Raises:
        ValueError: it is no such file, a person has not 33 landmarks, or a number is not finite.
    """
    content = load_json(file)
    items = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise _foreign(file)
    found = PeopleInFrames()
    for number, item in enumerate(items):
        frame = _frame(item, number)
        found.add_frame(frame)
        for person, landmarks in enumerate(_people(item, space, file, frame)):
            place = f"frame {frame}, person {person}"
            found.add(frame, _row(landmarks, f"{file}: {place}"), place)
    rows = number_rows(found.rows, found.places, file)
    points = rows.reshape(len(rows), _COUNT, rows.shape[1] // _COUNT or len(_AXES))
    return found.build(points, load_layout("mediapipe33").joints)


def _frame(item: Any, number: int) -> str:
    if not isinstance(item, dict):
        return str(number)
    value = next((item[key] for key in FRAME_COLUMNS if key in item), number)
    return str(value)


def _people(item: Any, space: Space, file: Path, frame: str) -> list[list[Any]]:
    """The people of a frame, each a list of landmarks."""
    if isinstance(item, dict):
        keys = [*_KEYS[space], *_KEYS["world" if space == "image" else "image"]]
        present = [key for key in keys if key in item]
        if not present:
            raise _foreign(file, f" (frame {frame})")
        item = next((item[key] for key in present if item[key]), None)
    if not item:
        return []
    if not isinstance(item, list) or not all(isinstance(one, (list, dict)) for one in item):
        raise _foreign(file, f" (frame {frame})")
    one_person = isinstance(item[0], dict) or _flat(item[0])
    return [item] if one_person else item


def _flat(values: list[Any]) -> bool:
    return all(type(value) in (int, float) for value in values)


def _row(landmarks: list[Any], where: str) -> list[Any]:
    """x, y[, z] and visibility (1 where it is not given) of one landmark after another."""
    if not isinstance(landmarks, list) or len(landmarks) != _COUNT:
        count = len(landmarks) if isinstance(landmarks, list) else "no list of"
        raise ValueError(f"{where}: {count} landmarks; MediaPipe Pose has {_COUNT}")
    row: list[Any] = []
    for landmark in landmarks:
        values = landmark
        if isinstance(landmark, dict):
            values = [landmark.get(axis) for axis in ("x", "y", "z") if axis in landmark]
            values = [*values, landmark.get("visibility", 1.0)]
        if not isinstance(values, list) or len(values) not in (3, 4):
            raise ValueError(
                f"{where}: a landmark must be an object x, y[, z][, visibility], or a list of x, "
                "y[, z], visibility"
            )
        row += values
    return row


def _name_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """x0, y0, … by the landmarks' names; rows are frames where no column says so."""
    joints = load_layout("mediapipe33").joints
    matches = {column: _NUMBERED.match(column) for column in table.columns}
    numbers = [int(match[2]) for match in matches.values() if match]
    names = {
        column: f"{joints[int(match[2]) - min(numbers)]}_{match[1]}"
        for column, match in matches.items()
        if match
    }
    named = table.rename(columns=names)
    if find_column(list(table.columns), FRAME_COLUMNS) is None:
        named.insert(0, "frame", [str(row) for row in range(len(named))])
    return named


def _spread(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """One row a landmark as one row a frame and person."""
    columns = list(table.columns)
    frame = find_column(columns, FRAME_COLUMNS)
    landmark = find_column(columns, _LANDMARK_COLUMNS)
    if frame is None or landmark is None:
        raise ValueError(f"{file}: no column frame; the columns are {', '.join(columns)}")
    person = find_column(columns, PERSON_COLUMNS)
    layout = load_layout("mediapipe33")
    known = {text: _joint(text, layout, file) for text in table[landmark].unique()}
    joints = [known[text] for text in table[landmark]]
    keys = [frame, *([person] if person else [])]
    values = {column.lower(): table[column] for column in columns if column.lower() in _AXES}
    long = table[keys].assign(landmark_=joints, **values)
    if long.duplicated([*keys, "landmark_"]).any():
        row = int(long.duplicated([*keys, "landmark_"]).to_numpy().argmax())
        raise ValueError(
            f"{file}: line {row + 2}: landmark {joints[row]} is in frame {table[frame][row]} "
            "twice; give people a column person"
        )
    wide = long.pivot(index=keys, columns="landmark_", values=list(values)).fillna("")
    wide.columns = pd.Index([f"{pair[1]}_{pair[0]}" for pair in wide.columns.to_list()])
    return wide.reset_index()


def _joint(text: str, layout: Layout, file: Path) -> str:
    """A landmark's name from its number or its name, such as PoseLandmark.NOSE."""
    name = text.strip().rpartition(".")[2]
    place = int(name) if name.isdecimal() else layout.find(name)
    if place is None or place >= _COUNT:
        raise ValueError(f"{file}: no landmark {text!r} in MediaPipe Pose; give 0 to 32 or a name")
    return layout.joints[place]


def _foreign(file: Path, where: str = "") -> ValueError:
    return ValueError(
        f"{file}: no list of MediaPipe landmarks{where}: it must be a list of frames, each the 33 "
        "landmarks or an object with them under pose_landmarks"
    )
