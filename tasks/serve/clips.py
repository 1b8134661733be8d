"""What the page draws of a recording: whole numbers that a canvas can play."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.show.draw import Points, visible_points
from aclnet.data.store import Store
from aclnet.skeleton import Layout, layout_from_dict

MOST_CLIPS = 12
_FRAMES, _PERSONS = 240, 4
_EDGE = 1000
_USUAL = 15.0
"""Frames a second of a recording that says none."""
_FAR = 0.5
"""A body whose middle moves by that share of its size is followed."""


def clip_of(store: Store, row: int) -> dict[str, Any]:
    """A recording to play.

    Returns:
        `fps`; `width` and `height` of the picture; `bones` as pairs of joints; `sides` of the
        joints (0 middle, 1 left, 2 right); `persons` and `joints`, their numbers; `frames`, each
        x, y of every joint of every person in turn, -1 where it is not seen.
    """
    info, layout = store.info, layout_from_dict(store.info.layout)
    points = visible_points(store.clip(row), info)
    step = -(-len(points) // _FRAMES)
    seen = np.asarray(np.isfinite(points[..., 0]).sum(axis=(0, 2)))
    most = np.argsort(-seen, kind="stable")[:_PERSONS]
    points = points[::step][:, np.sort(most[seen[most] > 0])]
    fps = store.fps(row) or _USUAL
    places, width, height = _placed(points, info.unit == "metre")
    return {
        "fps": round(fps / step, 3),
        "width": width,
        "height": height,
        "bones": layout.bone_index.tolist(),
        "sides": _sides(layout),
        "persons": places.shape[1],
        "joints": places.shape[2],
        "frames": places.reshape(len(places), -1).tolist(),
    }


def _placed(points: Points, y_up: bool) -> tuple[npt.NDArray[np.int64], int, int]:
    """Whole numbers in a picture whose longer edge is `_EDGE`, and its edges."""
    if not points.size or not np.isfinite(points).any():
        return np.full(points.shape, -1, dtype=np.int64), _EDGE, _EDGE
    values = points.astype(np.float64)
    if y_up:
        values[..., 1] *= -1
    values = _followed(values)
    low, high = np.nanmin(values, axis=(0, 1, 2)), np.nanmax(values, axis=(0, 1, 2))
    span = float((high - low).max()) or 1.0
    scaled = (values - low) * (_EDGE / span)
    places = np.where(np.isfinite(scaled), scaled, -1).round().astype(np.int64)
    width, height = (max(1, round(float(edge) * _EDGE / span)) for edge in high - low)
    return places, width, height


def _followed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The points, around their middle where that moves far for a body, as of who walks past."""
    flat = values.reshape(len(values), -1, 2)
    shown = np.isfinite(flat).any(axis=(1, 2))
    middle = np.zeros((len(values), 2))
    middle[shown] = np.nanmean(flat[shown], axis=1)
    reach = np.nanmax(flat[shown], axis=1) - np.nanmin(flat[shown], axis=1)
    way = float(np.ptp(middle[shown], axis=0).max())
    if way < _FAR * float(np.median(reach.max(axis=1))):
        return values
    return np.asarray(values - middle[:, None, None])


def _sides(layout: Layout) -> list[int]:
    sides = [0] * layout.joint_count
    for left, right in layout.mirror:
        sides[layout.index(left)], sides[layout.index(right)] = 1, 2
    return sides
