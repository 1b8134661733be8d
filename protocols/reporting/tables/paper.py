"""The paper's tables: published rows first, then the rows of this program, never mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import objective_label, objective_place
from protocols.records import ResultRecord
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables.catalogue import PAPER_TABLES, PaperTable, Variant
from protocols.reporting.tables.cells import (
    EMPTY,
    MISSING,
    group_row,
    metric_cell,
    published_row,
    shared_notes,
)
from protocols.reporting.tables.conditions import unmet
from protocols.reporting.tables.published import PublishedResult, load_published

IN_PAPER = "Printed in the paper"
LEFT_OUT = "Published, not in the paper's table"
PUBLISHED = "Published"
OURS = "This program"
IMPORTED = "Released weights, scored by this program"


def paper_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """Tables I to X and further tables of published results.

    A run fills a cell where its protocol is the column's and it meets the protocol's conditions
    (:mod:`protocols.reporting.tables.conditions`). Other runs of the protocol stand in a table of
    their own after it, with the reasons; runs on generated data in neither.

    Args:
        runs: All runs.
    """
    return tuple(table for layout in PAPER_TABLES for table in _tables(layout, runs))


def _tables(layout: PaperTable, runs: Sequence[RunEntry]) -> list[ReportTable]:
    """A table of the paper, and that of the runs left out of it where there are some."""
    reasons = {run.file: unmet(run.record) for run in runs if _follows(layout, run)}
    others = [run for run in runs if reasons.get(run.file)]
    left_out = _series(layout, others)
    own = _series(layout, [run for run in runs if reasons.get(run.file) == ()])
    missing = [name for name in layout.objectives if name not in own and name != "imported"]
    if any(column.protocol for column in layout.columns):
        rows = [*own.values(), [_not_run(layout, name) for name in missing]]
    else:
        rows = []
    main = _table(layout, [*_published_rows(layout), *chain(*rows)], runs)
    if not left_out:
        return [main]
    beside = _table(
        replace(layout, key=f"other-{layout.key}", title=f"Other runs: {layout.title}", notes=()),
        [_with_reasons(row, reasons) for row in chain(*left_out.values())],
        runs,
    )
    # They do not compare with each other either: nothing is the best.
    columns = tuple(replace(column, higher_is_better=None) for column in beside.columns)
    note = (
        f"Runs of this program that do not meet the conditions are not shown: {len(others)}; "
        f'"{beside.title}" gives the reasons.'
    )
    return [replace(main, notes=(*main.notes, note)), replace(beside, columns=columns)]


def _table(layout: PaperTable, rows: Sequence[Row], runs: Sequence[RunEntry]) -> ReportTable:
    """Rows under the layout's columns."""
    return ReportTable(
        key=layout.key,
        title=layout.title,
        columns=tuple(Column(c.name, c.unit, c.higher_is_better) for c in layout.columns),
        rows=tuple(rows),
        notes=(*layout.notes, *_record_notes(rows, runs)),
        task=layout.task,
        datasets=tuple(dict.fromkeys(column.place[0] for column in layout.columns)),
    )


def _with_reasons(row: Row, reasons: Mapping[str, tuple[str, ...]]) -> Row:
    """A row whose first value says why its runs were left out."""
    found = dict.fromkeys(chain(*(reasons[file] for file in row.runs)))
    place = next(place for place, cell in enumerate(row.cells) if cell.runs)
    cells = list(row.cells)
    note = f"Left out: {'; '.join(found)}."
    cells[place] = replace(cells[place], note=" ".join(filter(None, [note, cells[place].note])))
    return replace(row, cells=tuple(cells))


def _published_rows(layout: PaperTable) -> list[Row]:
    """A row a method, those that the paper prints first."""
    methods: dict[str, dict[tuple[str, str, str], PublishedResult]] = {}
    for result in load_published(layout.key):
        methods.setdefault(result.method, {})[result.place] = result
    places = [column.place for column in layout.columns]
    rows = [
        published_row(results, places, _published_group(layout, next(iter(results.values()))))
        for results in methods.values()
    ]
    return sorted(rows, key=lambda row: row.group != IN_PAPER)


