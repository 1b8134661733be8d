"""Kinetics-skeleton's JSON: one file a video, OpenPose's 18 joints, the label in the file.

Source: Yan et al., "Spatial temporal graph convolutional networks for skeleton-based action
recognition", AAAI 2018, and the data of github.com/yysijie/st-gcn. A file is an object of `data`,
`label` and `label_index`. `data` are frames, each with `frame_index` (from 1) and `skeleton`, its
people: `pose` (x, y of each joint, 0..1 of the image) and `score` (a number a joint). People are
not tracked. The tables of labels beside the videos (`kinetics_train_label.json`) are not read, as
each video has its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from aclnet.data.formats.keypoints.files import (
    Recording,
    check_frames_once,
    find_recordings,
    first_head,
)
from aclnet.data.formats.keypoints.frames import KeypointFrames, PeopleInFrames
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.foreign.text import load_json

_LAYOUTS = {(18, 2): ("coco18",)}
_HEAD = re.compile(
    r'\{("label(_index)?":[^\[\]{}]*)?"data":\[(\{"(frame_index|skeleton)":|\])'
    r'|\{"[^"]*":\{"has_skeleton":'
)
_KEYS = ("pose", "score")
_TABLE = "_label.json"


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return bool(_HEAD.match(first_head(path)))


def _recordings(path: Path) -> list[Recording]:
    found = find_recordings(path)
    return [one for one in found if path.is_file() or not one.place.name.endswith(_TABLE)]


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    file = recording.place
    content = load_json(file)
    items = content.get("data") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise _foreign(file)
    frames = PeopleInFrames()
    for item in items:
        number = item.get("frame_index") if isinstance(item, dict) else None
        people = item.get("skeleton") if isinstance(item, dict) else None
        if type(number) is not int or not isinstance(people, list):
            raise _foreign(file)
        frames.add_frame(str(number))
        for place, person in enumerate(people):
            where = f"frame {number}, person {place}"
            frames.add(str(number), _row(person, f"{file}: {where}"), where)
    check_frames_once((str(item["frame_index"]) for item in items), file)
    label = content.get("label")
    return replace(frames.triples(file), label=label if isinstance(label, str) else "")


def _row(person: Any, where: str) -> list[Any]:
    pose, score = (person.get(key) if isinstance(person, dict) else None for key in _KEYS)
    if not isinstance(pose, list) or not isinstance(score, list) or len(pose) != 2 * len(score):
        raise ValueError(f"{where}: must have a pose of x and y, and a score, of each joint")
    return [value for j, one in enumerate(score) for value in (*pose[2 * j : 2 * j + 2], one)]


def _foreign(file: Path) -> ValueError:
    return ValueError(
        f"{file}: not a Kinetics skeleton: it must be an object whose data are frames with "
        "frame_index and skeleton; move other JSON files out of the folder"
    )


read = KeypointReader(_recordings, _load, _LAYOUTS)
"""Read a file, or a folder of them, with the label of each file.

The joints are COCO-18 in OpenPose's order, unless a layout is named.
"""
