"""Pictures of a clip: a strip of skeletons, or an animation.

The body's left side is blue, its right side orange, the rest grey (Okabe and Ito's colours, which
are distinct with any kind of colour vision). A joint that was not seen (zero, or no confidence) is
left out with its bones. 3-D is drawn from the front: x to the right, y up; depth is not shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aclnet.data.numbering import Numbers
from aclnet.data.sample import StoreInfo
from aclnet.files import whole_file
from aclnet.skeleton import Layout, layout_from_dict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.figure import Figure

    Skeleton = tuple[LineCollection, PathCollection]

LEFT, RIGHT, MIDDLE = "#0072B2", "#D55E00", "#595959"
_STILL = (".png", ".svg", ".pdf")
_DEFAULT_FPS = 15.0
_LONGEST_ANIMATION = 300

Points = npt.NDArray[np.float32]


def draw_clip(
    frames: npt.NDArray[Any],
    info: StoreInfo,
    out: str | Path,
    *,
    title: str = "",
    count: int = 8,
    numbers: Numbers | None = None,
) -> Path:
    """Draw a clip into a file: a strip for .png, .svg, .pdf, an animation for .gif.

    Args:
        frames: (T, M, V, C) of a store.
        info: the store's description (layout, channels, unit).
        out: the file to write; its ending chooses the kind.
        title: the picture's heading.
        count: frames of a strip, spread evenly over the clip.
        numbers: (T,) the frames' numbers in the recording; by default 0 to T - 1.

    Returns:
        The file's path.

    Raises:
        ValueError: the ending is unknown, the clip is empty, or matplotlib is not installed.
    """
    path = Path(out)
    kind = path.suffix.lower()
    if kind not in (*_STILL, ".gif"):
        raise ValueError(f"{path}: a picture ends in {', '.join(_STILL)} or .gif, not {kind!r}")
    points = visible_points(frames, info)
    if len(points) == 0 or not np.isfinite(points).any():
        raise ValueError(f"{title or path}: there is no joint to draw")
    need_matplotlib()
    layout = layout_from_dict(info.layout)
    with whole_file(path) as draft:
        if kind == ".gif":
            numbers = np.arange(len(points)) if numbers is None else numbers
            _animate(points, layout, info, draft, title, numbers)
        else:
            y_up = info.unit == "metre"
            strip = draw_strip(points, layout, y_up=y_up, title=title, count=count, numbers=numbers)
            strip.savefig(draft, format=kind[1:])
    return path


def draw_strip(
    points: Points,
    layout: Layout,
    *,
    y_up: bool,
    title: str = "",
    count: int = 8,
    numbers: Numbers | None = None,
) -> Figure:
    """Skeletons of `count` frames side by side, at one scale.

    Args:
        points: (T, M, V, 2) drawn coordinates, NaN for joints not seen.
        layout: the joints.
        y_up: whether y grows upwards (metres) or downwards (an image).
        title: the picture's heading.
        count: how many frames at most.
        numbers: (T,) the frames' numbers in the recording; by default 0 to T - 1.
    """
    from matplotlib.figure import Figure

    chosen = np.unique(np.linspace(0, len(points) - 1, min(count, len(points))).round().astype(int))
    figure = Figure(figsize=(1.6 * len(chosen) + 0.4, 3.4), dpi=120)
    axes = figure.subplots(1, len(chosen), squeeze=False)[0]
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.1, top=0.84, wspace=0.05)
    # Each frame around its own middle: a walker that crosses the scene stays large.
    middle = _middle(points, (1, 2))
    reach = _reach(points - middle[:, None, None])
    for ax, frame in zip(axes, chosen, strict=True):
        _pose(_skeletons(ax, points.shape[1], layout), points[frame], layout)
        _frame_axes(ax, middle[frame], reach, y_up)
        ax.set_title(f"{frame if numbers is None else numbers[frame]}", fontsize=8)
    figure.suptitle(title, fontsize=9)
    _legend(figure, layout)
    return figure


def _animate(
    points: Points, layout: Layout, info: StoreInfo, path: Path, title: str, numbers: Numbers
) -> None:
    from matplotlib.animation import PillowWriter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4.4), dpi=80)
    ax = figure.add_axes((0.02, 0.08, 0.96, 0.84))
    middle = _middle(points, (0, 1, 2))
    reach = _reach(points - middle)
    step = -(-len(points) // _LONGEST_ANIMATION)
    # Every n-th frame of a recording is shown at its speed; one that was left out is not a pause.
    gap = float(np.median(np.diff(numbers))) if len(numbers) > 1 else 1.0
    rate = info.fps / gap if info.fps else _DEFAULT_FPS
    writer = PillowWriter(fps=max(1, round(rate / step)))
    _legend(figure, layout)
    _frame_axes(ax, middle, reach, info.unit == "metre")
    heading = ax.set_title(title, fontsize=9)
    skeletons = _skeletons(ax, points.shape[1], layout)
    with writer.saving(figure, str(path), dpi=80):
        for frame in range(0, len(points), step):
            _pose(skeletons, points[frame], layout)
            heading.set_text(f"{title}  frame {numbers[frame]}")
            writer.grab_frame()


def visible_points(frames: npt.NDArray[Any], info: StoreInfo, dims: int = 2) -> Points:
    """The drawn coordinates: x and y, NaN for a joint that was not seen.

    Args:
        frames: (T, M, V, C) of a store.
        info: the store's description.
        dims: D, coordinates to keep: 2, or 3 for depth as well.

    Returns:
        float32 (T, M, V, D).
    """
    points = np.array(frames[..., :dims], dtype=np.float32)
    unseen = (frames[..., : info.dims] == 0).all(axis=-1)
    if "confidence" in info.channels:
        unseen |= frames[..., info.channels.index("confidence")] <= 0
    points[unseen | ~np.isfinite(points).all(axis=-1)] = np.nan
    return points


def _middle(points: Points, axes: tuple[int, ...]) -> Points:
    """The mean of the joints seen, 0 where none is."""
    seen = np.isfinite(points)
    total = np.where(seen, points, 0).sum(axis=axes)
    return np.asarray(total / np.maximum(seen.sum(axis=axes), 1), dtype=np.float32)


def _reach(offsets: Points) -> npt.NDArray[np.float64]:
    """Half the width and height of the largest frame, with a margin; (2,)."""
    largest = np.nanmax(np.abs(offsets), axis=(0, 1, 2))
    return np.asarray(1.1 * largest + 1e-6, dtype=np.float64)


def _frame_axes(ax: Axes, middle: Points, reach: npt.NDArray[np.float64], y_up: bool) -> None:
    x, y = (float(value) for value in middle)
    low, high = y - reach[1], y + reach[1]
    ax.set_xlim(x - reach[0], x + reach[0])
    ax.set_ylim(*((low, high) if y_up else (high, low)))
    ax.set_aspect("equal")
    ax.set_axis_off()


def _skeletons(ax: Axes, persons: int, layout: Layout) -> list[Skeleton]:
    """One set of bones and joints for each person; `_pose` places them."""
    from matplotlib.collections import LineCollection

    colours = [MIDDLE] * layout.joint_count
    for left, right in layout.mirror:
        colours[layout.index(left)], colours[layout.index(right)] = LEFT, RIGHT
    of_bones = [colours[child] for child in layout.bone_index[:, 0]]
    skeletons: list[Skeleton] = []
    for _ in range(persons):
        bones = LineCollection([], colors=of_bones, linewidths=2)
        ax.add_collection(bones, autolim=False)
        hidden = np.full(layout.joint_count, np.nan)
        skeletons.append((bones, ax.scatter(hidden, hidden, s=7, c=colours, zorder=3)))
    return skeletons


def _pose(skeletons: list[Skeleton], points: Points, layout: Layout) -> None:
    for (bones, joints), person in zip(skeletons, points, strict=True):
        bones.set_segments(list(person[layout.bone_index]))
        joints.set_offsets(person)


def _legend(figure: Figure, layout: Layout) -> None:
    from matplotlib.lines import Line2D

    if layout.mirror:
        sides = [Line2D([], [], color=LEFT, lw=2), Line2D([], [], color=RIGHT, lw=2)]
        names = ["left side of the body", "right side"]
        figure.legend(sides, names, loc="lower center", ncols=2, fontsize=7, frameon=False)


def need_matplotlib() -> None:
    """Refuse to draw without matplotlib.

    Raises:
        ValueError: it is not installed; the message names the extra.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ValueError(
            'pictures need matplotlib: install the extra with pip install "aclnet[report]"'
        ) from None
