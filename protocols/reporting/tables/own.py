"""Our own tables: one for each task and data set, recorded or generated, with a row a setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import dataset_label, measure_name, objective_label, objective_place, slug
from protocols.records import FOLDS_TOGETHER, RUN, ResultRecord
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables.cells import (
    EMPTY,
    INTERVAL_NOTE,
    RUNS,
    comparison_cell,
    frames_named,
    group_row,
    interval_cell,
    metric_cell,
    missing_row,
    published_row,
    seeds_cell,
    shared_notes,
    spread_notes,
    without_empty,
)
from protocols.reporting.tables.paper import IMPORTED
from protocols.reporting.tables.published import PublishedResult, load_published
from protocols.reporting.tasks import (
    GUESSES,
    TASKS,
    main_measure,
    shown_task,
    task_place,
)

_BONES = "bone-length"
_RULES = {"walk": "whole walks", "equal": "equal weights"}
"""Rules under which the same run is shown again, in the words of its label."""

Measures = Mapping[str, Column]
"""Metrics of the records with their columns, the headline first."""


def own_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """One table for each task and data set; of an unknown task, by its records alone.

    Args:
        runs: All runs; studies of a run have tables of their own.
    """
    members: dict[tuple[str, str, bool], list[RunEntry]] = {
        (task, *data): [] for task, view in TASKS.items() for data in view.datasets
    }
    for run in runs:
        record = run.record
        if record.kind == RUN and main_measure(record.task, record.metrics) in record.metrics:
            key = (record.task, record.dataset.name, record.dataset.synthetic)
            members.setdefault(key, []).append(run)
    order = sorted(members, key=lambda key: (task_place(key[0]), key[2]))
    return tuple(_table(*key, members[key]) for key in order)


def _table(task: str, name: str, synthetic: bool, runs: Sequence[RunEntry]) -> ReportTable:
    """The table of one task on one data set."""
    label = dataset_label(name, synthetic)
    blocks: dict[str, list[RunEntry]] = {}
    for run in runs:
        blocks.setdefault(_block(run.record), []).append(run)
    grouped = {block: group_runs(members) for block, members in blocks.items()}
    every = [group for groups in grouped.values() for group in groups]
    measures = _measures(task, every)
    headline = next(iter(measures.values()))
    suffix = "-synthetic" if synthetic and name != "walkers" else ""
    key = f"{slug(task)}-{slug(name)}{suffix}"
    printed = {} if synthetic else _published(key, measures)
    rows: list[Row] = []
    for block, groups in grouped.items():
        own = _block_rows(block, groups, measures)
        for setting in [name for name in printed if name in {row.compared for row in own}]:
            rows += printed.pop(setting)
        rows += own
    rows += chain(*printed.values())
    if not blocks:
        rows.append(missing_row("acl", len(measures) + 3))
    notes = shared_notes([run.record for run in runs])
    table = ReportTable(
        key=key,
        title=f"{label}: {shown_task(task).subject}",
        columns=(
            *measures.values(),
            Column(f"{headline.name}, interval", headline.unit, None),
            Column("against cross-entropy", "points"),
            RUNS,
        ),
        rows=tuple(rows),
        notes=(*((INTERVAL_NOTE,) if runs else ()), *spread_notes(every), *notes),
        task=task,
        datasets=(label,),
    )
    return without_empty(table)


def _measures(task: str, groups: Sequence[RunGroup]) -> Measures:
    """The headline and the other measures; of a known task the headline by part too."""
    found = dict.fromkeys(name for group in groups for name in group.record.metrics)
    known = shown_task(task).measures
    if not known:  # records have neither units nor the better end
        plain = [name for name in found if "/" not in name and name not in GUESSES]
        return {
            name: Column(measure_name(name), "%" if _are_rates(name, groups) else "", None)
            for name in plain
        }
    parts = [name for name in found if name.startswith(f"{known[0]}/")]
    if len(parts) == 1:  # the whole again
        parts = []
    others = [name for name in known[1:] if name in found]
    return {name: Column(measure_name(name)) for name in (known[0], *parts, *others)}


def _are_rates(metric: str, groups: Sequence[RunGroup]) -> bool:
    """Whether all values lie between 0 and 1."""
    values = (run.record.metrics.get(metric, 0.0) for group in groups for run in group.runs)
    return all(0 <= value <= 1 for value in values)


def _block(record: ResultRecord) -> str:
    """The heading of a record's rows: protocol, rule, and clip length where that counts."""
    return f"{record.protocol}: {record.described_rule}{frames_named(record)}"


