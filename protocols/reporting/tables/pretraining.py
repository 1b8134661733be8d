"""What pre-training is worth: its features, and what a few labels make of them, against none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import dataset_of, objective_label, objective_place
from protocols.records import FOLDS_TOGETHER, RUN, ResultRecord
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables import cells

_PRETRAINING, _TUNING = "pretrain", "action"
_RANDOM, _NONE = "random", ""
"""The objective of the random encoder, and the method of all runs without pre-training."""

_PROBES = {"linear": "linear", "knn": "kNN", "retrieval": "nearest neighbour"}
_KINDS = (*_PROBES, "semi", "finetune")
_NOTE = (
    "Gain: the difference, in points, from the same network without pre-training (random weights), "
    "over the seeds that both have, with its 95 % interval over people (samples where nobody is "
    "named)."
)


class _Use(NamedTuple):
    """A use of labels.

    Attributes:
        kind: A probe of fixed features, or ``semi`` or ``finetune`` of the whole network.
        share: Share of the labels in percent; empty for all.
        objective: Objective of the tuning; empty for a probe.
    """

    kind: str
    share: str
    objective: str

    @property
    def heading(self) -> str:
        """Such as ``linear`` or ``10 % of labels, ACL``."""
        share = f"{self.share} % of labels" if self.share else ""
        if not self.objective:
            return ", ".join(filter(None, [_PROBES.get(self.kind, self.kind), share]))
        return f"{share or 'all labels'}, {objective_label(self.objective)}"

    @property
    def place(self) -> tuple[object, ...]:
        """Sorting key of its column: probes first, most labels first, simple objectives first."""
        known = _KINDS.index(self.kind) if self.kind in _KINDS else len(_KINDS)
        return known, -float(self.share or 100), objective_place(self.objective)


class _Method(NamedTuple):
    """What has a row: an encoder with its input, pre-trained or not."""

    encoder: str
    stream: str
    name: str


_Runs = dict[_Method, dict[_Use, list[RunEntry]]]


def pretraining_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """One table of all data sets with pre-trained networks; none where there are none.

    A row a method and encoder, the random encoder among them; two columns a use of labels. Runs of
    several settings, of which it is not known which belong together, have rows of their own.

    Args:
        runs: All runs.
    """
    tests: dict[tuple[object, ...], _Runs] = {}
    for run in runs:
        record = run.record
        use = _use(record)
        if use is None or source_of(record) == "foreign" or "top1" not in record.metrics:
            continue
        data = (record.dataset.synthetic, record.dataset.name, record.protocol, record.fold)
        encoder = _setting(record, "network", "encoder", "name")
        method = _Method(str(encoder or ""), record.stream, _method(record))
        found = tests.setdefault(data, {}).setdefault(method, {})
        found.setdefault(use, []).append(run)
    shown = [only for found in tests.values() if (only := _of_pretrained(found))]
    if not shown:
        return ()
    shown.sort(key=lambda found: _first(found).dataset.synthetic)
    uses = sorted({use for found in shown for of in found.values() for use in of}, key=_place)
    names = [use.heading for use in uses]
    columns = [
        column
        for name in names
        for column in (Column(name), Column(f"{name}, gain", "points", None))
    ]
    groups: list[RunGroup] = []
    rows = [row for found in shown for row in _rows(found, uses, groups)]
    table = ReportTable(
        key="pretrain-gain",
        title="Self-supervised pre-training against none, top-1",
        columns=(*columns, cells.RUNS),
        rows=tuple(rows),
        notes=(_NOTE, *cells.spread_notes(groups)),
        task=_PRETRAINING,
        datasets=tuple(dict.fromkeys(dataset_of(_first(found).dataset) for found in shown)),
    )
    return (cells.without_empty(table),)


def _use(record: ResultRecord) -> _Use | None:
    """How a record uses labels; None where it has nothing to do with pre-training."""
    if record.kind != RUN or record.task not in (_PRETRAINING, _TUNING):
        return None
    kind, _, share = record.variant.partition("-")
    if not re.fullmatch(r"\d+(\.\d+)?|", share):
        return None
    if record.task == _PRETRAINING:
        return _Use(kind, share, "") if kind else None
    if record.initial and _setting(record, "initial", "task") != _PRETRAINING:
        return None
    return _Use(kind or "finetune", share, record.objective)


def _method(record: ResultRecord) -> str:
    if record.task == _PRETRAINING:
        return _NONE if record.objective == _RANDOM else record.objective
    return record.initial


def _of_pretrained(found: _Runs) -> _Runs:
    """The runs of the encoders that were pre-trained, and their uses; others are no comparison."""
    encoders = {method[:2] for method in found if method.name != _NONE}
    uses = {use for method, of in found.items() if method.name != _NONE for use in of}
    kept = {
        method: {use: runs for use, runs in of.items() if use in uses}
        for method, of in found.items()
        if method[:2] in encoders
    }
    return {method: of for method, of in kept.items() if of}


def _order(method: _Method) -> tuple[object, ...]:
    return *method[:2], method.name != _NONE, objective_place(method.name)


def _place(use: _Use) -> tuple[object, ...]:
    return use.place


def _first(found: _Runs) -> ResultRecord:
    return next(runs[0].record for of in found.values() for runs in of.values())


def _rows(found: _Runs, uses: Sequence[_Use], every: list[RunGroup]) -> Iterable[Row]:
    """The rows of one test, those without pre-training first; ``every`` takes their groups."""
    grouped = {
        method: {use: group_runs(runs) for use, runs in of.items()} for method, of in found.items()
    }
    several = [len({method[part] for method in found}) > 1 for part in (0, 1)]
    for method in sorted(grouped, key=_order):
        told = [part for part, more in zip(method[:2], several, strict=True) if more]
        label = "No pre-training" if method.name == _NONE else objective_label(method.name)
        label = ", ".join([label, *told])
        plain = grouped.get(method._replace(name=_NONE), {})
        single = {use: groups[0] for use, groups in grouped[method].items() if len(groups) == 1}
        further = [
            (f"{label}, {group.variant}", {use: group})
            for use, groups in grouped[method].items()
            if len(groups) > 1
            for group in groups
        ]
        for name, row in [(label, single), *further]:
            if row:
                every += row.values()
                yield _row(name, row, uses, plain)


def _row(
    label: str,
    groups: dict[_Use, RunGroup],
    uses: Sequence[_Use],
    plain: dict[_Use, tuple[RunGroup, ...]],
) -> Row:
    made: list[Cell] = []
    for use in uses:
        group = groups.get(use)
        if group is None:
            made += [cells.EMPTY, cells.EMPTY]
        else:
            made += [cells.metric_cell(group, "top1"), _gain(label, group, plain.get(use, ()))]
    first = next(iter(groups.values()))
    counts = sorted({len(group.runs) for group in groups.values()})
    files = tuple(file for group in groups.values() for file in group.files)
    source = source_of(first.record)
    made.append(Cell(" or ".join(map(str, counts)), float(counts[-1]), None, files, source))
    record = first.record
    fold = "" if record.fold in (None, FOLDS_TOGETHER) else f"fold {record.fold}"
    heading = ", ".join(filter(None, [dataset_of(record.dataset), record.protocol, fold]))
    return cells.group_row(first, made, heading, label)


def _gain(label: str, group: RunGroup, plain: Sequence[RunGroup]) -> Cell:
    """The difference from the one group without pre-training of the same network and clips."""
    alike = [other for other in plain if _network(other.record) == _network(group.record)]
    if len(alike) != 1 or alike[0].files == group.files:
        return cells.EMPTY
    return cells.difference_cell(group, alike[0], (label, "no pre-training"), interval=True)


def _network(record: ResultRecord) -> str:
    parts = [_setting(record, "network"), _setting(record, "clip")]
    return json.dumps(parts, sort_keys=True)


def _setting(record: ResultRecord, *names: str) -> Any:
    """A setting by the parts of its dotted name; None where the record does not have it."""
    value: Any = record.settings
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
