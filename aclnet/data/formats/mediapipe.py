"""MediaPipe Pose's 33 landmarks in users' CSV and JSON files.

MediaPipe has no file format (fields: ai.google.dev/edge/mediapipe, Pose Landmarker). Supported are:

- CSV with one row a landmark: frame, landmark (number or name), x, y[, z][, visibility];
- CSV with one row a frame: x0, y0[, z0][, v0], …, x32, … (or 1 to 33), frame and person if there;
  without a frame column each row is the next frame;
- CSV with named columns, as `keypoint_csv`;
- JSON: a list of frames (or an object with `frames`, or of frames by number or name). A frame is a
  list of 33 landmarks, a list of such lists (people), or an object with one of these under
  pose_landmarks, landmarks or pose_world_landmarks, and its number under frame. Between these and
  the list of 33 there may be MediaPipe's own `landmark`. A landmark is an object x, y[, z][,
  visibility] or a list of these; the third of three numbers is z if any lies outside 0..1.

World landmarks are metres from the middle of the hips, by which they are recognised; image
landmarks are 0..1 (z in units of the image's width, the model's estimate). If no frame has two
people, all of them are one person: MediaPipe follows one by default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from aclnet.data.formats.keypoints.files import (
    Recording,
    check_all_numbered,
    check_frames_once,
    check_one_folder,
    find_recordings,
    first_head,
    first_lines,
)
from aclnet.data.formats.keypoints.frames import (
    KeypointFrames,
    PeopleInFrames,
    Unit,
    number_rows,
)
from aclnet.data.formats.keypoints.joints import unit_of
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.data.formats.keypoints.table import (
    FRAME_COLUMNS,
    PERSON_COLUMNS,
    check_one_recording,
    find_column,
    further_columns,
    header,
    not_read,
    read_table,
    table_people,
)
from aclnet.data.formats.keypoints.tracks import seen_joints, without_twins
from aclnet.foreign.text import load_json
from aclnet.skeleton import Layout, load_layout

Space = Literal["image", "world"]

_HEAD = re.compile(
    r'"(pose_?)?(world_?)?landmarks":(\{"landmark":)?\['
    r'|\A(\{("frames"|"[^"]*\d[^"]*"):)?\[*(\{"landmark":\[)?\{"x":-?[\d.][^{]*"y":',
    re.IGNORECASE,
)
_AT_ORIGIN = 0.05  # metres from the origin of world landmarks to the middle of the hips
_COUNT = 33
_LANDMARK_COLUMNS = (
    "landmark",
    "joint",
    *(f"landmark_{end}" for end in ("name", "id", "index", "idx")),
)
_AXES = ("x", "y", "z", "visibility")
_NUMBERED = re.compile(r"(x|y|z|v|visibility)_?(\d{1,2})\Z", re.IGNORECASE)
_KEYS = {
    "image": ("pose_landmarks", "poseLandmarks", "landmarks", "landmark"),
    "world": ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks"),
}


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    if _HEAD.search(first_head(path)):
        return True
    return any(_row_form(header(line)) for line in first_lines(path, ".csv"))


@dataclass(frozen=True, kw_only=True)
class MediapipeOptions(KeypointOptions):
    """The common options, and those of landmarks.

    Attributes:
        space: which landmarks to take where a file has both, "image" or "world".
        dims: 2 leaves z out, 3 requires it; by default z is read where it is there.

    Raises:
        ValueError: a value is not one of these.
    """

    space: Space = "image"
    dims: Literal[2, 3] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.space not in ("image", "world") or self.dims not in (None, 2, 3):
            raise ValueError(
                f"space must be image or world and dims 2 or 3, not {self.space!r} and "
                f"{self.dims!r}; leave dims out to read z where it is there"
            )


def _load(recording: Recording, options: MediapipeOptions) -> KeypointFrames:
    file = recording.place
    if file.suffix.lower() == ".json":
        found = _from_json(file, options.space)
    else:
        found = _from_table(read_table(file), file)
    alone = without_twins(found)
    if not any(found.track) and len(np.unique(alone.frame)) == len(alone):
        found = replace(found, track=("1",) * len(found))
    found = replace(found, unit=_unit(found))
    if options.dims == 3 and found.points.shape[2] == 3 and len(found):
        raise ValueError(f"{file}: its landmarks have no z; set dims to 2")
    return replace(found, points=found.points[..., [0, 1, -1]]) if options.dims == 2 else found


def _unit(found: KeypointFrames) -> Unit | None:
    """Metres about the hips, or shares of the image, beyond whose left edge a body may reach."""
    if _hips_at_origin(found):
        return "metre"
    return unit_of(found.points[..., [0, 1, -1]])


def _hips_at_origin(found: KeypointFrames) -> bool:
    """Whether the middle of the hips is the origin of the coordinates."""
    if not {"left_hip", "right_hip"} <= set(found.joints):
        return False
    hips = [found.joints.index(name) for name in ("left_hip", "right_hip")]
    seen = seen_joints(found.points)[:, hips].all(axis=1)
    middle = found.points[seen][:, hips, :2].mean(axis=1)
    return bool(len(middle)) and float(np.abs(middle).max(axis=1).mean()) < _AT_ORIGIN


def _from_json(file: Path, space: Space) -> KeypointFrames:
    """The people of a JSON file of landmarks."""
    content = load_json(file)
    items = content.get("frames", content) if isinstance(content, dict) else content
    if not isinstance(items, (list, dict)) or (isinstance(items, dict) and _has_landmarks(items)):
        raise _foreign(file)
    named = list(items.items() if isinstance(items, dict) else enumerate(items))
    check_one_folder((str(name) for name, _ in named), file)
    other: Space = "world" if space == "image" else "image"
    known = [(space, key) for key in _KEYS[space]] + [(other, key) for key in _KEYS[other]]
    # The file's, not each frame's: a frame may have an empty list where another has people.
    filled = (s for s, key in known if any(isinstance(f, dict) and f.get(key) for _, f in named))
    chosen = next(filled, space)
    found = PeopleInFrames()
    listed = True
    if any(_own_number(item) for _, item in named):  # null in their place is not a frame
        named = [(_own_number(item), item) for _, item in named if item]
        check_all_numbered((bool(number) for number, _ in named), file)
    frames = [str(name) for name, _ in named]
    check_frames_once(frames, file)
    for frame, (_, item) in zip(frames, named, strict=True):
        found.add_frame(frame)
        for person, landmarks in enumerate(_people(item, chosen, file, frame)):
            place = f"frame {frame}, person {person}"
            found.add(frame, _row(landmarks, f"{file}: {place}"), place)
            listed = listed and isinstance(landmarks[0], list)
    rows = number_rows(found.rows, found.places, file)
    points = rows.reshape(len(rows), _COUNT, rows.shape[1] // _COUNT or len(_AXES))
    third = points[..., 2]
    if listed and points.shape[2] == 3 and ((third < 0) | (third > 1)).any():
        points = np.concatenate([points, np.ones_like(points[..., :1])], axis=2)
    return found.build(points, load_layout("mediapipe33").joints)


def _own_number(item: Any) -> str | None:
    """A frame's number, where it has one beside its landmarks."""
    keys = FRAME_COLUMNS if isinstance(item, dict) else ()
    return next((str(item[key]) for key in keys if key in item), None)


