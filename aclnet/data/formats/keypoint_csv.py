"""Plain CSV: one row a frame and person, `frame, person, <joint>_x, <joint>_y[, _z][, _conf]`.

A form of this project for key points from any source; one file a recording. Joints are found by
name, in any order and spelling that `canonical_name` knows: those of a shipped layout, or of the
layout that is named. `person` may lack; people are then followed by their place and size. A joint
whose cells are empty was not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import Recording, find_recordings, first_lines
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.samples import (
    KeypointOptions,
    LabelFrom,
    People,
    keypoint_samples,
)
from aclnet.data.formats.keypoints.table import (
    FRAME_COLUMNS,
    find_column,
    header,
    joint_columns,
    read_table,
    table_people,
)
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one no deeper than four folders down."""
    return any(
        find_column(columns, FRAME_COLUMNS) is not None and len(joint_columns(columns)) > 1
        for columns in map(header, first_lines(path, ".csv"))
    )


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    people: People = "together",
    persons: int = 2,
    max_gap: int = 30,
    label_from: LabelFrom = "none",
    labels: str | Path | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file, or a folder of them.

    Args:
        path: the file or folder.
        layout: the joints to take; by default the shipped layout that has the file's joints.
        progress: told the recordings read and the recordings there are.
        people: "together" or "apart", see `KeypointOptions`, as for the rest.
        persons: people of a sample.
        max_gap: frames that a person may be away.
        label_from: "none" or "folder".
        labels: a CSV of what is known about the recordings.

    Raises:
        ValueError: there is no file, an option is wrong, or a file is not the format's.
    """
    options = KeypointOptions(people, persons, max_gap, label_from, labels)
    recordings = find_recordings(path, ".csv")
    return keypoint_samples(path, recordings, _load, {}, options, layout=layout, progress=progress)


def _load(recording: Recording) -> KeypointFrames:
    return table_people(read_table(recording.place), recording.place)
