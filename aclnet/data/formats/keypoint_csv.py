"""Plain CSV: one row a frame and person, `frame, person, <joint>_x, <joint>_y[, _z][, _conf]`.

A format of this project for key points from any source; one file a recording. Joints are found by
name, in any order and spelling that `canonical_name` knows: those of a shipped layout, or of the
layout that is named. Without a column `person`, people are followed by their place and size. A
joint whose cells are empty was not found.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from aclnet.data.formats.keypoints.files import Recording, find_recordings, first_lines
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.data.formats.keypoints.table import (
    FRAME_COLUMNS,
    find_column,
    header,
    joint_columns,
    read_table,
    table_people,
)


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return any(
        find_column(columns, FRAME_COLUMNS) is not None and len(joint_columns(columns)) > 1
        for columns in map(header, first_lines(path, ".csv"))
    )


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    return table_people(read_table(recording.place), recording.place)


read = KeypointReader(partial(find_recordings, suffixes=(".csv",)), _load)
"""Read a file, or a folder of them.

The joints are those of the shipped layout that has the file's joints, unless a layout is named.
"""