def _people(item: Any, space: Space, file: Path, frame: str) -> list[list[Any]]:
    """The people of a frame, each a list of landmarks."""
    if isinstance(item, dict):
        if not _has_landmarks(item):
            raise _foreign(file, f" (frame {frame})")
        item = _inner(next((item[key] for key in _KEYS[space] if item.get(key)), None))
    if not item:
        return []
    if not isinstance(item, list) or not all(isinstance(one, (list, dict)) for one in item):
        raise _foreign(file, f" (frame {frame})")
    people = [inner for one in item if (inner := _inner(one))]
    if not people:
        return []
    first = people[0]
    one_person = isinstance(first, dict) or all(type(value) in (int, float) for value in first)
    return [people] if one_person else people


def _has_landmarks(item: dict[str, Any]) -> bool:
    return any(key in item for keys in _KEYS.values() for key in keys)


def _inner(landmarks: Any) -> Any:
    """The list in a landmark list of MediaPipe, `{"landmark": […]}`."""
    return landmarks.get("landmark", landmarks) if isinstance(landmarks, dict) else landmarks


def _row(landmarks: list[Any], where: str) -> list[Any]:
    """x, y[, z] and visibility (1 by default) of one landmark after another."""
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
    if len(row) % _COUNT:
        raise ValueError(
            f"{where}: some landmarks have z and others do not; write it for all or none"
        )
    return row


