"""Ultralytics' results as JSON: what `Results.to_json()` gives for each frame.

Source: `Results.summary` of github.com/ultralytics/ultralytics. A frame is a list of detections,
each with `box`, `keypoints` {x: […], y: […], visible: […]} and, where tracking was on, `track_id`.
A file is one frame (a folder of such files is a recording) or a list of frames, the two usual ways
to save them. Detections without keypoints are skipped. Without `visible` a joint at 0, 0 was not
found and any other has confidence 1. Pixels, or 0..1 with `normalize=True`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from aclnet.data.formats.keypoints.files import Recording, find_videos, first_head
from aclnet.data.formats.keypoints.frames import (
    KeypointFrames,
    PeopleInFrames,
    load_json,
    person_id,
)
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader

_LAYOUTS = {(17, 2): ("coco17",)}
_HEAD = re.compile(r'\[(\[\],)*\[?\{.*"keypoints":\{"x":\[')


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return bool(_HEAD.match(first_head(path)))


def _is_video(file: Path) -> bool:
    content = load_json(file)
    return isinstance(content, list) and bool(content) and isinstance(content[0], list)


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    frames = PeopleInFrames()
    for file in recording.files:
        content = load_json(file)
        if not isinstance(content, list):
            raise _foreign(file)
        if content and isinstance(content[0], list):
            named = [(str(number), value) for number, value in enumerate(content)]
        else:
            named = [(file.name, content)]
        for name, detections in named:
            _add_frame(frames, name, detections, file)
    return frames.triples(recording.place)


def _add_frame(frames: PeopleInFrames, name: str, detections: object, file: Path) -> None:
    if not isinstance(detections, list) or not all(isinstance(one, dict) for one in detections):
        raise _foreign(file)
    frames.add_frame(name)
    for number, detection in enumerate(detections):
        if "keypoints" in detection:
            place = f"frame {name}, detection {number}"
            row = _row(detection["keypoints"], f"{file}: {place}")
            frames.add(name, row, place, person_id(detection.get("track_id")))


def _row(points: Any, where: str) -> list[Any]:
    x, y = (points.get(axis) if isinstance(points, dict) else None for axis in ("x", "y"))
    if not isinstance(x, list) or not isinstance(y, list):
        raise ValueError(f"{where}: keypoints must be lists x and y of one number a joint")
    visible = points.get("visible")
    if visible is None:
        visible = [float((a, b) != (0, 0)) for a, b in zip(x, y, strict=False)]
    if not isinstance(visible, list) or not len(x) == len(y) == len(visible):
        raise ValueError(f"{where}: x, y and visible of keypoints must be lists of one length")
    return [value for joint in zip(x, y, visible, strict=True) for value in joint]


def _foreign(file: Path) -> ValueError:
    return ValueError(
        f"{file}: no Ultralytics result: it must be a list of detections, or a list of frames "
        "that are such lists; take other JSON files out of the folder"
    )


read = KeypointReader(partial(find_videos, is_video=_is_video), _load, _LAYOUTS)
"""Read a file, or a folder of them; files of one frame in a folder are its frames.

The joints are COCO-17, which Ultralytics' own pose models have, unless a layout is named.
"""
