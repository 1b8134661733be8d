"""Tables of studies: parts of the objective, hidden parts, difficulty, unknown actions, cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import dataset_of, objective_place, slug
from protocols.records import COST
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables import cells
from protocols.reporting.tables.catalogue import ARMS

_COST = (
    ("parameters", Column("parameters", "millions", False), 1e-6, 2),
    ("flops", Column("operations a clip", "GFLOP", False), 1e-9, 3),
    ("clips_per_second", Column("inference", "clips/s"), 1.0, 1),
    ("train_clips_per_second", Column("training", "clips/s"), 1.0, 1),
    ("peak_memory_bytes", Column("peak memory", "MiB", False), 2.0**-20, 0),
)
"""Metric of a cost record, its column, the factor between their units, decimals."""


_REFUSED = "Actions of classes that were left out of training: rejected as unknown"
_NOBODY = "People who are not enrolled: rejected at thresholds chosen on other people"

_Rate = tuple[str, Column, Literal["value", "interval"]]

_UNKNOWN: tuple[_Rate, ...] = (
    ("refused", Column("refused"), "value"),
    ("refused", Column("refused, interval", "%", None), "interval"),
    ("false_alarms", Column("false alarms", "%", False), "value"),
    ("top1", Column("top-1"), "value"),
    ("ece/before", Column("calibration error before", "%", False), "value"),
    ("ece/after", Column("after", "%", False), "value"),
)
"""Metric of a record of unknown actions, its column, and what that holds."""

_STRANGERS: tuple[_Rate, ...] = tuple(
    rate
    for target, words in (("0.1", "10 %"), ("0.01", "1 %"))
    for measure, name in (("fnir", f"FNIR at FPIR {words}"), ("fpir", f"FPIR reached, of {words}"))
    for rate in (
        (f"{measure}_from_development@fpir{target}", Column(name, "%", False), "value"),
        (
            f"{measure}_from_development@fpir{target}",
            Column(f"{name}: interval", "%", None),
            "interval",
        ),
    )
)
"""The same of a record of people who are not enrolled, at thresholds of other people."""


def ablation_table(runs: Sequence[RunEntry]) -> ReportTable:
    """Table VIII's rows on MSR-Action3D, all streams side by side.

    Args:
        runs: All runs.
    """
    chosen = [
        run
        for run in runs
        if run.record.task == "action"
        and run.record.protocol == "msr_action3d"
        and run.record.dataset.name == "msraction3d"
        and not run.record.dataset.synthetic
        and run.record.objective in ARMS
        and "top1" in run.record.metrics
        and run.record.is_plain_run
    ]
    groups = sorted(group_runs(chosen), key=lambda group: ARMS.index(group.record.objective))
    rows = [_ablation_row(group, groups) for group in groups]
    run_arms = {group.record.objective for group in groups}
    rows += [cells.missing_row(arm, 5) for arm in ARMS if arm not in run_arms]
    return ReportTable(
        key="ablation-msr-action3d",
        title="Parts of the objective on MSR-Action3D (the rows of Table VIII)",
        columns=(
            Column("top-1"),
            Column("top-1, interval", "%", None),
            Column("against cross-entropy", "points"),
            Column("mean class"),
            cells.RUNS,
        ),
        rows=tuple(rows),
        notes=(
            *cells.spread_notes(groups),
            *cells.shared_notes([run.record for run in chosen]),
        ),
        task="action",
        datasets=("MSR-Action3D",),
    )


def _ablation_row(group: RunGroup, groups: Sequence[RunGroup]) -> Row:
    stream, rule = group.record.stream, group.record.described_rule
    alike = [g for g in groups if (g.record.stream, g.record.described_rule) == (stream, rule)]
    row = (
        cells.metric_cell(group, "top1"),
        cells.interval_cell(group, "top1"),
        cells.comparison_cell(group, alike),
        cells.metric_cell(group, "mean_class"),
        cells.seeds_cell(group),
    )
    return cells.group_row(group, row, f"streams {stream}")


def study_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """Hidden parts and difficulty, a table a data set studied; unknown actions, unknown people.

    Args:
        runs: All runs.
    """
    return (
        *_studies(runs, "occlusion", "bodies with hidden parts", "top1"),
        *_studies(runs, "difficulty", "gain by difficulty of the class", "gain"),
        *_rates(runs, "unknown", "unknown-actions", _REFUSED, _UNKNOWN),
        *_rates(runs, "biometrics", "open-set", _NOBODY, _STRANGERS),
    )


def _rates(
    runs: Sequence[RunEntry], kind: str, key: str, title: str, rates: Sequence[_Rate]
) -> tuple[ReportTable, ...]:
    """One table of the records of a kind that have the first of these rates, by data set."""
    first = rates[0][0]
    groups = group_runs([x for x in runs if x.record.kind == kind and first in x.record.metrics])
    if not groups:
        return ()
    rows = []
    for group in groups:
        found = (
            (cells.interval_cell if holds == "interval" else cells.metric_cell)(group, metric)
            for metric, _, holds in rates
        )
        record = group.record
        heading = f"{dataset_of(record.dataset)}: {record.protocol}, streams {record.stream}"
        rows.append(cells.group_row(group, (*found, cells.seeds_cell(group)), heading))
    records = [run.record for group in groups for run in group.runs]
    return (
        ReportTable(
            key=key,
            title=title,
            columns=(*(column for _, column, _ in rates), cells.RUNS),
            rows=tuple(rows),
            notes=(*cells.spread_notes(groups), *cells.shared_notes(records)),
            task=records[0].task,
            datasets=tuple(dict.fromkeys(dataset_of(record.dataset) for record in records)),
        ),
    )


def _studies(
    runs: Sequence[RunEntry], kind: str, title: str, metric: str
) -> tuple[ReportTable, ...]:
    """A table a data set, of the records of a kind: ``metric`` and its parts."""
    found: dict[str, list[RunEntry]] = {}
    for run in runs:
        if run.record.kind == kind:
            found.setdefault(dataset_of(run.record.dataset), []).append(run)
    tables: list[ReportTable] = []
    signed = metric == "gain"
    for label, members in found.items():
        every = dict.fromkeys(name for run in members for name in run.record.metrics)
        names = [name for name in every if name == metric or name.startswith(f"{metric}/")]
        parts = [name.partition("/")[2].replace("_", " ") or "nothing hidden" for name in names]
        columns = (*(Column(part, "points" if signed else "%") for part in parts), cells.RUNS)
        rows: list[Row] = []
        for group in sorted(group_runs(members), key=lambda g: objective_place(g.record.objective)):
            record = group.record
            values = [cells.metric_cell(group, name, signed=signed) for name in names]
            heading = f"{record.protocol}: {record.described_rule}, streams {record.stream}"
            rows.append(cells.group_row(group, [*values, cells.seeds_cell(group)], heading))
        key, records = f"{slug(kind)}-{slug(label)}", [run.record for run in members]
        notes = (*cells.spread_notes(group_runs(members)), *cells.shared_notes(records))
        task = members[0].record.task
        tables.append(
            ReportTable(key, f"{label}: {title}", columns, tuple(rows), notes, task, (label,))
        )
    return tuple(tables)


def cost_table(runs: Sequence[RunEntry]) -> ReportTable:
    """Parameters, operations, throughput and memory, from records of this kind.

    Their metrics are ``parameters``, ``flops`` (of one clip), ``clips_per_second``,
    ``train_clips_per_second`` and ``peak_memory_bytes``; their objective is the backbone, their
    protocol the recipe. Rows are grouped by device.

    Args:
        runs: All runs.
    """
    groups = group_runs([run for run in runs if run.record.kind == COST])
    rows = [_cost_row(group) for group in sorted(groups, key=_devices)]
    if not rows:
        rows = [cells.missing_row("acl", len(_COST) + 1)]
    return ReportTable(
        key="cost",
        title="Cost: parameters, operations, throughput, memory",
        columns=(*(column for _, column, _, _ in _COST), Column("clip, M × T × V × C", "", None)),  # noqa: RUF001 - the sign itself
        rows=tuple(rows),
        notes=cells.shared_notes([run.record for group in groups for run in group.runs]),
        task="cost",
        datasets=tuple(dict.fromkeys(dataset_of(group.record.dataset) for group in groups)),
    )


def _cost_row(group: RunGroup) -> Row:
    record = group.record
    row = [
        cells.metric_cell(group, metric, factor=factor, decimals=decimals)
        for metric, _, factor, decimals in _COST
    ]
    label = ", ".join(filter(None, [record.objective, record.protocol, group.variant]))
    return cells.group_row(group, [*row, _clip_cell(group)], _devices(group), label)


def _clip_cell(group: RunGroup) -> Cell:
    """Persons, frames, joints and channels of one clip; sorted by their product."""
    counts = group.record.counts
    axes = [counts[name] for name in ("persons", "frames", "joints", "channels") if name in counts]
    if len(axes) < 4:
        return cells.EMPTY
    text = " × ".join(map(str, axes))  # noqa: RUF001 - the sign itself
    return Cell(text, float(math.prod(axes)), None, group.files, source_of(group.record))


def _devices(group: RunGroup) -> str:
    return ", ".join(group.record.environment.get("devices", ()))
