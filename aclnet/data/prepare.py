"""Recordings as the ACLNet release prepares them: the main person first, centred, no empty frame.

The release's PreNormalize3D (PYSKL's), see spec/action.md 4.2.1. It is done once, when data are
converted, since it looks at whole recordings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aclnet.data.sample import Frames
from aclnet.skeleton.layout import Layout

_NOTHING = 1e-8
"""Coordinates up to this are nothing, as for `numpy.isclose`, which the release asks."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Prepared:
    """A prepared recording.

    Args:
        frames: (T', M, V, C), of the type that came in; turned ones are at least float32.
        kept: (T',) the numbers of these frames in the recording.
        centre: (dims,) what was subtracted.
    """

    frames: Frames
    kept: npt.NDArray[np.int64]
    centre: Frames


def prepare_recording(
    frames: Frames,
    centre_joint: int,
    *,
    dims: int = 3,
    spine: Pair | None = None,
    shoulders: Pair | None = None,
) -> Prepared:
    """Put the main person first, leave out its empty frames, and centre the recording on it.

    The main person is the one with the most non-empty frames, the earlier one of equals; it changes
    places with the first. The origin is its centre joint in its first frame; joints that are
    exactly zero were not found and stay zero. All is computed in the type of the frames. The
    release has at most two persons and knows of nothing but coordinates; a confidence is left
    alone.

    Args:
        frames: (T, M, V, C), the first `dims` channels coordinates.
        centre_joint: the column of the joint at the origin.
        dims: coordinates a joint.
        spine: columns of the spine's lower and upper joint: the recording is then turned until this
            line lies along z in its first frame. 3-D only; the release's recipes do not turn.
        shoulders: columns of the left and the right shoulder: then this line, along x.

    Returns:
        The recording; the same, with a centre of 0, where nobody is seen in any frame.

    Raises:
        ValueError: a turn is asked of joints without three coordinates.
    """
    if dims != 3 and (spine or shoulders):
        raise ValueError(f"only joints of 3 coordinates are turned upright, these have {dims}")
    empty = np.abs(frames[..., :dims]) <= _NOTHING
    there = np.asarray(np.logical_not(empty).any(axis=(2, 3)))
    if not there.any():
        return Prepared(frames, np.arange(len(frames)), np.zeros(dims, dtype=frames.dtype))
    main = int(there.sum(axis=0).argmax())
    persons = np.arange(frames.shape[1])
    persons[[0, main]] = main, 0
    kept = np.flatnonzero(there[:, main])
    made = frames[kept][:, persons]
    centre = made[0, 0, centre_joint, :dims].copy()
    seen = (made[..., :dims] != 0).any(axis=-1, keepdims=True)
    made[..., :dims] = (made[..., :dims] - centre) * seen
    if spine or shoulders:
        points = made[..., :3]
        for pair, axis in ((spine, 2), (shoulders, 0)):
            points = points if pair is None else _towards(points, pair, axis)
        made = made.astype(np.result_type(made.dtype, np.float32), copy=False)
        made[..., :3] = points
    return Prepared(made, kept, centre)


def layout_centre(layout: Layout) -> int:
    """The joint on which recordings of a layout are centred: the middle of the spine.

    Raises:
        ValueError: the layout has no such joint.
    """
    place = layout.find("spine")
    if place is None:
        raise ValueError(
            f"layout {layout.name} has no joint spine, on which the main person would be centred: "
            "map to a layout that has one (COCO's key points: map_to=coco20), or prepare nothing"
        )
    return place


def _towards(points: Frames, pair: Pair, axis: int) -> Frames:
    """Turn all points so that the line between two joints of the first frame lies along an axis.

    The shortest turn, about the axis at a right angle to both (Rodrigues' formula), in float64 but
    for the line's direction, which the release takes in the type of the points.
    """
    line = points[0, 0, pair[1]] - points[0, 0, pair[0]]
    about = np.cross(line.astype(np.float64), np.eye(3)[axis])
    size = np.linalg.norm(about)
    if size <= _NOTHING:  # no line; there already; upside down, which no shortest turn leads out of
        return points
    cosine = float((line / np.linalg.norm(line))[axis])
    sine = np.sqrt(max(1 - cosine**2, 0))
    x, y, z = about / size
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
    turned: Frames = points.astype(np.float64) @ turn.T
    return turned
