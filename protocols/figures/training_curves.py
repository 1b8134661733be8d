"""Training curves: losses and measures over the epochs of runs whose logs are named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocols.figures.drawing import style
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.labels import dataset_of
from protocols.ranking.distances import FloatArray
from protocols.records import ResultRecord

_KINDS = ("epoch", "evaluation")
_NO_MEASURE = ("epoch", "step", "seconds")
_RECORD = "record.json"


def plan(logs: Mapping[str, Path]) -> Iterator[FigurePlan]:
    """One figure of all logs.

    Args:
        logs: Log files by the run's name; task and data come from the record in the same folder.
    """
    if not logs:
        return
    records = [record for path in logs.values() if (record := _record(path)) is not None]
    datasets = tuple(dict.fromkeys(dataset_of(record.dataset) for record in records))
    task = records[0].task if records else ""
    title = f"training of {', '.join(logs)}"
    yield FigurePlan("training", title, task, datasets, partial(_draw, logs))


def _record(log: Path) -> ResultRecord | None:
    try:
        return ResultRecord.read(log.parent / _RECORD)
    except (OSError, ValueError):  # a run that has not ended has none yet
        return None


def _draw(logs: Mapping[str, Path]) -> Drawing:
    lines = {name: _lines(path) for name, path in logs.items()}
    caption = (
        f"Losses and measures by epoch, from the logs of {len(logs)} "
        f"run{'' if len(logs) == 1 else 's'}: {', '.join(logs)}."
    )
    return draw_training_curves(lines), caption


def _lines(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a log; the last one may be cut where a run was stopped."""
    found: list[Mapping[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


@style.house_style()
def draw_training_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw a panel a measure, a line a run.

    Args:
        runs: lines of each run's log by the run's name: dicts with ``kind``, ``epoch`` and named
            numbers, null (None) where one was not finite. Lines of kind ``epoch`` and
            ``evaluation`` are used; a measure's last line in an epoch counts.

    Returns:
        A set of axes a measure, three to a row at most. A run that lacks a measure has no line in
        its panel; a missing number leaves a gap.

    Raises:
        ValueError: there is no run, or no run has a measure in a line of those kinds.
    """
    series = {name: _series(lines) for name, lines in runs.items()}
    shown = list(dict.fromkeys(key for curves in series.values() for key in curves))
    if not shown:
        raise ValueError(f"No log of {', '.join(runs) or 'no run'} has a measure of an epoch.")
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure = style.new_figure(
        style.COLUMN_WIDTH if across == 1 else style.PAGE_WIDTH, 0.4 + 1.8 * down
    )
    for place, measure in enumerate(shown):
        plot = figure.add_subplot(down, across, place + 1)
        for number, (name, curves) in enumerate(series.items()):
            if measure in curves:
                look = style.series_style(number)
                epochs, values = curves[measure]
                marker = look.marker if len(values) == 1 else ""  # one value makes no line
                (line,) = plot.plot(epochs, values, marker=marker, label=name)
                line.set(color=look.colour, linestyle=look.line)
        plot.set_title(measure, loc="left")
        plot.set_xlabel("epoch")
        plot.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        plot.grid(visible=True)
    style.legend_below(figure, columns=4)
    return figure


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
