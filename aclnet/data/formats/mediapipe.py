"""MediaPipe Pose's 33 landmarks in the CSV and JSON files that people write of them.

MediaPipe has no file of its own (fields: ai.google.dev/edge/mediapipe, Pose Landmarker). Read are:

- CSV with one row a landmark: frame, landmark (number or name), x, y[, z][, visibility];
- CSV with one row a frame: x0, y0[, z0][, v0], …, x32, … (or 1 to 33), frame and person if there;
  without a frame column each row is the next frame;
- CSV with named columns, as `keypoint_csv`;
- JSON: a list of frames (or an object with `frames`). A frame is a list of 33 landmarks, a list of
  such lists (people), or an object with one of these under pose_landmarks, landmarks or
  pose_world_landmarks, and its number under frame. A landmark is an object x, y[, z][, visibility]
  or a list of these.

World landmarks are metres from the middle of the hips, which is how they are recognised; image
landmarks are 0..1 (z in units of the image's width, a guess of the model). Where no frame has two
people, all of them are one person, for MediaPipe follows one unless asked for more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import Recording, find_recordings, first_head, first_lines
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.landmarks import Space, landmark_people, named_columns, row_form
from aclnet.data.formats.keypoints.samples import (
    KeypointOptions,
    LabelFrom,
    People,
    keypoint_samples,
)
from aclnet.data.formats.keypoints.table import header, read_table, table_people
from aclnet.data.formats.keypoints.tracks import seen_joints
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout

_HEAD = re.compile(r'"(pose_?)?(world_?)?landmarks":\[|\A\[+\{"x":[^{]*"y":', re.IGNORECASE)
# A body's hips' middle lies this near to the origin of world landmarks, in metres.
_AT_ORIGIN = 0.05


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one no deeper than four folders down."""
    if _HEAD.search(first_head(path)):
        return True
    return any(row_form(header(line)) for line in first_lines(path, ".csv"))


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
    space: Space = "image",
    dims: Literal[2, 3] | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file, or a folder of them.

    Args:
        path: the file or folder.
        layout: another layout of landmarks, or fewer of them by name; mediapipe33 by default.
        progress: told the recordings read and the recordings there are.
        people: "together" or "apart", see `KeypointOptions`, as for the rest.
        persons: people of a sample.
        max_gap: frames that a person may be away.
        label_from: "none" or "folder".
        labels: a CSV of what is known about the recordings.
        space: which landmarks to take where a file has both, "image" or "world".
        dims: 2 leaves z out; all that is there if not given.

    Raises:
        ValueError: there is no file, an option is wrong, or a file is not the format's.
    """
    options = KeypointOptions(people, persons, max_gap, label_from, labels)
    if space not in ("image", "world") or dims not in (None, 2, 3):
        raise ValueError(
            f"space is image or world and dims 2 or 3, not {space!r} and {dims!r}; leave dims out "
            "for all that is there"
        )
    recordings = find_recordings(path, ".csv", ".json")

    def load(recording: Recording) -> KeypointFrames:
        found = _load(recording.place, space)
        if dims == 3 and found.points.shape[2] == 3 and len(found):
            raise ValueError(f"{recording.place}: its landmarks have no z; ask for dims 2")
        flat = found.points[..., [0, 1, -1]]
        return replace(found, points=flat) if dims == 2 else found

    return keypoint_samples(path, recordings, load, {}, options, layout=layout, progress=progress)


def _load(file: Path, space: Space) -> KeypointFrames:
    if file.suffix.lower() == ".json":
        found = landmark_people(file, space)
    else:
        found = table_people(named_columns(read_table(file), file), file)
    if not any(found.track) and len(np.unique(found.frame)) == len(found):
        found = replace(found, track=("1",) * len(found))
    return replace(found, unit="metre") if _hips_at_origin(found) else found


def _hips_at_origin(found: KeypointFrames) -> bool:
    """Whether the middle of the hips is where the coordinates begin."""
    if not {"left_hip", "right_hip"} <= set(found.joints):
        return False
    hips = [found.joints.index(name) for name in ("left_hip", "right_hip")]
    seen = seen_joints(found.points)[:, hips].all(axis=1)
    middle = found.points[seen][:, hips, :2].mean(axis=1)
    return bool(len(middle)) and float(np.abs(middle).max(axis=1).mean()) < _AT_ORIGIN
