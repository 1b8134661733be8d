"""Cells and rows from runs and from published results."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from protocols.groups import RunGroup
from protocols.labels import BASELINE, dataset_of, objective_label
from protocols.records import ResultRecord
from protocols.reporting.model import NOT_RUN, Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables.published import PublishedResult
from protocols.reporting.tasks import shown_task
from protocols.statistics.comparison import Comparison, compare

Place = TypeVar("Place", bound=Hashable)

MISSING = Cell(NOT_RUN, None, None, (), "none")
"""No run exists."""

EMPTY = Cell("–", None, None, (), "none")  # noqa: RUF001 - a dash is what tables show
"""This row has no such value, such as a condition that was not printed."""

SMALL, FEW = 500, 5
"""Test samples below which a mean should stand on so many seeds at least."""

RUNS = Column("runs", "", None)
"""Number of runs behind a row (:func:`seeds_cell`)."""

INTERVAL_NOTE = (
    "Intervals are 95 % intervals; for several seeds, the means of their ends are shown."
)
"""The note of a table with :func:`interval_cell`."""


def group_row(
    group: RunGroup, cells: Sequence[Cell], heading: str, label: str = "", compared: str = ""
) -> Row:
    """The row of a group under a heading, by the group's label unless another is given."""
    record, name = group.record, label or group.label
    return Row(name, tuple(cells), source_of(record), record.command, heading, compared)


def missing_row(objective: str, columns: int) -> Row:
    """The row of an objective for which no run exists."""
    return Row(objective_label(objective), (MISSING,) * columns, "none", "")


def metric_cell(
    group: RunGroup, metric: str, *, factor: float = 100.0, decimals: int = 1, signed: bool = False
) -> Cell:
    """The mean of a metric over the seeds, with the sample standard deviation (N - 1).

    A deviation that would read as 0 is not shown.

    Args:
        group: The runs.
        metric: Name in the records, such as ``rank1/nm``.
        factor: From the records' unit to the column's; 100 makes percent of a rate.
        decimals: Decimals shown.
        signed: Show a plus sign.

    Returns:
        The cell, with a note where only some runs have the metric; :data:`EMPTY` where none has.
    """
    runs = [run for run in group.runs if metric in run.record.metrics]
    if not runs:
        return EMPTY
    values = [factor * run.record.metrics[metric] for run in runs]
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    text = f"{mean:+.{decimals}f}" if signed else f"{mean:.{decimals}f}"
    if spread is not None and round(spread, decimals) > 0:
        text += f" ± {spread:.{decimals}f}"
    part = len(runs) < len(group.runs)
    note = f"Only {len(runs)} of {len(group.runs)} runs have this value." if part else ""
    return Cell(text, mean, spread, tuple(run.file for run in runs), source_of(group.record), note)


def interval_cell(
    group: RunGroup, metric: str, *, factor: float = 100.0, decimals: int = 1
) -> Cell:
    """The interval of a metric as the records hold it, in the unit of :func:`metric_cell`.

    Of several seeds the mean of the low ends and of the high ends is shown: the interval of a
    typical run, which covers the choice of people, not of seeds.
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
    """The number of runs behind a row."""
    note = ""
    if group.repeated:
        note = f"Left out, as their seed and settings are repeated: {', '.join(group.repeated)}."
    count = len(group.runs)
    return Cell(str(count), float(count), None, group.files, source_of(group.record), note)


def published_row(
    results: Mapping[Place, PublishedResult],
    places: Sequence[Place],
    heading: str,
    compared: str = "",
) -> Row:
    """The row of a method's results as printed.

    Args:
        results: The results of one method, by their columns.
        places: The columns of the table.
        heading: Heading of the row.
        compared: See :class:`Row`.
    """
    first = next(iter(results.values()))
    reference = "; ".join(
        filter(None, [first.citation, *dict.fromkeys(one.source for one in results.values())])
    )
    cells = tuple(
        Cell(one.printed, one.value, None, (), "published", one.note) if one else EMPTY
        for one in map(results.get, places)
    )
    return Row(first.label, cells, "published", reference, heading, compared)


def shared_notes(records: Sequence[ResultRecord]) -> tuple[str, ...]:
    """The notes of records, each sentence once; not the one on the weights that a run began with.

    That one names a single run, and stands in its record.
    """
    notes: dict[str, None] = {}
    for record in records:
        start = record.settings.get("initial")
        weights = str(start.get("fingerprint", ""))[:12] if isinstance(start, Mapping) else ""
        notes |= dict.fromkeys(note for note in record.notes if not weights or weights not in note)
    return tuple(notes)


def frames_named(record: ResultRecord) -> str:
    """Such as ``, 6 frames`` where a record's clip length counts; else nothing."""
    clip = record.settings.get("clip")
    if shown_task(record.task).by_frames and isinstance(clip, dict) and "frames" in clip:
        return f", {clip['frames']} frames"
    return ""


