"""A skeleton sequence as a strip of frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from protocols.figures.inputs import as_numbers
from protocols.figures.style import BLACK, BLUE, GREY, PAGE_WIDTH, SMALL, house_style, new_axes
from protocols.ranking.distances import FloatArray, IntArray

_ROOM = 1.12
"""Height of the axes for a body of height 1."""


@house_style()
def draw_skeleton_strip(
    joints: npt.ArrayLike,
    bones: Sequence[Sequence[int]],
    *,
    count: int = 8,
    axes: tuple[int, int] = (0, 1),
    y_down: bool = False,
    left: Collection[int] = (),
    caption: str = "",
) -> Figure:
    """Draw some frames of a sequence side by side, evenly spread over its length.

    Args:
        joints: (T, V, C) positions; NaN where a joint was not seen. Two persons are drawn as one
            body of 2V joints, with the second one's bones shifted by V.
        bones: pairs of joint numbers.
        count: frames to show at most.
        axes: channels that run to the right and up, (0, 2) where z is up.
        y_down: whether the second of them grows downwards, as pixels do.
        left: joints of the body's left side, whose bones are drawn dashed and in blue.
        caption: a line above the strip.

    Returns:
        One set of axes; below each body its frame number, from 0.

    Raises:
        ValueError: the joints are not (T, V, C) or none was seen, a bone, an axis or a joint of
            ``left`` does not exist, or ``count`` is below 1.
    """
    points = project(joints, axes=axes, y_down=y_down)
    frames = choose_frames(points, count)
    figure, plot = new_axes(PAGE_WIDTH, 1.7)
    places = draw_bodies(plot, points[frames], bones, left=left, aspect=4.8)
    low = plot.get_ylim()[0]
    for place, frame in zip(places, frames.tolist(), strict=True):
        plot.text(place, low, str(frame), ha="center", va="top", fontsize=SMALL, color=GREY)
    plot.set_axis_off()
    plot.set_title(caption, loc="left")
    return figure


def project(
    joints: npt.ArrayLike, *, axes: tuple[int, int] = (0, 1), y_down: bool = False
) -> FloatArray:
    """Positions in the picture's plane, (T, V, 2), the second axis upwards.

    Args:
        joints: (T, V, C).
        axes: channels to the right and up.
        y_down: whether the second grows downwards.

    Raises:
        ValueError: the joints are not (T, V, C), none was seen, or there is no such channel.
    """
    positions = as_numbers(joints, "Joints (T, V, C)", 3)
    if not all(0 <= axis < positions.shape[2] for axis in axes):
        raise ValueError(f"Channels {axes} are to be drawn, and there are {positions.shape[2]}.")
    points = positions[:, :, list(axes)]
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
    left: Collection[int] = (),
) -> FloatArray:
    """Draw bodies side by side into axes, at one scale, and set limits and shape.

    Args:
        plot: the axes.
        points: (T, V, 2), y upwards, a joint or more seen in each frame.
        bones: pairs of joint numbers.
        left: joints of the left side.
        aspect: width over height of the axes, over which the bodies are spread so that bodies of
            any width come out equally high.

    Returns:
        (T,) where on the x axis each body stands.

    Raises:
        ValueError: a bone or a joint of ``left`` does not exist.
    """
    pairs = _check_bones(bones, left, points.shape[1])
    low, high = np.nanmin(points, axis=(0, 1)), np.nanmax(points, axis=(0, 1))
    ends = np.nanmin(points[:, :, 0], axis=1), np.nanmax(points[:, :, 0], axis=1)
    height = max(float(high[1] - low[1]), 1e-9)
    width = max(float(np.nanmax(ends[1] - ends[0])), 0.25 * height)
    # Where outstretched limbs would cross the next body, all become smaller.
    step = max(1.02 * width, _ROOM * height * aspect / len(points))
    places = step * np.arange(len(points), dtype=np.float64)
    # Each body is centred on its place: where the person walked to does not matter here.
    shift = places - (ends[0] + ends[1]) / 2
    moved = points + np.stack([shift, np.full_like(shift, -low[1])], axis=1)[:, None, :]
    lines = moved[:, pairs].reshape(-1, 2, 2)
    whole = ~np.isnan(lines).any(axis=(1, 2))
    on_left = np.tile(np.isin(pairs, list(left)).any(axis=1), len(points))
    for chosen, colour, line in ((~on_left, BLACK, "-"), (on_left, BLUE, (0, (2, 0.8)))):
        if (chosen & whole).any():
            plot.add_collection(
                LineCollection(
                    list(lines[chosen & whole]), colors=colour, linestyles=[line], linewidths=1.1
                )
            )
    dots = moved[~np.isnan(moved).any(axis=2)]
    plot.plot(dots[:, 0], dots[:, 1], "o", color=BLACK, markersize=1.6)
    wide = step * len(points)
    spare = (wide / aspect - height) / 2
    plot.set_xlim(-step / 2, wide - step / 2)
    plot.set_ylim(-spare, height + spare)
    # With these limits a box of this shape has one scale. Letting matplotlib find an equal aspect
    # instead widens the limits each time that the layout is tried.
    plot.set_box_aspect(1 / aspect)
    return places


def _check_bones(bones: Sequence[Sequence[int]], left: Collection[int], size: int) -> IntArray:
    pairs = np.asarray(bones, dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"Bones must be pairs of joint numbers, not of shape {pairs.shape}.")
    named = [*pairs.ravel().tolist(), *left]
    if min(named) < 0 or max(named) >= size:
        raise ValueError(
            f"Joints are numbered 0 to {size - 1}, and bones name {min(named)} to {max(named)}."
        )
    return pairs
