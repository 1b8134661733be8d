"""A recording for the viewer of rerun (https://rerun.io): one .rrd file of moving skeletons.

Each clip is a view of its own with the joints as points, named and joined to bones, on two
timelines: the frames' numbers in the recording as it was filmed, and its seconds. Nothing is sent
anywhere: the file is written, no viewer is started, and rerun's telemetry is off before it is
imported. Opened with `rerun FILE`, the viewer is the user's own program with settings of its own
(`rerun analytics disable`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from aclnet.data.show.draw import LEFT, MIDDLE, RIGHT, visible_points
from aclnet.data.show.moving import MovingClip, MovingGroup
from aclnet.files import whole_file
from aclnet.skeleton import Layout, layout_from_dict

_DEFAULT_FPS = 15.0
_OFF = {"TELEMETRY_ENABLED": "false", "OTEL_SDK_DISABLED": "true", "RERUN": "on"}
_UNSET = ("FORCE_RERUN_ANALYTICS", "OTEL_EXPORTER_OTLP_ENDPOINT", "_RERUN_TEST_FORCE_SAVE")


def need_rerun() -> Any:
    """The module `rerun`, with its telemetry and analytics off and its recordings on.

    Raises:
        ValueError: it is not installed; the message names the extra.
    """
    for name in _UNSET:
        os.environ.pop(name, None)
    os.environ.update(_OFF)
    try:
        import rerun
    except ImportError:
        raise ValueError(
            'recordings need rerun-sdk: install the extra with pip install "aclnet[viewer]"'
        ) from None
    return rerun


def write_recording(out: str | Path, title: str, groups: Sequence[MovingGroup]) -> Path:
    """Write a recording for rerun's viewer; it appears whole or not at all.

    Joints keep the numbers of the store, so that others can read them back: 3-D ones in metres with
    y up, 2-D ones in pixels with y down. Joints that were not seen are left out.

    Args:
        out: the file, which ends in .rrd.
        title: the recording's name.
        groups: the clips; a row a group.

    Raises:
        ValueError: the ending is another one, there is no clip, no joint is seen in one, or
            rerun-sdk is not installed.
    """
    path = Path(out)
    if path.suffix.lower() != ".rrd":
        raise ValueError(f"{path}: a recording ends in .rrd, not {path.suffix!r}")
    if not any(group.clips for group in groups):
        raise ValueError(f"{title}: there is no clip to show")
    rr = need_rerun()
    with whole_file(path) as draft:
        stream = rr.RecordingStream("aclnet", recording_id=uuid4(), send_properties=False)
        stream.save(draft)
        rr.send_recording_name(_printable(title), recording=stream)
        rows = []
        for place, group in enumerate(groups, start=1):
            views = []
            for number, clip in enumerate(group.clips, start=1):
                entity = [f"{place} {_printable(group.heading)}".strip(), f"{number} {_name(clip)}"]
                views.append(_log(rr, stream, entity, clip))
            row = rr.blueprint.Grid if len(groups) == 1 else rr.blueprint.Horizontal
            rows.append(row(*views, name=_printable(group.heading) or None))
        stream.send_blueprint(rr.blueprint.Blueprint(rr.blueprint.Vertical(*rows)))
        stream.disconnect()
    return path


def _log(rr: Any, stream: Any, entity: list[str], clip: MovingClip) -> Any:
    """Log one clip under the names of its entity, and return its view."""
    place = rr.new_entity_path(entity)
    info, layout = clip.info, layout_from_dict(clip.info.layout)
    points = visible_points(clip.frames, info, info.dims)
    seen: npt.NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
    if not seen.any():
        raise ValueError(f"{clip.caption}: there is no joint to draw")
    numbers = np.arange(len(points)) if clip.numbers is None else np.asarray(clip.numbers)
    seconds = np.asarray(numbers, dtype=np.float64) / (info.fps or _DEFAULT_FPS)
    times = [
        rr.TimeColumn("frame", sequence=numbers),
        rr.TimeColumn("time", duration=seconds),
    ]
    solid = info.dims == 3
    if solid:
        down = info.unit != "metre"
        axes = rr.ViewCoordinates.RIGHT_HAND_Y_DOWN if down else rr.ViewCoordinates.RIGHT_HAND_Y_UP
        stream.log(place, axes, static=True, strict=True)
    elif info.unit == "metre":  # a picture's y grows down
        points[..., 1] *= -1
    stream.log(place, _annotations(rr, layout), static=True, strict=True)
    about = "\n".join(map(_printable, (clip.caption, *clip.words)))
    stream.log(
        rr.new_entity_path([*entity, "about"]), rr.TextDocument(about), static=True, strict=True
    )
    kind = rr.Points3D if solid else rr.Points2D
    joints = np.broadcast_to(np.arange(layout.joint_count), seen.shape[::2])
    for person in range(points.shape[1]):
        there = seen[:, person]
        if not there.any():
            continue
        count = int(there.sum())
        columns = kind.columns(
            positions=points[:, person][there],
            class_ids=np.zeros(count, dtype=np.uint16),
            keypoint_ids=joints[there].astype(np.uint16),
        ).partition(there.sum(axis=1))
        body = rr.new_entity_path([*entity, f"person {person}"])
        stream.send_columns(body, times, columns, strict=True)
    view = rr.blueprint.Spatial3DView if solid else rr.blueprint.Spatial2DView
    return view(origin=place, name=_name(clip))


def _annotations(rr: Any, layout: Layout) -> Any:
    """Names, colours and bones of the joints."""
    colours = [MIDDLE] * layout.joint_count
    for left, right in layout.mirror:
        colours[layout.index(left)], colours[layout.index(right)] = LEFT, RIGHT
    shades = [tuple(bytes.fromhex(colour[1:])) for colour in colours]
    return rr.AnnotationContext(
        rr.ClassDescription(
            info=rr.AnnotationInfo(id=0, label=layout.name),
            keypoint_annotations=[
                rr.AnnotationInfo(id=place, label=joint, color=shade)
                for place, (joint, shade) in enumerate(zip(layout.joints, shades, strict=True))
            ],
            keypoint_connections=[(child, parent) for child, parent in layout.bone_index.tolist()],
        )
    )


def _name(clip: MovingClip) -> str:
    """What a clip is, and whether it is a right answer."""
    mark = "" if clip.correct is None else " ✓" if clip.correct else " ✗"
    return f"{_printable(clip.caption)}{mark}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