def spread_notes(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """What ± contains, and that the set is small for the number of its seeds.

    Args:
        groups: The groups of a table; bone lengths, which learn nothing, are passed over.
    """
    learned = [group for group in groups if group.record.objective != "bone-length"]
    notes: list[str] = []
    if any(len(group.runs) > 1 for group in learned):
        drawn = dict.fromkeys(dataset_of(g.record.dataset) for g in learned if _draws_people(g))
        people = ", but not the choice of test samples"
        if drawn:
            people = f" and, on {', '.join(drawn)} only, the choice of training and test people"
        notes.append(
            "± is the standard deviation over seeds. It covers the randomness of training (initial "
            f"weights, batches, augmentation){people}. Values without ± are from one run, or equal "
            "in all runs."
        )
    sizes_and_seeds = {(tested(group.record), len(group.runs)) for group in learned}
    small = [(size, runs) for size, runs in sizes_and_seeds if 0 < size < SMALL and runs < FEW]
    if small:
        least, most = min(small)[0], max(small)[0]
        sizes = f"{least} to {most}" if least < most else str(least)
        seeds = " or ".join(str(runs) for runs in sorted({runs for _, runs in small}))
        notes.append(
            f"With {sizes} test samples and {seeds} seed{'' if seeds == '1' else 's'}, values are "
            f"rough: sets of fewer than {SMALL} samples should have {FEW} seeds."
        )
    return tuple(notes)


def _draws_people(group: RunGroup) -> bool:
    settings = group.record.settings.get("identities")
    return isinstance(settings, dict) and settings.get("order") == "drawn"


def tested(record: ResultRecord) -> int:
    """Number of test samples: the probes, where samples are looked for."""
    return record.counts.get("probes", record.counts.get("test", 0))


def comparison_cell(group: RunGroup, groups: Sequence[RunGroup]) -> Cell:
    """The difference of a group's headline rate from cross-entropy's, in points, with the verdict.

    Seeds that both have are compared, by the outcomes of samples or the counts of people that the
    records keep.

    Args:
        group: The group.
        groups: The groups of the same data, protocol, rule and stream, among them cross-entropy's.

    Returns:
        The cell, with the verdict as its note; :data:`EMPTY` where there is nothing to compare.
    """
    other = next((one for one in groups if one.record.objective == BASELINE), None)
    if other is None or other.record.objective == group.record.objective:
        return EMPTY
    names = (objective_label(group.record.objective), objective_label(BASELINE))
    return difference_cell(group, other, names)


def difference_cell(
    group: RunGroup, other: RunGroup, names: tuple[str, str], *, interval: bool = False
) -> Cell:
    """The difference of a group's headline rate from another group's, in points, with the verdict.

    Args:
        group: The group.
        other: The group that it is compared with, by the seeds that both have.
        names: Both, for the verdict.
        interval: Show the interval of the difference too.

    Returns:
        As :func:`comparison_cell`.
    """
    found = compared(group, other, names)
    return EMPTY if found is None else shown_difference(group, found, interval=interval)


class ComparedGroups(NamedTuple):
    """Two groups compared by the seeds that both have.

    Attributes:
        comparison: What was found.
        files: Files of the records behind it.
    """

    comparison: Comparison
    files: tuple[str, ...]


def compared(group: RunGroup, other: RunGroup, names: tuple[str, str]) -> ComparedGroups | None:
    """Compare a group with another one; None where there is nothing to compare.

    Args:
        group: The group.
        other: The other group.
        names: Both, for the verdict.
    """
    theirs = {run.record.seed: run for run in other.runs}
    pairs = [(run, theirs[run.record.seed]) for run in group.runs if run.record.seed in theirs]
    if not pairs:
        return None
    first, second = ([run.record for run in runs] for runs in zip(*pairs, strict=True))
    try:
        found = compare(first, second, "seeds", names=names)
    except ValueError:  # other samples, or records without outcomes: nothing to compare
        return None
    return ComparedGroups(found, tuple(run.file for pair in pairs for run in pair))


def shown_difference(group: RunGroup, found: ComparedGroups, *, interval: bool = False) -> Cell:
    """The cell of a group's comparison, such as ``+1.2``, in points."""
    one = found.comparison
    difference = 100 * one.difference
    text = f"{difference:+.1f}"
    if interval:
        text += f" ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
    return Cell(text, difference, None, found.files, source_of(group.record), one.sentence)


def without_empty(table: ReportTable) -> ReportTable:
    """The table without the columns in which no row has a value."""
    keep = [
        place
        for place in range(len(table.columns))
        if any(row.cells[place] != EMPTY for row in table.rows)
    ]
    rows = tuple(
        replace(row, cells=tuple(row.cells[place] for place in keep)) for row in table.rows
    )
    # Both at once, as rows must fit the columns.
    return replace(table, columns=tuple(table.columns[place] for place in keep), rows=rows)
