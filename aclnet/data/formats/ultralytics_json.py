"""Ultralytics' results as JSON: what `Results.to_json()` gives for each frame.

Source: `Results.summary` of github.com/ultralytics/ultralytics. A frame is a list of detections,
each with `box`, `keypoints` {x: […], y: […], visible: […]} and, where tracking was on, `track_id`.
A file is one frame (a folder of such files is a recording), a list of frames, alone or under
`predictions`, or frames by image name: the usual ways to save them. Detections without keypoints
are skipped. Without `visible` a joint at 0, 0 was not found and any other has confidence 1. Pixels,
or 0..1 with `normalize=True`.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from aclnet.data.formats.keypoints.files import (
    Kind,
    Recording,
    check_kind,
    check_one_folder,
    find_videos,
    first_head,
)
from aclnet.data.formats.keypoints.frames import (
    KeypointFrames,
    PeopleInFrames,
    person_id,
)
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.foreign.text import load_json

_LAYOUTS = {(17, 2): ("coco17",)}
_HEAD = re.compile(r'(\{"[^"]*":)?\[+\{.*"keypoints":\{"x":\[')


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return bool(_HEAD.match(first_head(path)))


def _kind(file: Path) -> Kind:
    return _frames(load_json(file), file)[0]


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    frames = PeopleInFrames()
    for file in recording.files:
        kind, named = _frames(load_json(file), file)
        check_kind(recording, file, kind)
        for name, detections in named or [("", [])]:
            frame = file.name if len(recording.files) > 1 else name or file.name
            frames.add_frame(frame)
            for number, detection in enumerate(detections):
                if "keypoints" in detection:
                    place = f"frame {frame}, detection {number}"
                    row = _row(detection["keypoints"], f"{file}: {place}")
                    frames.add(frame, row, place, person_id(detection.get("track_id")))
    return frames.triples(recording.place)


def _frames(content: Any, file: Path) -> tuple[Kind, list[tuple[str, list[dict[str, Any]]]]]:
    """The frames by name or number, each a list of detections; and whether of a video or an image.

    A single frame in a list may be of either.
    """
    items = content.get("predictions", content) if isinstance(content, dict) else content
    kind: Kind = ""
    if isinstance(items, dict):
        check_one_folder(items, file)
        named = list(items.items())
    elif not isinstance(items, list):
        raise _foreign(file)
    elif items and isinstance(items[0], dict):
        named, kind = [("", items)], "frame"
    else:
        named = [(str(number), item) for number, item in enumerate(items)]
    for _, detections in named:
        if not isinstance(detections, list) or not all(isinstance(d, dict) for d in detections):
            raise _foreign(file)
    return kind or ("video" if len(named) > 1 else ""), named


def _row(points: Any, where: str) -> list[Any]:
    x, y = (points.get(axis) if isinstance(points, dict) else None for axis in ("x", "y"))
    if not isinstance(x, list) or not isinstance(y, list):
        raise ValueError(f"{where}: keypoints must be lists x and y of one number per joint")
    visible = points.get("visible")
    if visible is None:
        visible = [float((a, b) != (0, 0)) for a, b in zip(x, y, strict=False)]
    if not isinstance(visible, list) or not len(x) == len(y) == len(visible):
        raise ValueError(f"{where}: x, y and visible of keypoints must be lists of one length")
    return [value for joint in zip(x, y, visible, strict=True) for value in joint]


def _foreign(file: Path) -> ValueError:
    return ValueError(
        f"{file}: not an Ultralytics result: it must be a list of detections, or a list of frames "
        "that are such lists, or an object of frames by image; move other JSON files out of the "
        "folder"
    )


read = KeypointReader(partial(find_videos, kind_of=_kind), _load, _LAYOUTS)
"""Read a file, or a folder of them; files of one frame in a folder are its frames.

The joints are COCO-17, which Ultralytics' own pose models have, unless a layout is named.
"""
