"""Our own tables: one for each task and data set, real or generated, with a row a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from protocols.records import RUN
from protocols.reporting.groups import RunGroup, group_runs
from protocols.reporting.model import Cell, Column, ReportTable, Row, RunEntry
from protocols.reporting.names import (
    dataset_label,
    objective_label,
    objective_place,
    slug,
    source_of,
)
from protocols.reporting.tables.cells import (
    EMPTY,
    MISSING,
    interval_cell,
    metric_cell,
    seeds_cell,
    shared_notes,
)
from protocols.reporting.tables.comparisons import comparison_cell
from protocols.reporting.tables.paper import IMPORTED

HEADLINES = {"action": "top1", "gait": "rank1", "reid": "rank1"}
"""The rate that is compared and has its interval shown."""

_TASKS = {"action": "actions", "gait": "gait", "reid": "re-identification"}

_EXPECTED = (
    ("action", "msraction3d", False),
    ("action", "utkinect", False),
    ("action", "nwucla", False),
    ("action", "sbu", False),
    ("action", "jhmdb", False),
    ("gait", "kgbd", False),
    ("gait", "ucalgary_gait", False),
    ("gait", "walkers", True),
    ("reid", "kgbd", False),
    ("reid", "walkers", True),
)
"""Task, data set, generated: the sets of which a table stands even where nothing was run."""

_MEASURES = {
    "action": ("top1", "top5", "mean_class"),
    "gait": ("rank1", "rank5", "rank10", "mAP", "mINP"),
    "reid": ("rank1", "rank5", "rank10", "mAP", "mINP"),
}

_SHORT = {"top1": "top-1", "top5": "top-5", "mean_class": "mean class"}
_SHORT |= {f"rank{k}": f"rank-{k}" for k in (1, 5, 10)}

_INTERVALS = (
    "The interval is that of the records, 95 %; of several seeds the mean of their ends is shown."
)


def own_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """One table for each task and data set.

    Args:
        runs: All runs; studies of a run have tables of their own.
    """
    members: dict[tuple[str, str, bool], list[RunEntry]] = {key: [] for key in _EXPECTED}
    for run in runs:
        record = run.record
        headline = HEADLINES.get(record.task)
        if headline is not None and headline in record.metrics and record.kind == RUN:
            key = (record.task, record.dataset.name, record.dataset.synthetic)
            members.setdefault(key, []).append(run)
    order = sorted(members, key=lambda key: (list(HEADLINES).index(key[0]), key[2]))
    return tuple(_table(*key, members[key]) for key in order)


def _table(task: str, name: str, synthetic: bool, runs: Sequence[RunEntry]) -> ReportTable:
    """The table of one task on one data set."""
    label = dataset_label(name, synthetic)
    groups = group_runs(runs)
    metrics = _metrics(task, groups)
    measured = tuple(Column(_heading(metric)) for metric in metrics)
    blocks: dict[str, list[RunGroup]] = {}
    for group in groups:
        blocks.setdefault(_block(group), []).append(group)
    rows = [row for block, own in blocks.items() for row in _block_rows(block, own, metrics)]
    if not rows:
        rows = [Row(objective_label("acl"), (MISSING,) * (len(metrics) + 3), "none", "")]
    suffix = "-synthetic" if synthetic and name != "walkers" else ""
    notes = shared_notes([run.record for run in runs])
    table = ReportTable(
        key=f"{task}-{slug(name)}{suffix}",
        title=f"{label}: {_TASKS[task]}",
        columns=(
            *measured,
            Column(f"{_heading(HEADLINES[task])}, interval", "%", None),
            Column("against cross-entropy", "points"),
            Column("runs", "", None),
        ),
        rows=tuple(rows),
        notes=(*((_INTERVALS,) if runs else ()), *notes),
        task=task,
        datasets=(label,),
    )
    return _without_empty(table)


def _metrics(task: str, groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """The measures to show: each, and the headline by condition, subset or pair."""
    headline = HEADLINES[task]
    names = dict.fromkeys(name for group in groups for name in group.record.metrics)
    parts = [name for name in names if name.startswith(f"{headline}/")]
    if len(parts) == 1:  # the whole again
        parts = []
    known = [name for name in _MEASURES[task] if name in names or name == headline]
    return (known[0], *parts, *known[1:])


def _heading(metric: str) -> str:
    """Such as ``rank-1, bg``."""
    name, _, part = metric.partition("/")
    return f"{_SHORT.get(name, name)}, {part}" if part else _SHORT.get(name, name)


def _block(group: RunGroup) -> str:
    """What rows under one heading have in common."""
    record = group.record
    told = [f"{record.protocol}: {record.described_rule}"]
    clip = record.settings.get("clip")
    if record.task == "reid" and isinstance(clip, dict) and "frames" in clip:
        told.append(f"{clip['frames']} frames")
    return ", ".join(told)


def _block_rows(block: str, groups: Sequence[RunGroup], metrics: Sequence[str]) -> list[Row]:
    """Rows of one protocol and rule; what guessing reaches first."""
    ordered = sorted(
        groups, key=lambda g: (g.record.stream, objective_place(g.record.objective), g.variant)
    )
    rows = [_guess_row(block, ordered[0], metrics)]
    for group in ordered:
        record, source = group.record, source_of(group.record)
        headline = HEADLINES[record.task]
        cells = (
            *(metric_cell(group, metric) for metric in metrics),
            interval_cell(group, headline),
            comparison_cell(group, [g for g in ordered if g.record.stream == record.stream]),
            seeds_cell(group),
        )
        label = f"{IMPORTED}: {_label(group)}" if source == "imported" else _label(group)
        rows.append(Row(label, cells, source, record.command, block))
        rows += _further_rules(block, group, metrics)
    return rows


def _guess_row(block: str, group: RunGroup, metrics: Sequence[str]) -> Row:
    """What the most frequent class, or a random pick from the gallery, reaches."""
    action = group.record.task == "action"
    headline = HEADLINES[group.record.task]

    def guess(metric: str) -> Cell:
        name, _, part = metric.partition("/")
        if name != headline or (action and part):
            return EMPTY
        if action:
            return _constant(metric_cell(group, "majority"))
        return _constant(metric_cell(group, f"chance/{part}" if part else "chance"))

    cells = (*(guess(metric) for metric in metrics), EMPTY, EMPTY, EMPTY)
    label = "Most frequent class" if action else "Random pick"
    return Row(label, cells, source_of(group.record), group.record.command, block)


def _constant(cell: Cell) -> Cell:
    """The cell without the spread of equal figures."""
    return (
        replace(cell, text=cell.text.partition(" ±")[0], spread=None) if not cell.spread else cell
    )


def _further_rules(block: str, group: RunGroup, metrics: Sequence[str]) -> list[Row]:
    """The same run counted otherwise: a re-ID record holds other rules after their name."""
    record = group.record
    if record.task != "reid":
        return []
    names = [name.removesuffix("/rank1") for name in record.metrics if name.endswith("/rank1")]
    rows: list[Row] = []
    for name in names:
        cells = (
            *(metric_cell(group, f"{name}/{metric}") for metric in metrics),
            interval_cell(group, f"{name}/rank1"),
            EMPTY,
            seeds_cell(group),
        )
        what = "whole walks" if name == "walk" else f"rule {name}"
        label = f"{_label(group)}, {what}"
        rows.append(Row(label, cells, source_of(record), record.command, block))
    return rows


def _label(group: RunGroup) -> str:
    """Objective, streams, and what else tells the row from others."""
    record = group.record
    return ", ".join(
        filter(None, [objective_label(record.objective), record.stream, group.variant])
    )


def _without_empty(table: ReportTable) -> ReportTable:
    """The table without the columns in which no row has a figure."""
    keep = [
        place
        for place in range(len(table.columns))
        if any(row.cells[place] != EMPTY for row in table.rows)
    ]
    rows = tuple(
        replace(row, cells=tuple(row.cells[place] for place in keep)) for row in table.rows
    )
    # Both at once: a table of rows and columns that do not fit is refused.
    return replace(table, columns=tuple(table.columns[place] for place in keep), rows=rows)