def _foreign(file: Path, where: str = "") -> ValueError:
    return ValueError(
        f"{file}: not a list of MediaPipe landmarks{where}: it must be a list of frames, each the "
        "33 landmarks or an object with them under pose_landmarks"
    )


def _row_form(columns: Sequence[str]) -> str:
    """How a table holds landmarks: "landmark" (a row each), "frame" (x0, y0, …), or ""."""
    lower = [column.lower() for column in columns]
    if {"x", "y"} <= set(lower) and find_column(columns, _LANDMARK_COLUMNS):
        return "landmark"
    numbers = {match[2] for column in columns if (match := _NUMBERED.match(column))}
    return "frame" if len(numbers) == _COUNT else ""


def _from_table(table: pd.DataFrame, file: Path) -> KeypointFrames:
    """The people of a table, which gets one row a frame and person and columns `<joint>_<axis>`."""
    form = _row_form(list(table.columns))
    if form == "frame":
        return table_people(_name_numbers(table, file), file)
    if not form:
        return table_people(table, file)
    check_one_recording(table, file)
    names = {*_AXES, *FRAME_COLUMNS, *_LANDMARK_COLUMNS, *PERSON_COLUMNS}
    read = {column for column in table.columns if column.lower() in names}
    notes = not_read(further_columns(table, read))
    return replace(table_people(_spread(table, file), file), notes=notes)


def _name_numbers(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """x0, y0, … by the landmarks' names; without a frame column the rows are frames."""
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
        for column in further_columns(table, {*names, *PERSON_COLUMNS}):
            values = pd.to_numeric(table[column], errors="coerce")
            if values.isna().any() and table[column].nunique() > 1:
                raise ValueError(
                    f"{file}: column {column} has {table[column].nunique()} values, and no column "
                    "frame says which rows are one video: write a file for each, or leave it out"
                )
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
    texts = set(table[landmark])
    first = int({text.strip() for text in texts} == {str(1 + number) for number in range(_COUNT)})
    known = {text: _joint(text, first, layout, file) for text in texts}
    joints = [known[text] for text in table[landmark]]
    keys = [frame, *([person] if person else [])]
    values = {column.lower(): table[column] for column in columns if column.lower() in _AXES}
    long = table[keys].assign(landmark_=joints, **values)
    if long.duplicated([*keys, "landmark_"]).any():
        row = int(long.duplicated([*keys, "landmark_"]).to_numpy().argmax())
        raise ValueError(
            f"{file}: line {row + 2}: landmark {joints[row]} is in frame {table[frame][row]} "
            "twice; add a column person"
        )
    wide = long.pivot(index=keys, columns="landmark_", values=list(values)).fillna("")
    wide.columns = pd.Index([f"{pair[1]}_{pair[0]}" for pair in wide.columns.to_list()])
    return wide.reset_index()


def _joint(text: str, first: int, layout: Layout, file: Path) -> str:
    """A landmark's joint from its number or its name, such as PoseLandmark.NOSE."""
    name = text.strip().rpartition(".")[2]
    place = int(name) - first if name.isdecimal() and len(name) < 9 else layout.find(name)
    if place is None or not 0 <= place < _COUNT:
        raise ValueError(f"{file}: no landmark {text!r} in MediaPipe Pose; give 0 to 32 or a name")
    return layout.joints[place]


read = KeypointReader(
    partial(find_recordings, suffixes=(".csv", ".json")), _load, options=MediapipeOptions
)
"""Read a file, or a folder of them.

The joints are mediapipe33's, unless another layout of landmarks, or of fewer of them by name, is
named.
"""
