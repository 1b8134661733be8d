"""ACL against cross-entropy on every set: a table a task and one of all tasks, a row a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import BASELINE, MEASURES, dataset_of
from protocols.records import ResultRecord
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables import cells
from protocols.reporting.tasks import TASKS

_WHOLE = "acl"


def gain_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """The headline measure of both objectives and their difference, where both were run.

    The last table, ``acl-gain``, has the rows of all tasks under a heading each.

    Args:
        runs: All runs.
    """
    tables = tuple(
        table
        for task, shown in TASKS.items()
        if shown.measures and (table := _table(task, shown.title, shown.measures[0], runs))
    )
    return (*tables, _joined(tables)) if len(tables) > 1 else tables


def _joined(tables: Sequence[ReportTable]) -> ReportTable:
    """The rows of these tables under the title and measure of their tasks."""
    heads = {
        task: f"{shown.title}, {MEASURES[shown.measures[0]]}"
        for task, shown in TASKS.items()
        if shown.measures
    }
    return ReportTable(
        key="acl-gain",
        title="ACL against cross-entropy on every set",
        columns=tables[0].columns,
        rows=tuple(replace(row, group=heads[table.task]) for table in tables for row in table.rows),
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        task=tables[0].task,
        datasets=tuple(dict.fromkeys(name for table in tables for name in table.datasets)),
    )


def _table(task: str, title: str, metric: str, runs: Sequence[RunEntry]) -> ReportTable | None:
    """The table of a task; None where no test has both."""
    tests: dict[tuple[object, ...], list[RunEntry]] = {}
    for run in runs:
        record = run.record
        ours = record.task == task and record.is_plain_run and source_of(record) != "foreign"
        if ours and metric in record.metrics:
            tests.setdefault(_test(record), []).append(run)
    pairs: list[tuple[RunGroup, RunGroup]] = []
    for members in tests.values():
        groups = group_runs(members)
        plain, whole = (
            [group for group in groups if group.record.objective == name]
            for name in (BASELINE, _WHOLE)
        )
        # Of several settings it is not known which belong together.
        if len(plain) == len(whole) == 1:
            pairs.append((plain[0], whole[0]))
    if not pairs:
        return None
    labels = [_label(whole.record) for _, whole in pairs]
    rows = []
    for (first, second), label in zip(pairs, labels, strict=True):
        alone = labels.count(label) == 1
        shown = label if alone else f"{label}, {second.record.stream}"
        rows.append(_row(first, second, metric, shown))
    used = [group for pair in pairs for group in pair]
    return ReportTable(
        key=f"{task}-acl-gain",
        title=f"{title}: ACL against cross-entropy, {MEASURES[metric]}",
        columns=(  # rows are different tests, of which none is the best
            Column("cross-entropy", "%", None),
            Column("ACL", "%", None),
            Column("ACL, interval", "%", None),
            Column("difference", "points", None),
            Column("tested", "", None),
            cells.RUNS,
        ),
        rows=tuple(sorted(rows, key=lambda row: row.source == "synthetic")),
        notes=(cells.INTERVAL_NOTE, *cells.spread_notes(used)),
        task=task,
        datasets=tuple(dict.fromkeys(dataset_of(group.record.dataset) for group in used)),
    )


def _test(record: ResultRecord) -> tuple[object, ...]:
    """What both objectives must share: data, protocol, rule, streams, length of clips."""
    clip = record.settings.get("clip")
    frames = clip.get("frames") if isinstance(clip, dict) else None
    data = (record.dataset.name, record.dataset.fingerprint)
    return (*data, record.protocol, record.described_rule, record.stream, frames)


def _label(record: ResultRecord) -> str:
    return f"{dataset_of(record.dataset)}, {record.protocol}{cells.frames_named(record)}"


def _row(plain: RunGroup, whole: RunGroup, metric: str, label: str) -> Row:
    first, second = cells.metric_cell(plain, metric), cells.metric_cell(whole, metric)
    gain = cells.comparison_cell(whole, [plain, whole])
    if gain == cells.EMPTY and first.value is not None and second.value is not None:
        value = second.value - first.value
        files = (*first.runs, *second.runs)
        note = "Not tested for significance: the records hold no counts per person."
        gain = Cell(f"{value:+.1f}", value, None, files, second.source, note)
    record = whole.record
    count = cells.tested(record)
    size = Cell(f"{count:,}", float(count), None, whole.files, source_of(record))
    interval = cells.interval_cell(whole, metric)
    row = [first, second, interval, gain, size, cells.seeds_cell(whole)]
    return cells.group_row(whole, row, "", label, label)
