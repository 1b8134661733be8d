"""The paper's tables: published rows first, then the rows of this program, never mixed."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    published_cell,
    shared_notes,
)
from protocols.reporting.tables.published import PublishedResult, load_published

IN_PAPER = "Printed in the paper"
LEFT_OUT = "Published, not in the paper's table"
PUBLISHED = "Published"
OURS = "This program"
IMPORTED = "Released weights, scored by this program"


def paper_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """Tables I to X and further tables of published results.

    A run fills a cell where its protocol is the column's and its data have the table's name; runs
    on generated data never do.

    Args:
        runs: All runs.
    """
    return tuple(_table(layout, _own_rows(layout, runs), runs) for layout in PAPER_TABLES)


def _table(layout: PaperTable, own: tuple[Row, ...], runs: Sequence[RunEntry]) -> ReportTable:
    """Published rows and own ones under the layout's columns."""
    return ReportTable(
        key=layout.key,
        title=layout.title,
        columns=tuple(Column(c.name, c.unit, c.higher_is_better) for c in layout.columns),
        rows=(*_published_rows(layout), *own),
        notes=(*layout.notes, *_record_notes(own, runs), *_passed_over(layout, runs)),
        task=layout.task,
        datasets=tuple(dict.fromkeys(column.place[0] for column in layout.columns)),
    )


def _published_rows(layout: PaperTable) -> list[Row]:
    """A row a method, those that the paper prints first."""
    methods: dict[str, dict[tuple[str, str, str], PublishedResult]] = {}
    for result in load_published(layout.key):
        methods.setdefault(result.method, {})[result.place] = result
    rows: list[Row] = []
    for method, results in methods.items():
        first = next(iter(results.values()))
        sources = dict.fromkeys(result.source for result in results.values())
        cells = tuple(
            published_cell(results[column.place]) if column.place in results else EMPTY
            for column in layout.columns
        )
        reference = "; ".join(filter(None, [first.citation, *sources]))
        label = f"{method} ({first.poses})" if first.poses else method
        rows.append(Row(label, cells, "published", reference, _published_group(layout, first)))
    return sorted(rows, key=lambda row: row.group != IN_PAPER)


def _published_group(layout: PaperTable, result: PublishedResult) -> str:
    if not layout.key.startswith("table-"):
        return PUBLISHED
    return IN_PAPER if result.source.startswith("ACLNet, Table") else LEFT_OUT


def _own_rows(layout: PaperTable, runs: Sequence[RunEntry]) -> tuple[Row, ...]:
    """Rows of this program: by objective, stream and rule; ``not run`` where there is nothing."""
    series: dict[tuple[str, str, str], list[RunGroup]] = {}
    filling = [run for run in runs if _follows(layout, run) and _named_alike(layout, run)]
    for group in group_runs(filling):
        record = group.record
        key = (record.objective, record.stream, record.described_rule)
        series.setdefault(key, []).append(group)
    found = [
        row
        for key in sorted(series, key=lambda key: (objective_place(key[0]), key[1:]))
        for row in _series_rows(layout, series[key])
    ]
    if not any(column.protocol for column in layout.columns):
        return ()
    missing = [name for name in layout.objectives if name not in {key[0] for key in series}]
    return (*found, *(_not_run(layout, name) for name in missing if name != "imported"))


def _follows(layout: PaperTable, run: RunEntry) -> bool:
    """Whether a run has the table's task, protocol and objective, on recorded people."""
    record = run.record
    protocols = {column.protocol for column in layout.columns if column.protocol}
    return (
        record.task == layout.task
        and record.protocol in protocols
        and record.objective in layout.objectives
        and not record.dataset.synthetic
        and layout.accepts(record)
        and _has_metrics(layout, record)
    )


def _has_metrics(layout: PaperTable, record: ResultRecord) -> bool:
    """Whether a record has any of the table's metrics: studies of a run may have none."""
    return any(
        f"{variant.prefix}{column.metric}" in record.metrics
        for column in layout.columns
        if column.protocol == record.protocol
        for variant in layout.variants
    )


def _named_alike(layout: PaperTable, run: RunEntry) -> bool:
    name = re.sub(r"[^a-z0-9]", "", run.record.dataset.name.lower())
    return any(part in name for part in layout.data)


def _passed_over(layout: PaperTable, runs: Sequence[RunEntry]) -> tuple[str, ...]:
    """Name the runs that follow the protocol on data of another name and are left out."""
    others = [r for r in runs if _follows(layout, r) and not _named_alike(layout, r)]
    names = sorted({run.record.dataset.name for run in others})
    if not names:
        return ()
    return (
        f"{len(others)} runs follow the same protocol on data named {', '.join(names)} and are not "
        f"shown here: data of this table have {' or '.join(layout.data)} in their name.",
    )


def _series_rows(layout: PaperTable, groups: Sequence[RunGroup]) -> list[Row]:
    """Rows of one objective, stream and rule: one, or more where settings differ in a column."""
    by_protocol: dict[str, list[RunGroup]] = {}
    for group in groups:
        by_protocol.setdefault(group.record.protocol, []).append(group)
    rows: list[Row] = []
    for place in range(max(len(members) for members in by_protocol.values())):
        at = {name: members[place] for name, members in by_protocol.items() if place < len(members)}
        for variant in layout.variants:
            row = _own_row(layout, at, variant)
            if row.runs:
                rows.append(row)
    return rows


def _own_row(layout: PaperTable, at: dict[str, RunGroup], variant: Variant) -> Row:
    """One row, from the groups by protocol."""
    cells: list[Cell] = []
    for column in layout.columns:
        group = at.get(column.protocol)
        if not column.protocol:
            cells.append(EMPTY)
        elif group is None:
            cells.append(MISSING)
        else:
            signed = variant.prefix == "gain/"
            cells.append(metric_cell(group, f"{variant.prefix}{column.metric}", signed=signed))
    first = next(iter(at.values()))
    variants = dict.fromkeys(group.variant for group in at.values())
    record = first.record
    rule = variant.label if variant.label != "own rule" else f"rule {record.described_rule}"
    label = [objective_label(record.objective), record.stream, rule, *variants]
    heading = IMPORTED if source_of(record) == "imported" else OURS
    return group_row(first, cells, heading, ", ".join(filter(None, label)))


def _not_run(layout: PaperTable, objective: str) -> Row:
    cells = tuple(MISSING if column.protocol else EMPTY for column in layout.columns)
    return Row(objective_label(objective), cells, "none", "", OURS)


def _record_notes(rows: Sequence[Row], runs: Sequence[RunEntry]) -> tuple[str, ...]:
    """The notes of the records behind the rows."""
    used = {file for row in rows for file in row.runs}
    return shared_notes([run.record for run in runs if run.file in used])
