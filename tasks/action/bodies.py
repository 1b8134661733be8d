"""For each class a body that shows it and how much each joint moves, small enough for a record.

Not of the paper, whose Fig. 3 does not say how its bodies and shaded parts were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from aclnet.clips.settings import NormaliseSettings
from aclnet.clips.transforms import normalise, present
from aclnet.data.store import Store
from aclnet.skeleton import Layout

MOST = 40
"""Recordings of a class that are looked at, evenly taken from all of it."""

_DECIMALS = 3

FloatArray = npt.NDArray[np.float64]


def class_bodies(store: Store, classes: Sequence[str]) -> dict[str, Any]:
    """A pose and joint weights of each class.

    Bodies are centred on the hips in every frame and measured in torso lengths; those in 3-D
    without a confidence are turned to face the viewer. Of several people the one seen most counts.

    - `pose`: the frame farthest from the recording's first one, of the recording whose such frame
      is nearest to those of the others. The mean over recordings, or over time, would shorten limbs
      and show no action.
    - `weight`: the mean speed of the joint, median over recordings, the class's largest being 1.

    Args:
        store: recordings with labels.
        classes: those wanted; one without a recording that shows a body is left out.

    Returns:
        Plain values for a record's cells: `joints` (V names), `bones` (pairs of joint numbers),
        `parts` (joint numbers by name), `dims`, `y_down`, and `classes`: by name `pose` (V, dims),
        None where a joint was not seen, and `weight` (V,) 0..1.

    Raises:
        ValueError: the layout has no hips or shoulders.
    """
    label = store.index["label"].to_numpy()
    found: dict[str, dict[str, Any]] = {}
    for name in classes:
        rows = np.flatnonzero(label == name)
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(np.int64)]
        bodies = [body for row in chosen if len(body := _body(store, int(row))) > 1]
        if bodies:
            found[name] = {
                "pose": _plain(_typical([_farthest(body) for body in bodies])),
                "weight": np.round(_weights(bodies), _DECIMALS).tolist(),
            }
    layout = store.layout
    return {
        "joints": list(layout.joints),
        "bones": layout.bone_index.tolist(),
        "parts": {part: _columns(layout, names) for part, names in layout.parts.items()},
        "dims": store.info.dims,
        "y_down": store.info.unit == "pixel",
        "classes": found,
    }


def _columns(layout: Layout, names: Sequence[str]) -> list[int]:
    return [layout.index(name) for name in names]


def _body(store: Store, row: int) -> FloatArray:
    """One person of a recording, normalised: (T, V, dims), NaN where a joint was not seen.

    Frames that show nothing are left out.
    """
    dims = store.info.dims
    clip = torch.from_numpy(store.clip(row)).permute(1, 0, 2, 3)[None]  # (1, M, T, V, C)
    seen = present(clip, dims)[0]
    person = int(seen.flatten(1).sum(dim=1).argmax())
    turned = dims == 3 and clip.shape[-1] == dims
    settings = NormaliseSettings(
        centre="frame", scale="torso", heading="clip" if turned else "none"
    )
    body = normalise(clip[:, person : person + 1], store.layout, dims, settings)[0, 0, ..., :dims]
    # Asked before the hips are moved to the origin, where a joint would look like a missing one.
    points = np.where(seen[person][..., None].numpy(), body.numpy(), np.nan).astype(np.float64)
    return points[~np.isnan(points).all(axis=(1, 2))]


def _farthest(body: FloatArray) -> FloatArray:
    """(V, dims): the frame that differs most from the first, by the mean over joints seen in both.

    A frame must show most of the joints that any frame shows, as a half-seen body shows no action.
    """
    count = (~np.isnan(body[..., 0])).sum(axis=1)
    gap = _apart(body, body[:1])
    gap[(count < 0.8 * count.max()) | np.isnan(gap)] = -1.0
    return np.asarray(body[int(gap.argmax())])


def _typical(poses: Sequence[FloatArray]) -> FloatArray:
    """The pose with the smallest sum of distances to the others."""
    every = np.stack(poses)
    sums = [float(np.nan_to_num(_apart(every, pose[None]), nan=0.0).sum()) for pose in every]
    return poses[int(np.argmin(sums))]


def _apart(poses: FloatArray, other: FloatArray) -> FloatArray:
    """Mean distance of the joints seen in both: (N,), NaN where there is none."""
    gap = np.linalg.norm(poses - other, axis=2)
    known = ~np.isnan(gap)
    count = known.sum(axis=1)
    total = np.where(known, gap, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _weights(bodies: Sequence[FloatArray]) -> FloatArray:
    """(V,) mean speeds, median over recordings, the largest 1; a joint never seen has 0."""
    speeds = []
    for body in bodies:
        step = np.linalg.norm(np.diff(body, axis=0), axis=2)  # (T-1, V)
        known = ~np.isnan(step)
        count = known.sum(axis=0)
        total = np.where(known, step, 0.0).sum(axis=0)
        speeds.append(np.where(count > 0, total / np.maximum(count, 1), 0.0))
    speed = np.median(np.stack(speeds), axis=0)
    return np.asarray(speed / max(float(speed.max()), np.finfo(np.float64).tiny))


def _plain(pose: FloatArray) -> list[list[float | None]]:
    """Rounded; None where a joint was not seen, as JSON has no NaN."""
    return [
        [None if np.isnan(value) else round(value, _DECIMALS) for value in joint]
        for joint in pose.tolist()
    ]
