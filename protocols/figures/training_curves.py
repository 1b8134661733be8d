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
from protocols.groups import RunEntry, group_runs
from protocols.labels import dataset_of, slug
from protocols.ranking.distances import FloatArray
from protocols.records import ResultRecord

_KINDS = ("epoch", "evaluation")
_NO_MEASURE = ("epoch", "step", "seconds")
_RECORD = "record.json"


def plan(logs: Mapping[str, Path]) -> Iterator[FigurePlan]:
    """A figure a task and data set.

    Args:
        logs: Log files by the run's name; task and data come from the record in the same folder.
    """
    records = {name: _record(path) for name, path in logs.items()}
    members: dict[tuple[str, str], list[RunEntry]] = {}
    for name, record in records.items():
        if record is not None:
            place = (record.task, dataset_of(record.dataset))
            members.setdefault(place, []).append(RunEntry(name, record))
    for (task, data), entries in members.items():
        labels = {
            file: ", ".join(filter(None, [group.label, group.record.stream]))
            for group in group_runs(entries)
            for file in (*group.files, *group.repeated)
        }
        chosen = {entry.file: logs[entry.file] for entry in entries}
        key, title = slug(f"training-{task}-{data}"), f"{data}: training"
        yield FigurePlan(key, title, task, (data,), partial(_draw, chosen, labels))
    without = {name: logs[name] for name, record in records.items() if record is None}
    if without:
        title = f"training of {', '.join(without)}"
        yield FigurePlan("training", title, "", (), partial(_draw, without, {}))


def _record(log: Path) -> ResultRecord | None:
    try:
        return ResultRecord.read(log.parent / _RECORD)
    except (OSError, ValueError):  # a run that has not ended has none yet
        return None


def _draw(logs: Mapping[str, Path], labels: Mapping[str, str]) -> Drawing:
    lines = {name: _lines(path) for name, path in logs.items()}
    caption = (
        f"Losses and measures by epoch, one line per run, from the logs of {len(logs)} "
        f"run{'' if len(logs) == 1 else 's'}: {', '.join(logs)}."
    )
    return draw_training_curves(lines, labels), caption


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
def draw_training_curves(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], labels: Mapping[str, str] | None = None
) -> Figure:
    """Draw a panel a measure, one line per run.

    Args:
        runs: lines of each run's log by the run's name: dicts with ``kind``, ``epoch`` and named
            numbers, null (None) where one was not finite. Lines of kind ``epoch`` and
            ``evaluation`` are used; a measure's last line in an epoch counts.
        labels: names in the legend by the run's name, by default that; runs of one label, such as
            the seeds of one setting, look alike.

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
    labelled = {name: (labels or {}).get(name, name) for name in series}
    places = {label: place for place, label in enumerate(dict.fromkeys(labelled.values()))}
    width = 1.0 if len(places) < len(series) else 1.3  # seeds lie close together
    figure = style.new_figure(
        style.COLUMN_WIDTH if across == 1 else style.PAGE_WIDTH, 0.4 + 1.8 * down
    )
    for place, measure in enumerate(shown):
        plot = figure.add_subplot(down, across, place + 1)
        for name, curves in series.items():
            if measure in curves:
                look = style.series_style(places[labelled[name]])
                epochs, values = curves[measure]
                marker = look.marker if len(values) == 1 else ""  # one value makes no line
                (line,) = plot.plot(epochs, values, marker=marker, label=labelled[name])
                line.set(color=look.colour, linestyle=look.line, linewidth=width)
        plot.set_title(measure, loc="left")
        plot.set_xlabel("epoch")
        plot.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        plot.grid(visible=True)
    style.legend_below(figure, columns=2 if places and max(map(len, places)) > 24 else 4)
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
