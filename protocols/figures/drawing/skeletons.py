"""Bodies of a skeleton sequence side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from protocols.figures.drawing.inputs import as_numbers
from protocols.figures.drawing.style import BLACK, VERMILLION
from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray

_ROOM = 1.12
"""Height of the axes for a body of height 1."""


def project(joints: npt.ArrayLike, *, y_down: bool = False) -> FloatArray:
    """Positions in the picture's plane, (T, V, 2), the second axis upwards.

    Args:
        joints: (T, V, C); the first channel runs to the right, the second up.
        y_down: whether the second grows downwards, as pixels do.

    Raises:
        ValueError: the joints are not (T, V, C) with C of 2 or more, or none was seen.
    """
    positions = as_numbers(joints, "Joints (T, V, C)", 3)
    if positions.shape[2] < 2:
        raise ValueError("Two channels are to be drawn, and there is one.")
    points = positions[:, :, :2].copy()
    # Half of a position cannot be drawn.
    points[np.isnan(points).any(axis=2)] = np.nan
    if np.isnan(points).all():
        raise ValueError("No joint was seen in any frame: there is nothing to draw.")
    points[:, :, 1] *= -1.0 if y_down else 1.0
    return points


def choose_frames(points: FloatArray, count: int) -> IntArray:
    """At most ``count`` frames in which a body was seen, evenly spread, first and last included.

    Raises:
        ValueError: ``count`` is below 1.

    >>> choose_frames(np.zeros((9, 1, 2)), 3).tolist()
    [0, 4, 8]
    """
    if count < 1:
        raise ValueError(f"At least one frame must be shown, not {count}.")
    seen = np.flatnonzero(~np.isnan(points).all(axis=(1, 2)))
    places = np.linspace(0, len(seen) - 1, min(count, len(seen)))
    return np.asarray(seen[np.round(places).astype(np.int64)], dtype=np.int64)


def draw_bodies(
    plot: Axes,
    points: FloatArray,
    bones: Sequence[Sequence[int]],
    *,
    aspect: float,
    marked: BoolArray | None = None,
) -> FloatArray:
    """Draw bodies side by side into axes, at one scale, and set limits and shape.

    Args:
        plot: the axes.
        points: (T, V, 2), y upwards, a joint or more seen in each frame.
        bones: pairs of joint numbers.
        aspect: width over height of the axes, over which the bodies are spread so that bodies of
            any width come out equally high.
        marked: (T, V) joints drawn large; None: none.

    Returns:
        (T,) the place of each body on the x axis.

    Raises:
        ValueError: a bone does not exist.
    """
    pairs = _check_bones(bones, points.shape[1])
    low, high = np.nanmin(points, axis=(0, 1)), np.nanmax(points, axis=(0, 1))
    ends = np.nanmin(points[:, :, 0], axis=1), np.nanmax(points[:, :, 0], axis=1)
    height = max(float(high[1] - low[1]), 1e-9)
    width = max(float(np.nanmax(ends[1] - ends[0])), 0.25 * height)
    # Wide bodies make all of them smaller, so that none crosses the next.
    step = max(1.02 * width, _ROOM * height * aspect / len(points))
    places = step * np.arange(len(points), dtype=np.float64)
    # Each body is centred on its place, wherever the person walked to.
    shift = places - (ends[0] + ends[1]) / 2
    moved = points + np.stack([shift, np.full_like(shift, -low[1])], axis=1)[:, None, :]
    lines = moved[:, pairs].reshape(-1, 2, 2)
    whole = ~np.isnan(lines).any(axis=(1, 2))
    if whole.any():
        bodies = LineCollection(list(lines[whole]), colors=BLACK, linestyles=["-"], linewidths=1.1)
        plot.add_collection(bodies)
    dots = moved[~np.isnan(moved).any(axis=2)]
    plot.plot(dots[:, 0], dots[:, 1], "o", color=BLACK, markersize=1.6)
    if marked is not None:
        large = moved[marked]
        plot.plot(large[:, 0], large[:, 1], "o", color=VERMILLION, markersize=3.6)
    wide = step * len(points)
    spare = (wide / aspect - height) / 2
    plot.set_xlim(-step / 2, wide - step / 2)
    plot.set_ylim(-spare, height + spare)
    # With these limits a box of this shape has one scale. An equal aspect found by matplotlib would
    # widen the limits at each run of the layout.
    plot.set_box_aspect(1 / aspect)
    return places


def _check_bones(bones: Sequence[Sequence[int]], size: int) -> IntArray:
    pairs = np.asarray(bones, dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"Bones must be pairs of joint numbers, not of shape {pairs.shape}.")
    if pairs.min() < 0 or pairs.max() >= size:
        raise ValueError(
            f"Joints are numbered 0 to {size - 1}, and bones name {pairs.min()} to {pairs.max()}."
        )
    return pairs