def _published_group(layout: PaperTable, result: PublishedResult) -> str:
    if not layout.key.startswith("table-"):
        return PUBLISHED
    return IN_PAPER if result.source.startswith("ACLNet, Table") else LEFT_OUT


def _series(layout: PaperTable, runs: Sequence[RunEntry]) -> dict[str, list[Row]]:
    """Rows of runs by method, in the order of methods, streams and rules."""
    series: dict[tuple[str, str, str, str], list[RunGroup]] = {}
    for group in group_runs(runs):
        record = group.record
        # The rule of a training with few labels names their share, of which each has a column.
        rule = "" if layout.after else record.described_rule
        key = (layout.method(record), record.objective, record.stream, rule)
        series.setdefault(key, []).append(group)
    rules = Counter(key[:3] for key in series)
    found: dict[str, list[Row]] = {}
    for key in sorted(series, key=lambda key: (objective_place(key[0]), key[1:])):
        rule = f"rule {key[3]}" if rules[key[:3]] > 1 else ""
        found.setdefault(key[0], []).extend(_series_rows(layout, series[key], rule))
    return found


def _follows(layout: PaperTable, run: RunEntry) -> bool:
    """Whether a run has the table's task, protocol and method, on recorded people."""
    record = run.record
    return (
        record.task == layout.task
        and layout.method(record) in layout.objectives
        and source_of(record) not in ("synthetic", "foreign")
        and layout.accepts(record)
        and _has_metrics(layout, record)
    )


def _has_metrics(layout: PaperTable, record: ResultRecord) -> bool:
    """Whether a record has any of the table's metrics: studies of a run may have none."""
    return any(
        f"{variant.prefix}{column.metric}" in record.metrics
        for column in layout.columns
        if column.takes(record)
        for variant in layout.variants
    )


def _series_rows(layout: PaperTable, groups: Sequence[RunGroup], named: str) -> list[Row]:
    """Rows of one objective, stream and rule: one, or more where settings differ in a column.

    Args:
        layout: The table.
        groups: The runs.
        named: The rule as a label has it; empty where there is no other one.
    """
    by_test: dict[tuple[str, str], list[RunGroup]] = {}
    for group in groups:
        by_test.setdefault((group.record.protocol, group.record.variant), []).append(group)
    for members in by_test.values():
        if len({group.record.described_rule for group in members}) > 1:
            named = "own rule"
    rows: list[Row] = []
    for place in range(max(len(members) for members in by_test.values())):
        at = [members[place] for members in by_test.values() if place < len(members)]
        for variant in layout.variants:
            row = _own_row(layout, at, variant, named)
            if row.runs:
                rows.append(row)
    return rows


def _own_row(layout: PaperTable, at: Sequence[RunGroup], variant: Variant, named: str) -> Row:
    """One row, from one group a protocol and use of labels."""
    cells: list[Cell] = []
    for column in layout.columns:
        group = next((one for one in at if column.takes(one.record)), None)
        if not column.protocol:
            cells.append(EMPTY)
        elif group is None:
            cells.append(MISSING)
        else:
            signed = variant.prefix == "gain/"
            cells.append(metric_cell(group, f"{variant.prefix}{column.metric}", signed=signed))
    first = at[0]
    variants = dict.fromkeys(group.variant for group in at)
    record = first.record
    rule = variant.label or named
    if rule == "own rule":
        rule = f"rule {record.described_rule}"
    label = [objective_label(record.objective), record.stream, first.after, rule, *variants]
    heading = IMPORTED if source_of(record) == "imported" else OURS
    return group_row(first, cells, heading, ", ".join(filter(None, label)))


def _not_run(layout: PaperTable, objective: str) -> Row:
    cells = tuple(MISSING if column.protocol else EMPTY for column in layout.columns)
    return Row(objective_label(objective), cells, "none", "", OURS)


def _record_notes(rows: Sequence[Row], runs: Sequence[RunEntry]) -> tuple[str, ...]:
    """The notes of the records behind the rows."""
    used = {file for row in rows for file in row.runs}
    return shared_notes([run.record for run in runs if run.file in used])