def _compared(record: ResultRecord, rule: str = "") -> str:
    """What a record's results may be compared with, by its own rule or another one."""
    if shown_task(record.task).by_rule or rule or "trained_epochs" in record.counts:
        return f"{record.protocol}: {rule or record.described_rule}{frames_named(record)}"
    part = "" if record.fold in (None, FOLDS_TOGETHER) else f"fold {record.fold}"
    # Few labels, or another training before, are another test than the published ones.
    return ", ".join(filter(None, [record.protocol, part, record.variant]))


def _published(key: str, measures: Measures) -> dict[str, list[Row]]:
    """A row for each published method and setting, by the setting."""
    methods: dict[tuple[str, str], dict[str, PublishedResult]] = {}
    for result in load_published(key):
        methods.setdefault((result.setting, result.method), {})[result.metric] = result
    names = [*(column.name for column in measures.values()), "", "", ""]
    found: dict[str, list[Row]] = {}
    for (setting, _), results in methods.items():
        row = published_row(results, names, f"Published: {setting}", setting)
        found.setdefault(setting, []).append(row)
    return found


def _block_rows(block: str, groups: Sequence[RunGroup], measures: Measures) -> list[Row]:
    """Rows of one protocol and rule, those of guessing first."""
    ordered = sorted(
        groups, key=lambda g: (g.record.stream, objective_place(g.record.objective), g.variant)
    )
    rows = _guess_rows(block, ordered[0], measures)
    for group in ordered:
        alike = _alike(group.record)
        same = [other for other in ordered if _alike(other.record, group.record) == alike]
        label = _label(group)
        if source_of(group.record) == "imported":
            label = f"{IMPORTED}: {label}"
        rows.append(_row(block, group, label, measures, comparison_cell(group, same)))
        # The same run under other rules, whose names begin their metrics.
        ending = f"/{next(iter(measures))}"
        rules = [name for name in group.record.metrics if name.endswith(ending)]
        for rule in (name.removesuffix(ending) for name in rules):
            what = _RULES.get(rule, f"rule {rule}")
            label = f"{_label(group)}, {what}"
            rows.append(_row(block, group, label, measures, EMPTY, rule))
    return rows


def _row(
    block: str, group: RunGroup, label: str, measures: Measures, comparison: Cell, rule: str = ""
) -> Row:
    """A group's measures, those under another rule, with interval, comparison and count of runs."""
    prefix = f"{rule}/" if rule else ""
    both = [_cells(group, f"{prefix}{metric}", column) for metric, column in measures.items()]
    interval = both[0][1]  # of the headline
    cells = [*(mean for mean, _ in both), interval, comparison, seeds_cell(group)]
    return group_row(group, cells, block, label, _compared(group.record, rule))


def _cells(group: RunGroup, metric: str, column: Column) -> tuple[Cell, Cell]:
    """The mean over the seeds and the interval; rates in percent, other numbers as they are."""
    factor, decimals = (100.0, 1) if column.unit == "%" else (1.0, 2)
    return (
        metric_cell(group, metric, factor=factor, decimals=decimals),
        interval_cell(group, metric, factor=factor, decimals=decimals),
    )


def _guess_rows(block: str, group: RunGroup, measures: Measures) -> list[Row]:
    """The row of the most frequent class, or of a random pick from the gallery, where recorded."""
    guess = next((name for name in GUESSES if name in group.record.metrics), None)
    if guess is None:
        return []
    headline = next(iter(measures))
    cells = [EMPTY] * (len(measures) + 3)
    for place, (metric, column) in enumerate(measures.items()):
        name, slash, part = metric.partition("/")
        if name == headline:
            cells[place], _ = _cells(group, f"{guess}{slash}{part}", column)
    return [group_row(group, cells, block, GUESSES[guess], _compared(group.record))]


def _alike(record: ResultRecord, row: ResultRecord | None = None) -> tuple[str, ...]:
    """What cross-entropy must share with a row that is compared with it.

    The encoder only where the row has one: bone lengths are compared with any.
    """
    network = record.settings.get("network")
    encoder = network.get("encoder") if isinstance(network, Mapping) else None
    name = str(encoder.get("name", "")) if isinstance(encoder, Mapping) else ""
    used = "" if (row or record).objective == _BONES else name
    return record.stream, source_of(record), record.initial, record.variant, used


def _label(group: RunGroup) -> str:
    """Objective, streams, and the settings in which the row differs from others."""
    record = group.record
    parts = [objective_label(record.objective), record.stream, group.after, group.variant]
    return ", ".join(filter(None, parts))
