"""Which joints mattered, and when: the fall of a score where they are hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from protocols.figures.drawing import style
from protocols.figures.drawing.inputs import as_numbers, check_names, shorten
from protocols.ranking.distances import FloatArray
from protocols.ranking.exclusion import BoolArray

_COLOURS = LinearSegmentedColormap.from_list(
    "falls", ["#7F3000", style.VERMILLION, "#F6CDB0", "#EDEDED", "#A9D3EC", style.BLUE, "#00263D"]
)
"""Falls are blue and rises orange, the darker the larger."""
_MOST_NUMBERS = 12
"""Rows and columns of a matrix whose cells hold their numbers."""


@style.house_style()
def draw_hidden_joints(
    body: npt.ArrayLike,
    bones: Sequence[Sequence[int]],
    names: Sequence[str],
    groups: Sequence[Sequence[int]],
    falls: npt.ArrayLike,
    ends: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    *,
    label: str = "fall",
    title: str = "",
) -> Figure:
    """Draw a body in the colours of the falls, the falls group by group, and time by time.

    Groups are in order of their falls; of equal ones the first comes first.

    Args:
        body: (V, 2) joints, y upwards; NaN where one was not seen.
        bones: pairs of joint numbers.
        names: P groups of joints, and then all joints.
        groups: the joints of each of the P groups.
        falls: (P + 1, S + 1): S segments of the time, and then the whole time; NaN where unknown.
        ends: of their intervals; None: not known.
        label: what falls, for the axes.
        title: the figure's heading.

    Returns:
        Axes of the body, of the groups and of the times, and of two colour bars.

    Raises:
        ValueError: shapes do not fit.
    """
    table, points = as_numbers(falls, "Falls", 2), as_numbers(body, "A body", 2)
    words = check_names(names, table.shape[0], "Groups")
    if len(groups) != len(words) - 1 or table.shape[1] < 2 or points.shape[1] != 2:
        raise ValueError(
            f"Falls {table.shape} are of {len(groups)} groups and all joints, in segments and the "
            f"whole time, and a body is (V, 2), not {points.shape}."
        )
    whole = table[:-1, -1]
    order = np.argsort(-np.nan_to_num(whole, nan=-np.inf), kind="stable")
    shown = [*order.tolist(), len(groups)]
    height = min(1.5 + 0.19 * max(len(shown), 7), 8.5)
    figure = style.new_figure(style.PAGE_WIDTH, height)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.0, 0.9, 2.0))
    figure.suptitle(title, fontsize=style.SMALL)
    scale = _scale(whole)
    _draw_body(left, points, bones, groups, whole, scale)
    rows = np.arange(len(shown))
    _draw_bars(middle, table[shown, -1], ends, shown, scale)
    middle.set_yticks(rows, [shorten(words[row]) for row in shown])
    middle.set_xlabel(f"{label}\nhidden always")
    _draw_times(right, table[shown, :-1], figure, label)
    for plot in (middle, right):
        plot.set_ylim(len(shown) - 0.5, -0.5)
    return figure


def _scale(values: FloatArray) -> Normalize:
    """Symmetric about zero, so that zero is grey."""
    known = np.abs(values[np.isfinite(values)])
    most = max(float(known.max(initial=0.0)), 1e-9)
    return Normalize(-most, most)


def _draw_body(
    plot: Axes,
    points: FloatArray,
    bones: Sequence[Sequence[int]],
    groups: Sequence[Sequence[int]],
    falls: FloatArray,
    scale: Normalize,
) -> None:
    colours = np.tile(np.array([0.5, 0.5, 0.5, 1.0]), (len(points), 1))
    for group, fall in zip(groups, falls, strict=True):
        if np.isfinite(fall):
            colours[list(group)] = _COLOURS(scale(fall))
    pairs = np.asarray(bones, dtype=np.int64).reshape(-1, 2)
    seen: BoolArray = np.asarray(np.isfinite(points).all(axis=1))
    pairs = pairs[seen[pairs].all(axis=1)]
    # A grey outline keeps what did not matter visible on white.
    for width, shades in ((4.4, style.GREY), (3.4, colours[pairs[:, 0]])):
        lines = LineCollection(list(points[pairs]), colors=shades, linewidths=width, zorder=1)
        lines.set_capstyle("round")
        plot.add_collection(lines)
    dots = points[seen]
    plot.scatter(
        dots[:, 0],
        dots[:, 1],
        s=34,
        c=colours[seen],
        edgecolors=style.GREY,
        linewidths=0.6,
        zorder=2,
    )
    plot.set_aspect("equal")
    plot.margins(0.12, 0.06)
    plot.set_axis_off()


def _draw_bars(
    plot: Axes,
    falls: FloatArray,
    ends: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    shown: Sequence[int],
    scale: Normalize,
) -> None:
    rows = np.arange(len(shown))
    known = np.isfinite(falls)
    plot.barh(
        rows[known], falls[known], color=_COLOURS(scale(falls[known])), edgecolor=style.GREY,
        linewidth=0.5, height=0.7,
    )  # fmt: skip
    plot.axvline(0, color=style.GREY, linewidth=0.7)
    if ends is None:
        return
    low, high = (as_numbers(end, "Ends", 2)[list(shown), -1] for end in ends)
    drawn = known & np.isfinite(low) & np.isfinite(high)
    plot.hlines(rows[drawn], low[drawn], high[drawn], color=style.BLACK, linewidth=1.0)


def _draw_times(plot: Axes, falls: FloatArray, figure: Figure, label: str) -> None:
    rows, columns = falls.shape
    scale = _scale(falls)
    image = plot.imshow(
        np.ma.masked_invalid(falls), cmap=_COLOURS, norm=scale, aspect="auto",
        extent=(0, 100, rows - 0.5, -0.5), interpolation="nearest",
    )  # fmt: skip
    plot.spines[:].set_visible(True)
    plot.set_facecolor("white")
    plot.tick_params(labelleft=False, left=False)
    plot.set_xticks([0, 25, 50, 75, 100])
    plot.set_xlabel("hidden part of the recording (%)")
    figure.colorbar(image, ax=plot, label=label, pad=0.02, aspect=24)
    if max(rows, columns) > _MOST_NUMBERS:
        return
    most = max(float(np.abs(falls[np.isfinite(falls)]).max(initial=0.0)), 1e-9)
    decimals = int(np.clip(1 - np.floor(np.log10(most)), 0, 4))
    for row, column in np.argwhere(np.isfinite(falls)).tolist():
        value = float(falls[row, column])
        red, green, blue, _ = _COLOURS(scale(value))
        # Weights of relative luminance, Rec. ITU-R BT.709.
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
        text = plot.text(
            (column + 0.5) * 100 / columns, row, f"{round(value, decimals) + 0.0:.{decimals}f}",
            ha="center", va="center", fontsize=style.TINY, color="white" if dark else "black",
        )  # fmt: skip
        text.set_in_layout(False)
