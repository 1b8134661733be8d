"""For each class a typical body and how much each joint moves, small enough for a record.

This is our own: the paper does not say how the bodies and shaded parts of its Fig. 3 were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from aclnet.clips.joints import present
from aclnet.clips.settings import NormaliseSettings
from aclnet.clips.transforms import normalise
from aclnet.data.store import Store

MOST = 40
"""Maximum number of recordings per class, taken evenly from all of them."""

_DECIMALS = 3

FloatArray = npt.NDArray[np.float64]


def class_bodies(store: Store, classes: Sequence[str]) -> dict[str, Any]:
    """Compute a pose and joint weights for each class.

    Bodies are centred on the hips in every frame and measured in torso lengths; those in 3-D
    without a confidence are turned to face the viewer. Of several people the one seen most is used.

    - `pose`: the frame of a recording farthest from its first one, taken from the recording in
      which it is nearest to those of the others. A mean over recordings, or over time, would
      shorten limbs and blur the action.
    - `weight`: the joint's mean speed, median over recordings, relative to the class's maximum.

    Args:
        store: recordings with labels.
        classes: the classes; those without a recording that shows a body are omitted.

    Returns:
        Plain values for a record's cells: `joints` (V names), `bones` (pairs of joint numbers),
        `parts` (joint numbers by name), `dims`, `y_down`, and `classes`: by name `pose` (V, dims),
        None for joints that were not seen, and `weight` (V,) 0..1.

    Raises:
        ValueError: the layout has no hips or shoulders.
    """
    label = store.index["label"].to_numpy()
    found: dict[str, dict[str, Any]] = {}
    for name in classes:
        rows = np.flatnonzero(label == name)
        taken = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(np.int64)]
        bodies = [body for row in taken if len(body := _body(store, int(row))) > 1]
        if bodies:
            found[name] = {
                "pose": _plain(_typical([_farthest(body) for body in bodies])),
                "weight": np.round(_weights(bodies), _DECIMALS).tolist(),
            }
    layout = store.layout
    return {
        "joints": list(layout.joints),
        "bones": layout.bone_index.tolist(),
        "parts": {part: [*map(layout.index, names)] for part, names in layout.parts.items()},
        "dims": store.info.dims,
        "y_down": store.info.unit == "pixel",
        "classes": found,
    }


def _body(store: Store, row: int) -> FloatArray:
    """One person of a recording, normalised: (T, V, dims), NaN for joints that were not seen.

    Empty frames are dropped.
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
    # `seen` was taken before the hips were moved to the origin, which marks missing joints.
    points = np.where(seen[person][..., None].numpy(), body.numpy(), np.nan).astype(np.float64)
    return points[~np.isnan(points).all(axis=(1, 2))]


def _farthest(body: FloatArray) -> FloatArray:
    """The frame that differs most from the first, by the mean over joints seen in both: (V, dims).

    Frames with less than 80 % of the joints seen at most are skipped.
    """
    count = (~np.isnan(body[..., 0])).sum(axis=1)
    gap = _mean_distance(body, body[:1])
    gap[(count < 0.8 * count.max()) | np.isnan(gap)] = -1.0
    return np.asarray(body[int(gap.argmax())])


def _typical(poses: Sequence[FloatArray]) -> FloatArray:
    """The pose with the smallest sum of distances to the others."""
    every = np.stack(poses)
    sums = [
        float(np.nan_to_num(_mean_distance(every, pose[None]), nan=0.0).sum()) for pose in every
    ]
    return poses[int(np.argmin(sums))]


def _mean_distance(poses: FloatArray, other: FloatArray) -> FloatArray:
    """Mean distance of the joints seen in both: (N,), NaN if there are none."""
    return _known_mean(np.linalg.norm(poses - other, axis=2), axis=1, empty=np.nan)


def _known_mean(values: FloatArray, axis: int, empty: float) -> FloatArray:
    """Mean of the values that are not NaN; `empty` if there are none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), empty)


def _weights(bodies: Sequence[FloatArray]) -> FloatArray:
    """Mean speeds (V,), median over recordings, scaled to a maximum of 1; 0 for unseen joints."""
    steps = (np.linalg.norm(np.diff(body, axis=0), axis=2) for body in bodies)  # each (T-1, V)
    speeds = [_known_mean(step, axis=0, empty=0.0) for step in steps]
    speed = np.median(np.stack(speeds), axis=0)
    return np.asarray(speed / max(float(speed.max()), np.finfo(np.float64).tiny))


def _plain(pose: FloatArray) -> list[list[float | None]]:
    """Rounded, with None for NaN, which JSON lacks."""
    return [
        [None if np.isnan(value) else round(value, _DECIMALS) for value in joint]
        for joint in pose.tolist()
    ]
