"""Key points in a table: one row a frame and person, columns `<joint>_x, <joint>_y, …`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from aclnet.data.formats.keypoints.frames import KeypointFrames, PeopleInFrames, Points
from aclnet.data.table import read_csv
from aclnet.foreign.arrays import to_float32
from aclnet.skeleton.names import canonical_name

FRAME_COLUMNS = ("frame", "frame_id", "frame_number", "frame_index", "frame_idx")
VIDEO_COLUMNS = ("video", "video_id", "recording", "file", "clip", "sequence", "sample", "camera")
PERSON_COLUMNS = ("person", "person_id", "track", "track_id")
_CONFIDENCE = "confidence"
_LISTED = 6
_LONGEST_COLUMN = 200  # of a joint; matching takes time with the square of the length
_AXES = {
    **{axis: axis for axis in ("x", "y", "z")},
    **dict.fromkeys(("confidence", "conf", "c", "score", "visibility", "v"), _CONFIDENCE),
}
_JOINT = re.compile(rf"(?P<joint>.*[^\W_].*?)[_. ]+(?P<axis>{'|'.join(_AXES)})\Z", re.IGNORECASE)


def read_table(file: Path) -> pd.DataFrame:
    """A CSV of key points as text, its header stripped.

    Raises:
        ValueError: it is not a CSV, has no row, names a column twice, or has a row that is longer
            or shorter than its header.
    """
    table = read_csv(file, skipinitialspace=True)
    if table.empty:
        raise ValueError(
            f"{file}: it has no rows; it must have a header and one row per frame and person"
        )
    return table


def header(line: str) -> list[str]:
    """The column names of a CSV's first line."""
    return [name.strip().strip('"') for name in line.lstrip("\ufeff").split(",")]


