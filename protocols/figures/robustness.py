"""Rates on degraded recordings: a panel a kind of change, against its level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RobustnessTest, RunEntry, RunGroup, robustness_tests
from protocols.labels import DEGRADED, SHARES_KEPT, measure_name

AXES = {
    "noise": "noise (% of the body's size)",
    "joints": "joints absent (%)",
    "gaps": "gaps (% of all joints)",
    "length": "frames, the middle (%)",
    "rate": "frames per second (%)",
}
"""Labels of the panels' axes by kind of change."""

Point = tuple[float, float, float, float]
"""Level, rate and both ends of its interval, 0..1."""


@dataclass(frozen=True)
class Curve:
    """A network's rates by the level of one kind, the mildest level first.

    Attributes:
        network: Its label.
        points: One a level; the ends are NaN where there is no interval.
    """

    network: str
    points: tuple[Point, ...]


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """One figure of each test with a level of a kind."""
    for test in robustness_tests(runs):
        if any(test.levels(kind) for kind in DEGRADED):
            draw = partial(_draw, test)
            title = "degraded recordings"
            yield planning.plan_of("robustness", title, test.record, draw, test.record.rule)


def _draw(test: RobustnessTest) -> Drawing:
    measure = measure_name(test.headline)
    panels = {kind: _curves(test, kind) for kind in DEGRADED if test.levels(kind)}
    runs = [run for group in test.groups.values() for run in group.runs]
    folders = sorted({run.file.rpartition("/")[0] for run in runs} - {""})
    where = f" in {', '.join(folders)}" if folders else ""
    caption = (
        f"{measure.capitalize()} of {', '.join(test.networks)} when all test recordings are "
        "degraded, by the level of each change; bands are 95 % intervals over people, for several "
        f"seeds the mean of their ends. {len(runs)} records{where}."
    )
    return draw_robustness(panels, measure), caption


def _curves(test: RobustnessTest, kind: str) -> list[Curve]:
    start = 1.0 if kind in SHARES_KEPT else 0.0
    curves = []
    for network in test.networks:
        groups = [(start, test.groups.get((network, None)))]
        groups += [(x, test.groups.get((network, (kind, x)))) for x in test.levels(kind)]
        points = [_point(x, group, test.headline) for x, group in groups if group is not None]
        if points:
            curves.append(Curve(network, tuple(points)))
    return curves


def _point(level: float, group: RunGroup, headline: str) -> Point:
    records = [run.record for run in group.runs]
    ends = [r.intervals.get(headline, (np.nan, np.nan)) for r in records]
    rate = fmean(record.metrics[headline] for record in records)
    return level, rate, fmean(low for low, _ in ends), fmean(high for _, high in ends)


@style.house_style()
def draw_robustness(panels: Mapping[str, Sequence[Curve]], measure: str) -> Figure:
    """Draw the curves of each kind, worse recordings to the right.

    Args:
        panels: Curves by kind.
        measure: What is drawn.

    Returns:
        A set of axes a kind, all with the same y axis, in percent.

    Raises:
        ValueError: there is no kind, or one has no curve.
    """
    if not panels or not all(panels.values()):
        raise ValueError("Each kind of change needs a curve, and there must be one.")
    across = min(len(panels), 3)
    down = -(-len(panels) // across)
    width = style.COLUMN_WIDTH if across == 1 else style.PAGE_WIDTH
    figure = style.new_figure(width, 0.5 + 1.9 * down)
    first = None
    networks = list(dict.fromkeys(c.network for curves in panels.values() for c in curves))
    for place, (kind, curves) in enumerate(panels.items()):
        plot = figure.add_subplot(down, across, place + 1, sharey=first)
        first = first or plot
        for curve in curves:
            look = style.series_style(networks.index(curve.network))
            level, rate, low, high = 100 * np.array(curve.points).T
            plot.plot(
                level, rate, color=look.colour, linestyle=look.line, marker=look.marker,
                label=curve.network,
            )  # fmt: skip
            plot.fill_between(level, low, high, color=look.colour, alpha=0.15, linewidth=0)
        levels = {100 * point[0] for curve in curves for point in curve.points}
        plot.set_xticks(sorted(levels), [f"{level:g}" for level in sorted(levels)])
        if kind in SHARES_KEPT:
            plot.invert_xaxis()
        plot.set_xlabel(AXES[kind])
        plot.set_ylim(0, 100)
        plot.grid(axis="y")
        if place % across == 0:
            plot.set_ylabel(f"{measure} (%)")
    style.legend_below(figure)
    return figure
