"""The first screen of the page: a few numbers, and the best of every table as a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from protocols.reporting.model import Report, ReportTable, Row
from protocols.reporting.tasks import shown_task
from protocols.reporting.writers.anchors import Anchors
from protocols.reporting.writers.marks import glance

_NUMBERS = 4
"""Results in the row of numbers; the number of runs is the fifth."""


class Best(NamedTuple):
    """The best value of a column.

    Attributes:
        text: As shown.
        label: Its row.
        target: Identifier of its runs; None where there is none.
        value: The value.
        spread: Sample standard deviation over the seeds; 0 for one run.
    """

    text: str
    label: str
    target: str | None
    value: float
    spread: float


class Line(NamedTuple):
    """The best of a table.

    Attributes:
        title: Of the table.
        anchor: Of the table.
        task: Title of its task.
        column: Heading of the column, with its unit.
        percent: Whether the values are percent, so that they can be drawn on one scale.
        ours: Best of ours.
        published: Best published; None where there is none.
    """

    title: str
    anchor: str
    task: str
    column: str
    percent: bool
    ours: Best
    published: Best | None


def has_runs(table: ReportTable) -> bool:
    """Whether a row is of a run, and not only of published values."""
    return any(row.source not in ("published", "none") for row in table.rows)


def overview(report: Report, anchors: Anchors) -> dict[str, Any]:
    """A line for each table with a value of ours, and the first line of each task."""
    lines: list[Line] = []
    first: dict[str, Line] = {}
    for table, anchor in zip(report.tables, anchors.tables, strict=True):
        if (found := glance(table)) is None:
            continue
        place, ours, published = found
        column = table.columns[place]
        name = f"{column.name} ({column.unit})" if column.unit else column.name
        if published and published[0].compared != ours[0].compared:
            published = [replace(row, label=f"{row.label}; {row.compared}") for row in published]
        best = _best(ours, place, anchors)
        other = _best(published, place, anchors)
        if best is None:
            continue
        task, percent = shown_task(table.task).title, column.unit == "%"
        line = Line(table.title, anchor, task, name, percent, best, other)
        lines.append(line)
        if percent and shown_task(table.task).measures:
            first.setdefault(table.task, line)
    measured_on = len({run.record.dataset.name for run in report.runs})
    return {"lines": lines, "numbers": [*first.values()][:_NUMBERS], "measured_on": measured_on}


def _best(rows: list[Row], place: int, anchors: Anchors) -> Best | None:
    """The best value of a column, its row, and the identifier of its settings."""
    if not rows:
        return None
    cell, label = rows[0].cells[place], rows[0].label
    if len(rows) > 1:
        label += f" and {len(rows) - 1} more"
    if cell.value is None:
        return None
    return Best(cell.text, label, anchors.of_cell(cell), cell.value, cell.spread or 0.0)