def find_column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first column with one of these names, in any case."""
    return next((column for column in columns if column.lower() in names), None)


def joint_columns(columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """For each joint, in the order of the file, its columns by axis (x, y, z, confidence).

    Only joints with x and y count.

    >>> joint_columns(["frame", "nose_x", "nose_y", "nose_conf", "width_x"])
    {'nose': {'x': 'nose_x', 'y': 'nose_y', 'confidence': 'nose_conf'}}
    """
    joints: dict[str, dict[str, str]] = {}
    for column in columns:
        match = _JOINT.match(column) if len(column) <= _LONGEST_COLUMN else None
        if match:
            axes = joints.setdefault(canonical_name(match["joint"]), {})
            axes.setdefault(_AXES[match["axis"].lower()], column)
    return {joint: axes for joint, axes in joints.items() if {"x", "y"} <= set(axes)}


def table_people(table: pd.DataFrame, file: Path) -> KeypointFrames:
    """The people of a table.

    A joint whose cells are empty was not found; a row that names nobody and has no joint is a frame
    without anybody. Without confidence columns a joint has confidence 1, or 0 if all its
    coordinates are 0.

    Columns that are not read are noted.

    Raises:
        ValueError: the frame or the joints are missing, there are several videos, joints have
            different axes, a person is twice in a frame, only a column that is not read tells the
            rows of a frame apart, or a cell is not a finite number.
    """
    columns = list(table.columns)
    frame_column = find_column(columns, FRAME_COLUMNS)
    joints = joint_columns(columns)
    if frame_column is None or not joints:
        raise ValueError(
            f"{file}: no column {'frame' if joints else '<joint>_x and <joint>_y'}; the columns "
            f"must be frame, person and <joint>_x, <joint>_y[, <joint>_z][, <joint>_conf], they "
            f"are {', '.join(columns[:6])}{', …' if len(columns) > 6 else ''}"
        )
    check_one_recording(table, file)
    person_column = find_column(columns, PERSON_COLUMNS)
    frames = _whole(table[frame_column])
    people = _whole(table[person_column]) if person_column else [""] * len(table)
    written: dict[str, str] = {}
    for text in table[person_column] if person_column else ():
        if written.setdefault(text.strip(), text) != text:
            raise ValueError(
                f"{file}: person {text!r} also occurs with other spaces, and spaces are ignored; "
                "rename one of them"
            )
    _check_rows(frames, people, file)
    read = {frame_column, person_column, *(c for axes in joints.values() for c in axes.values())}
    further = further_columns(table, read)
    _check_told_apart(table[further], frames, people, file)
    places = [
        f"frame {frame}" + (f", person {person}" if person else "")
        for frame, person in zip(frames, people, strict=True)
    ]
    points = _points(table, joints, places, file)
    named = np.array([person_column is None or person != "" for person in people])
    somebody = named | points.any(axis=(1, 2))
    found = PeopleInFrames()
    for frame, person, place, there in zip(frames, people, places, somebody, strict=True):
        if there:
            found.add(frame, None, place, person)
        else:
            found.add_frame(frame)
    return replace(found.build(points[somebody], tuple(joints)), notes=not_read(further))


def check_one_recording(table: pd.DataFrame, file: Path) -> None:
    """Refuse a table of several videos.

    Raises:
        ValueError: it is one.
    """
    video = find_column(list(table.columns), VIDEO_COLUMNS)
    if video is not None and table[video].nunique() > 1:
        raise ValueError(
            f"{file}: column {video} has {table[video].nunique()} values; write a file for each"
        )


def further_columns(table: pd.DataFrame, read: Collection[str | None]) -> list[str]:
    """The columns that are not read, without the one that names the video."""
    video = find_column(list(table.columns), VIDEO_COLUMNS)
    return [column for column in table.columns if column not in (*read, video)]


def not_read(columns: Sequence[str]) -> tuple[str, ...]:
    """A note on columns that are not read, none without one.

    >>> not_read(["box", "score"]), not_read([])
    (('columns not read: box, score',), ())
    """
    more = ", …" if len(columns) > _LISTED else ""
    return (f"columns not read: {', '.join(columns[:_LISTED])}{more}",) if columns else ()


def _points(
    table: pd.DataFrame,
    joints: Mapping[str, Mapping[str, str]],
    places: Sequence[str],
    file: Path,
) -> Points:
    first = next(iter(joints.values()))
    axes = [axis for axis in ("x", "y", "z", _CONFIDENCE) if axis in first]
    certain = _CONFIDENCE not in first
    points = np.zeros((len(table), len(joints), len(axes) + certain), np.float32)
    for number, (joint, columns) in enumerate(joints.items()):
        if columns.keys() != first.keys():
            raise ValueError(
                f"{file}: joint {joint} has {', '.join(columns)}, the first joint "
                f"{', '.join(sorted(first))}; give every joint the same columns"
            )
        chosen = table[[columns[axis] for axis in axes]]
        text = chosen.to_numpy(str)
        absent = (text == "").all(axis=1)
        values = to_float32(chosen.apply(pd.to_numeric, errors="coerce"))
        bad = ~np.isfinite(values).all(axis=1) & ~absent
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"{file}: {places[row]}: {joint} is {', '.join(text[row])!r}; write finite "
                "numbers, or leave all of its cells empty where it was not found"
            )
        values[absent] = 0
        points[:, number, : len(axes)] = values
        if certain:
            points[:, number, -1] = (values != 0).any(axis=1)
    return points


def _check_rows(frames: Sequence[str], people: Sequence[str], file: Path) -> None:
    seen: set[tuple[str, str]] = set()
    for line, (frame, person) in enumerate(zip(frames, people, strict=True), 2):
        if not frame.isdecimal():
            raise ValueError(
                f"{file}: line {line}: frame {frame!r} is not a whole number from 0 on"
            )
        if person and (frame, person) in seen:
            raise ValueError(
                f"{file}: line {line}: person {person} is in frame {frame} twice; give each "
                "person of a frame one row"
            )
        seen.add((frame, person))


def _check_told_apart(
    further: pd.DataFrame, frames: Sequence[str], people: Sequence[str], file: Path
) -> None:
    """Refuse rows of one frame that only a column which is not read tells apart.

    A column of measurements, in which numbers are not whole, tells nobody apart.
    """
    nameless = [row for row, person in enumerate(people) if not person]
    rows = further.iloc[nameless]
    for column in further.columns:
        numbers = pd.to_numeric(rows[column], errors="coerce").dropna()
        if (numbers % 1 != 0).any():
            continue
        several = rows[column].groupby([frames[row] for row in nameless], sort=False).nunique() > 1
        if several.any():
            raise ValueError(
                f"{file}: column {column} has several values in frame {several.idxmax()}, and no "
                "column person says whose they are: call it person if it names people, write a "
                "file for each value if it names videos, or leave it out"
            )


def _whole(column: Iterable[str]) -> list[str]:
    """Cells stripped; whole numbers without the .0 that pandas may have written."""
    texts = [text.strip() for text in column]
    numbers = all(re.fullmatch(r"\d*(\.0)?", text) for text in texts)
    return [text.removesuffix(".0") if numbers else text for text in texts]
