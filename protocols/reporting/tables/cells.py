"""Cells and rows from runs and from published figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from protocols.groups import RunGroup
from protocols.labels import objective_label
from protocols.records import ResultRecord
from protocols.reporting.model import NOT_RUN, Cell, Column, Row, source_of
from protocols.reporting.tables.published import PublishedFigure

MISSING = Cell(NOT_RUN, None, None, (), "none")
"""No run exists."""

EMPTY = Cell("–", None, None, (), "none")  # noqa: RUF001 - a dash is what tables show
"""The figure does not exist for this row, such as a condition that was not printed."""


RUNS = Column("runs", "", None)
"""How many runs stand behind a row (:func:`seeds_cell`)."""


def group_row(group: RunGroup, cells: Sequence[Cell], heading: str, label: str = "") -> Row:
    """The row of a group under a heading; it goes by the group's label where no other is given."""
    record = group.record
    return Row(label or group.label, tuple(cells), source_of(record), record.command, heading)


def missing_row(objective: str, columns: int) -> Row:
    """The row of an objective for which no run exists."""
    return Row(objective_label(objective), (MISSING,) * columns, "none", "")


def metric_cell(
    group: RunGroup, metric: str, *, factor: float = 100.0, decimals: int = 1, signed: bool = False
) -> Cell:
    """The mean of a metric over the seeds, with the sample standard deviation (N - 1).

    Args:
        group: The runs.
        metric: Name in the records, such as ``rank1/nm``.
        factor: From the records' unit to the column's; 100 makes percent of a rate.
        decimals: Decimals shown.
        signed: Show a plus sign.

    Returns:
        The cell; :data:`EMPTY` where no run has the metric. Where only some have it, a note says
        how many.
    """
    runs = [run for run in group.runs if metric in run.record.metrics]
    if not runs:
        return EMPTY
    values = [factor * run.record.metrics[metric] for run in runs]
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    text = f"{mean:+.{decimals}f}" if signed else f"{mean:.{decimals}f}"
    if spread is not None:
        text += f" ± {spread:.{decimals}f}"
    part = len(runs) < len(group.runs)
    note = f"Only {len(runs)} of {len(group.runs)} runs have this figure." if part else ""
    return Cell(text, mean, spread, tuple(run.file for run in runs), source_of(group.record), note)


def interval_cell(
    group: RunGroup, metric: str, *, factor: float = 100.0, decimals: int = 1
) -> Cell:
    """The interval of a metric as the records hold it, in the unit of :func:`metric_cell`.

    Of several seeds the mean of the low ends and of the high ends is shown: the interval of a
    typical run, which says what other people would do to it, not what other seeds would.
    """
    runs = [run for run in group.runs if metric in run.record.intervals]
    if not runs:
        return EMPTY
    low = factor * statistics.fmean(run.record.intervals[metric][0] for run in runs)
    high = factor * statistics.fmean(run.record.intervals[metric][1] for run in runs)
    files = tuple(run.file for run in runs)
    return Cell(
        f"{low:.{decimals}f} to {high:.{decimals}f}", low, None, files, source_of(group.record)
    )


def seeds_cell(group: RunGroup) -> Cell:
    """How many runs stand behind a row."""
    note = ""
    if group.repeated:
        note = f"Left out as repeating a seed of the same settings: {', '.join(group.repeated)}."
    count = len(group.runs)
    return Cell(str(count), float(count), None, group.files, source_of(group.record), note)


def published_cell(figure: PublishedFigure) -> Cell:
    """A figure as printed."""
    return Cell(figure.printed, figure.value, None, (), "published", figure.note)


def shared_notes(records: Sequence[ResultRecord]) -> tuple[str, ...]:
    """What the records say must stand beside their figures, each sentence once."""
    return tuple(dict.fromkeys(note for record in records for note in record.notes))
