"""How far shape, posture and movement alone tell people by their walk."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup, motion_tests
from protocols.labels import ARMS

_LONGEST = 50

Bar = tuple[float, float, float]
"""A rate and the ends of its interval, 0..1."""


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """One figure of each data set whose arms were trained."""
    for groups in motion_tests(runs):
        draw = partial(_draw, groups)
        title = "shape, posture and movement separately"
        yield planning.plan_of("motion", title, groups[0].record, draw)


def _draw(groups: Sequence[RunGroup]) -> Drawing:
    bars = {ARMS[group.record.variant]: _bar(group) for group in groups}
    runs = [run for group in groups for run in group.runs]
    caption = (
        "Share of walks whose nearest enrolled walk is the same person's, mean over seeds, with "
        "the mean of the records' 95 % intervals over people; the dashed line is a random pick. "
        "One body: everybody's bones are equally long. "
        f"{planning.describe_files(runs).capitalize()}."
    )
    return draw_motion(bars, groups[0].record.metrics.get("chance", 0.0)), caption


def _bar(group: RunGroup) -> Bar:
    rates = [run.record.metrics["rank1"] for run in group.runs]
    low, high = (
        statistics.fmean(run.record.intervals["rank1"][end] for run in group.runs) for end in (0, 1)
    )
    return statistics.fmean(rates), low, high


@style.house_style()
def draw_motion(bars: Mapping[str, Bar], chance: float) -> Figure:
    """Draw the rates as horizontal bars with intervals.

    Args:
        bars: rate and interval by name, in the order from above.
        chance: the rate of a random pick, 0..1.

    Returns:
        One set of axes, in percent.

    Raises:
        ValueError: there are no bars.
    """
    if not bars:
        raise ValueError("At least one rate must be given.")
    figure, plot = style.new_axes(style.PAGE_WIDTH, 0.7 + 0.22 * len(bars))
    rates, low, high = 100 * np.array(list(bars.values())).T
    rows = np.arange(len(bars))
    ends = np.maximum([rates - low, high - rates], 0)  # an interval may lie beside its mean
    plot.barh(rows, rates, height=0.7, color=style.series_style(0).colour)
    plot.errorbar(rates, rows, xerr=ends, fmt="none", ecolor=style.GREY, elinewidth=0.9)
    plot.axvline(100 * chance, color=style.BLACK, linestyle="--", linewidth=0.9)
    plot.set_yticks(rows, [shorten(name, _LONGEST) for name in bars])
    plot.set_ylim(len(bars) - 0.4, -0.6)
    plot.set_xlim(0, 100)
    plot.set_xlabel("rank-1 (%)")
    plot.grid(axis="x")
    return figure
