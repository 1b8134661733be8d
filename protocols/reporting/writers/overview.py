"""The first screen of the page: a few numbers, and the best of every table as a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from protocols.labels import dataset_of, measure_name
from protocols.records import ResultRecord
from protocols.reporting.model import Report, ReportTable, Row
from protocols.reporting.tasks import shown_task, task_place
from protocols.reporting.writers.anchors import Anchors
from protocols.reporting.writers.marks import glance
from protocols.reporting.writers.runs import title_of

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
        column: Heading of the column.
        ours: Best of ours.
        published: Best published; None where there is none.
    """

    title: str
    anchor: str
    task: str
    column: str
    ours: Best
    published: Best | None


def has_runs(table: ReportTable) -> bool:
    """Whether a row is of a run, and not only of published values."""
    return any(row.source not in ("published", "none") for row in table.rows)


def overview(report: Report, anchors: Anchors) -> dict[str, Any]:
    """A line for each table of a task's main measure with a value of ours, and the first of each.

    Tables that repeat the runs of one before them have none.
    """
    found: dict[str, list[Line]] = {}
    for table, anchor in zip(report.tables, anchors.tables, strict=True):
        measures = shown_task(table.task).measures
        best = glance(table)
        if best is None or not measures:
            continue
        place, ours, published = best
        column = table.columns[place]
        if column.name != measure_name(measures[0]):
            continue
        if published and published[0].compared != ours[0].compared:
            published = [replace(row, label=f"{row.label}; {row.compared}") for row in published]
        own, other = _best(ours, place, anchors), _best(published, place, anchors)
        lines = found.setdefault(table.task, [])
        if own is not None and all(own.target != line.ours.target for line in lines):
            task = shown_task(table.task).title
            lines.append(Line(table.title, anchor, task, column.heading, own, other))
    tasks = [found[task] for task in sorted(found, key=task_place) if found[task]]
    return {
        "lines": [line for lines in tasks for line in lines],
        "numbers": [lines[0] for lines in tasks][:_NUMBERS],
        "errors": [(_named(page.record), page.address) for page in report.errors],
        "measured_on": len({run.record.dataset.name for run in report.runs}),
    }


def _named(record: ResultRecord) -> str:
    """A run in words: task, data, objective, streams and seed."""
    task, data = shown_task(record.task).title, dataset_of(record.dataset)
    return f"{task} on {data}: {title_of(record)}"


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
