"""OpenPose's JSON: a folder with one file a frame, `<name>_<frame>_keypoints.json`.

Source: the output documentation of github.com/CMU-Perceptual-Computing-Lab/openpose. A file holds
`people`, each with `pose_keypoints_2d`: x, y, confidence of 25 joints (BODY_25) or 18 (COCO).
OpenPose's COCO model fixes the order, so 18 joints are coco18 here. `person_id` is -1 unless
OpenPose tracks; people without an id are followed here (`aclnet.data.formats.keypoints.tracks`).
The 3-D points are not read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aclnet.data.formats.keypoints.files import Recording, find_frame_folders, first_head
from aclnet.data.formats.keypoints.frames import (
    KeypointFrames,
    PeopleInFrames,
    person_id,
)
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.foreign.text import load_json

_LAYOUTS = {(18, 2): ("coco18",), (25, 2): ("body25",)}
_HEAD = re.compile(r'\{("version":[^,{]+,)?"people":\[')
_KEYS = ("pose_keypoints_2d", "pose_keypoints")


def recognises(path: Path) -> bool:
    """Whether it is such a frame, or a folder with one, at most four folders down."""
    return bool(_HEAD.match(first_head(path)))


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    frames = PeopleInFrames()
    for file in recording.files:
        frames.add_frame(file.name)
        for number, person in enumerate(_people(file)):
            points = next((person[key] for key in _KEYS if person.get(key)), None)
            if points is not None:
                place = f"{file.name}, person {number}"
                frames.add(file.name, points, place, person_id(person.get("person_id")))
    return frames.triples(recording.place)


def _people(file: Path) -> list[dict[str, Any]]:
    content = load_json(file)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise ValueError(
            f"{file}: not an OpenPose frame: it must be an object with a list people; move other "
            "JSON files out of the folder"
        )
    return people


read = KeypointReader(find_frame_folders, _load, _LAYOUTS)
"""Read a folder of frames, or a folder of such folders, one recording a folder; or one frame.

The joints are BODY_25 or COCO-18 by their number, unless a layout is named.
"""
