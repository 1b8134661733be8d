"""MMPose 1.x's JSON, as its inferencers and demos write it.

Source: `MMPoseInferencer(pred_out_dir=…)` and the demos' `--save-predictions` of
github.com/open-mmlab/mmpose. A video's file is a list of frames, each with `frame_id` and
`instances`, or an object whose `instance_info` is that list; an image's is the list of instances
itself. Saved by hand, the inferencer's `predictions` are a list of frames that are lists of
instances: alone, under `predictions`, one in each of the inferencer's results, or by image name.
An instance has `keypoints` (two numbers a joint, three from the 3-D lifters) and `keypoint_scores`;
a `track_id` where it was added. An optional `meta_info` names the joints; without it 17 joints in
space may be COCO's or Human3.6M's, so name the layout.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from aclnet.data.formats.keypoints.files import (
    Kind,
    Recording,
    check_all_numbered,
    check_frames_once,
    check_kind,
    check_one_folder,
    find_videos,
    first_head,
)
from aclnet.data.formats.keypoints.frames import (
    KeypointFrames,
    PeopleInFrames,
    number_rows,
    person_id,
)
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.foreign.text import load_json

_LAYOUTS = {(17, 2): ("coco17",), (26, 2): ("halpe26",), (17, 3): ("h36m17", "coco17")}
_HEAD = re.compile(
    r'\{"meta_info":|\{"instance_info":|\[\{"frame_id":\d+,"instances":'
    r'|\[?(\{("visualization":(null|\[\]),)?"[^"]*":)?\[+\{"keypoints":\[\['
)


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return bool(_HEAD.match(first_head(path)))


def _kind(file: Path) -> Kind:
    return _frames(load_json(file), file)[0]


def _load(recording: Recording, options: KeypointOptions) -> KeypointFrames:
    frames, dims = PeopleInFrames(), 0
    names: tuple[str, ...] = ()
    for file in recording.files:
        content = load_json(file)
        own = _joint_names(content)
        if names and own and own != names:
            raise ValueError(
                f"{file}: names other joints than earlier frames; convert it separately"
            )
        names = names or own
        kind, items = _frames(content, file)
        check_kind(recording, file, kind)
        for name, instances in items or [("", [])]:
            frame = file.name if len(recording.files) > 1 else name or file.name
            frames.add_frame(frame)
            for person, instance in enumerate(instances):
                place = f"frame {frame}, person {person}"
                dims = dims or _dims(instance)
                row = _row(instance, dims, f"{file}: {place}")
                frames.add(frame, row, place, person_id(instance.get("track_id")))
    rows = number_rows(frames.rows, frames.places, recording.place)
    points = rows.reshape(len(rows), -1 if len(rows) else 0, (dims or 2) + 1)
    if names and len(rows) and len(names) != points.shape[1]:
        if options.layout is None:
            raise ValueError(
                f"{recording.place}: meta_info names {len(names)} joints, a person has "
                f"{points.shape[1]}; name the layout"
            )
        names = ()
    return frames.build(points, names)


def _frames(content: Any, file: Path) -> tuple[Kind, list[tuple[str, list[Any]]]]:
    """The frames by name or number, each a list of instances; and whether of a video or an image.

    A single frame in a list of lists may be of either.
    """
    items = content
    if isinstance(content, dict):
        items = content.get("instance_info", content.get("predictions", content))
    kind: Kind = ""
    if isinstance(items, dict):
        check_one_folder(items, file)
        named = list(items.items())
    elif not isinstance(items, list):
        raise _foreign(file)
    elif _all_have(items, "keypoints"):
        named, kind = [("", items)], "frame"
    elif _all_have(items, "instances"):
        check_all_numbered(("frame_id" in item for item in items), file)
        named = [(str(item.get("frame_id", i)), item["instances"]) for i, item in enumerate(items)]
        check_frames_once((frame for frame, _ in named), file)
        kind = "video"
    else:
        if _all_have(items, "predictions"):
            results = [item["predictions"] for item in items]
            if not all(isinstance(result, list) for result in results):
                raise _foreign(file)
            items = [one for r in results for one in ([r] if _all_have(r, "keypoints") else r)]
        named = [(str(i), item) for i, item in enumerate(items)]
    if not all(isinstance(instances, list) for _, instances in named):
        raise _foreign(file)
    return kind or ("video" if len(named) > 1 else ""), named


def _all_have(items: list[Any], key: str) -> bool:
    return bool(items) and all(isinstance(item, dict) and key in item for item in items)


def _foreign(file: Path) -> ValueError:
    return ValueError(
        f"{file}: not an MMPose result: it must be a list of frames with instances, or of "
        "instances with keypoints, alone or under instance_info or predictions; move other JSON "
        "files out of the folder"
    )


def _dims(instance: object) -> int:
    """Numbers a joint."""
    points = _joints(instance)
    return 3 if points and isinstance(points[0], list) and len(points[0]) == 3 else 2


def _joints(instance: object) -> list[Any]:
    """The keypoints, without the extra level of nesting that the 3-D inferencer may add."""
    points = instance.get("keypoints") if isinstance(instance, dict) else None
    if not isinstance(points, list):
        return []
    return points[0] if _nested(points) and _nested(points[0][:1]) else points


def _row(instance: dict[str, Any], dims: int, where: str) -> list[Any]:
    joints = _joints(instance)
    scores = instance.get("keypoint_scores") if isinstance(instance, dict) else None
    scores = scores[0] if isinstance(scores, list) and scores and _nested(scores) else scores
    if not joints or not isinstance(scores, list) or len(scores) != len(joints):
        raise ValueError(
            f"{where}: {len(joints)} keypoints and "
            f"{len(scores) if isinstance(scores, list) else 'no'} keypoint_scores; there must be "
            "one score per keypoint"
        )
    row: list[Any] = []
    for joint, score in zip(joints, scores, strict=True):
        if not isinstance(joint, list) or len(joint) != dims:
            raise ValueError(
                f"{where}: keypoints must be lists of {dims} numbers as the first person's are; "
                "convert 2-D and 3-D files separately"
            )
        row += [*joint, score]
    return row


def _nested(values: list[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], list)


def _joint_names(content: Any) -> tuple[str, ...]:
    meta = content.get("meta_info") if isinstance(content, dict) else None
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(names, dict) or not all(str(key).isdecimal() for key in names):
        return ()
    return tuple(str(names[key]) for key in sorted(names, key=int))


read = KeypointReader(partial(find_videos, kind_of=_kind), _load, _LAYOUTS)
"""Read a file, or a folder of them; image files in a folder are its frames.

The joints are those that the file names, or COCO-17 or Halpe-26 (also of COCO-WholeBody-133 and
Halpe-136) by their number, unless a layout is named.
"""
