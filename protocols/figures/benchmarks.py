"""Speed and memory: ours against what each row names, and how both grow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.drawing.inputs import shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.figures.drawing.style import (
    GREY,
    PAGE_WIDTH,
    SMALL,
    TINY,
    SeriesStyle,
    house_style,
    legend_below,
    new_figure,
    series_style,
)
from protocols.measured import Benchmark, Ratio, read_benchmarks
from protocols.records import BENCHMARKS

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FEWEST_POINTS = 3
_LONGEST = 78
_ACROSS = 3


class Curve(NamedTuple):
    """Rows of one work that differ in one number alone, in its order.

    Attributes:
        work: The work, with N for the number.
        plain: What ours is compared with.
        sizes: The number of each row, rising.
        rows: The rows.
    """

    work: str
    plain: str
    sizes: tuple[float, ...]
    rows: tuple[Ratio, ...]


def plan(results: Path | None) -> Iterator[FigurePlan]:
    """One figure of the files in ``benchmarks`` below a folder of results."""
    found = read_benchmarks(results)
    if found:
        draw = partial(_draw, found)
        yield FigurePlan(BENCHMARKS, "Speed and memory, compared", BENCHMARKS, (), draw)


def find_curves(rows: Sequence[Ratio]) -> list[Curve]:
    """The rows that make curves of three points or more.

    >>> rows = [Ratio(work=f"search, {n} x 9", plain="p", seconds=n, plain_seconds=2 * n, ratio=2,
    ...               lowest=1, highest=3) for n in (8, 2, 4)]
    >>> [(curve.work, curve.sizes) for curve in find_curves(rows)]
    [('search, N x 9', (2.0, 4.0, 8.0))]
    """
    found: dict[tuple[str, str], dict[float, Ratio]] = {}
    for row in rows:
        for match in _NUMBER.finditer(row.work):
            work = f"{row.work[: match.start()]}N{row.work[match.end() :]}"
            size = float(match[0].replace(",", ""))
            found.setdefault((work, row.plain), {})[size] = row
    return [
        Curve(work, plain, tuple(sorted(points)), tuple(points[size] for size in sorted(points)))
        for (work, plain), points in found.items()
        if len(points) >= _FEWEST_POINTS
    ]


def _draw(found: Sequence[Benchmark]) -> Drawing:
    rows = [row for one in found for row in one.rows]
    caption = (
        "Time, or memory in GiB, of the alternative after the semicolon, divided by ours: "
        "medians, with the lowest and the highest round. The alternative is a plain "
        "implementation, one written after a release, ours without a setting, or importing torch "
        "alone. To the right of the line, ours takes less. Below: both as the size of the work, N, "
        "grows. Measured by tests/benchmarks; the table of speed names the commands and "
        "processors."
    )
    return draw_benchmarks(rows), caption


@house_style()
def draw_benchmarks(rows: Sequence[Ratio]) -> Figure:
    """Draw ratios as horizontal bars on a logarithmic axis, and growth as curves.

    Args:
        rows: One ratio a row, in the order of the bars from above.

    Returns:
        The axes of the bars, then those of each work that grows.

    Raises:
        ValueError: There are no rows.
    """
    if not rows:
        raise ValueError("There are no benchmarks to draw.")
    works: dict[str, list[Curve]] = {}
    for curve in find_curves(rows):
        works.setdefault(curve.work, []).append(curve)
    heights = [0.6 + 0.17 * len(rows), 0.5 + 1.9 * -(-len(works) // _ACROSS)]
    figure = new_figure(PAGE_WIDTH, sum(heights))
    if not works:
        _draw_bars(figure.add_subplot(), rows)
        return figure
    grid = figure.add_gridspec(2, 1, height_ratios=heights)
    above, below = (figure.add_subfigure(grid[row]) for row in range(2))
    _draw_bars(above.add_subplot(), rows)
    down = -(-len(works) // _ACROSS)
    names = dict.fromkeys(curve.plain for curves in works.values() for curve in curves)
    looks = {name: series_style(number) for number, name in enumerate(names, 1)}
    for number, curves in enumerate(works.values(), 1):
        _draw_curves(below.add_subplot(down, _ACROSS, number), curves, looks)
    legend_below(below)
    return figure


def _draw_bars(plot: Axes, rows: Sequence[Ratio]) -> None:
    place = np.arange(len(rows))
    ratios = np.array([row.ratio for row in rows])
    # The ratio of medians may lie outside of the rounds' ratios.
    lengths = np.maximum(
        [ratios - [row.lowest for row in rows], [row.highest for row in rows] - ratios], 0
    )
    plot.barh(place, ratios - 1, left=1, height=0.7, color=series_style(0).colour)
    plot.errorbar(ratios, place, xerr=lengths, fmt="none", ecolor=GREY, elinewidth=0.8)
    plot.axvline(1, color=GREY, linewidth=0.8)
    plot.set_xscale("log")
    plot.set_yticks(place, [shorten(f"{row.work}; {row.plain}", _LONGEST) for row in rows])
    plot.tick_params(axis="y", labelsize=TINY, length=0)
    plot.set_ylim(len(rows) - 0.4, -0.6)
    plot.grid(axis="x")
    plot.set_xlabel("time or memory, divided by that of ours")


def _draw_curves(plot: Axes, curves: Sequence[Curve], looks: Mapping[str, SeriesStyle]) -> None:
    first = curves[0]
    ours = [row.seconds for row in first.rows]
    lines = [(first.sizes, ours, "ours", series_style(0))]
    for curve in curves:
        values = [row.plain_seconds for row in curve.rows]
        lines.append((curve.sizes, values, curve.plain, looks[curve.plain]))
    for sizes, values, name, (colour, line, marker) in lines:
        plot.plot(sizes, values, color=colour, linestyle=line, marker=marker, label=name)
    ticks = sorted({size for curve in curves for size in curve.sizes})
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.set_xticks(ticks, [f"{size:,.9g}" for size in ticks], minor=False)
    plot.set_xticks([], minor=True)
    plot.set_title(shorten(first.work, 42), fontsize=SMALL)
    plot.set_xlabel("N")
    plot.set_ylabel(first.rows[0].unit)
    plot.grid()
