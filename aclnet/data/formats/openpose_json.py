"""OpenPose's JSON: a folder with one file a frame, `<name>_<frame>_keypoints.json`.

Source: the output documentation of github.com/CMU-Perceptual-Computing-Lab/openpose. A file holds
`people`, each with `pose_keypoints_2d`: x, y, confidence of 25 joints (BODY_25) or 18 (COCO).
OpenPose's COCO model fixes the order, so 18 joints are coco18 here. People are followed by this
project (`aclnet.data.formats.keypoints.tracks`), for `person_id` is -1 unless OpenPose tracks. The
3-D points are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import Recording, find_frame_folders, first_head
from aclnet.data.formats.keypoints.frames import KeypointFrames, load_json
from aclnet.data.formats.keypoints.people import PeopleInFrames
from aclnet.data.formats.keypoints.samples import (
    KeypointOptions,
    LabelFrom,
    People,
    keypoint_samples,
)
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout

_LAYOUTS = {(18, 2): ("coco18",), (25, 2): ("body25",)}
_HEAD = re.compile(r'\{("version":[^,{]+,)?"people":\[')
_KEYS = ("pose_keypoints_2d", "pose_keypoints")


def recognises(path: Path) -> bool:
    """Whether it is such a frame, or a folder with one no deeper than four folders down."""
    return bool(_HEAD.match(first_head(path)))


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
    """Read a folder of frames, or a folder of such folders, one recording a folder.

    Args:
        path: the folder, or one frame.
        layout: the joints; by default BODY_25 or COCO-18 by their number.
        progress: told the recordings read and the recordings there are.
        people: "together" or "apart", see `KeypointOptions`, as for the rest.
        persons: people of a sample.
        max_gap: frames that a person may be away.
        label_from: "none" or "folder".
        labels: a CSV of what is known about the recordings.

    Raises:
        ValueError: there is no frame, an option is wrong, or a file is not the format's.
    """
    options = KeypointOptions(people, persons, max_gap, label_from, labels)
    recordings = find_frame_folders(path)
    return keypoint_samples(
        path, recordings, _load, _LAYOUTS, options, layout=layout, progress=progress
    )


def _load(recording: Recording) -> KeypointFrames:
    frames = PeopleInFrames()
    for file in recording.files:
        frames.add_frame(file.name)
        for number, person in enumerate(_people(file)):
            points = next((person[key] for key in _KEYS if person.get(key)), None)
            if points is not None:
                frames.add(file.name, points, f"{file.name}, person {number}", _identity(person))
    return frames.triples(recording.place)


def _people(file: Path) -> list[dict[str, Any]]:
    content = load_json(file)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ValueError(
            f"{file}: no OpenPose frame: it must be an object with a list people; take other "
            "JSON files out of the folder"
        )
    return people


def _identity(person: dict[str, Any]) -> str:
    value = person.get("person_id")
    value = value[0] if isinstance(value, list) and value else value
    return str(value) if type(value) is int and value >= 0 else ""
