"""Losses and measures over the epochs of one or more runs, from the lines of their logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocols.figures.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    house_style,
    legend_below,
    new_figure,
    series_style,
)
from protocols.ranking.distances import FloatArray

_KINDS = ("epoch", "evaluation")
_NO_MEASURE = ("epoch", "step", "seconds")


@house_style()
def draw_training_curves(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], measures: Sequence[str] | None = None
) -> Figure:
    """Draw a panel a measure, a line a run.

    Args:
        runs: lines of each run's log by the run's name: dicts with ``kind``, ``epoch`` and named
            numbers, null (None) where one was not finite. Lines of kind ``epoch`` and
            ``evaluation`` are used; a measure's last line in an epoch counts.
        measures: names to show, such as ``train/loss``; all but times by default.

    Returns:
        A set of axes a measure, three to a row at most. A run that lacks a measure has no line in
        its panel; a missing number leaves a gap.

    Raises:
        ValueError: there is no run, no run has a line of those kinds, or none has a measure asked
            for.
    """
    series = {name: _series(lines) for name, lines in runs.items()}
    found = list(dict.fromkeys(key for curves in series.values() for key in curves))
    shown = found if measures is None else list(measures)
    missing = [measure for measure in shown if measure not in found]
    if not shown or missing:
        raise ValueError(
            f"No run's log has {', '.join(missing) or 'a measure'}; there are: "
            f"{', '.join(found) or 'none'}."
        )
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure = new_figure(COLUMN_WIDTH if across == 1 else PAGE_WIDTH, 0.4 + 1.8 * down)
    for place, measure in enumerate(shown):
        plot = figure.add_subplot(down, across, place + 1)
        for number, (name, curves) in enumerate(series.items()):
            if measure in curves:
                _draw_run(plot, *curves[measure], number, name)
        plot.set_title(measure, loc="left")
        plot.set_xlabel("epoch")
        plot.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        plot.grid(visible=True)
    legend_below(figure, columns=4)
    return figure


def _draw_run(plot: Axes, epochs: FloatArray, values: FloatArray, number: int, name: str) -> None:
    style = series_style(number)
    plot.plot(
        epochs,
        values,
        color=style.colour,
        linestyle=style.line,
        # One number alone makes no line.
        marker=style.marker if len(values) == 1 else "",
        label=name,
    )


def _series(lines: Sequence[Mapping[str, Any]]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Epochs and values of each measure, by name, in the order in which they first come."""
    by_measure: dict[str, dict[int, float]] = {}
    for line in lines:
        if line.get("kind") not in _KINDS or "epoch" not in line:
            continue
        for key, value in line.items():
            number = value is None or (isinstance(value, int | float) and value is not True)
            if key not in _NO_MEASURE and number:
                at = by_measure.setdefault(key, {})
                at[int(line["epoch"])] = np.nan if value is None else float(value)
    return {
        key: (np.array(sorted(at), dtype=np.float64), np.array([at[e] for e in sorted(at)]))
        for key, at in by_measure.items()
    }
