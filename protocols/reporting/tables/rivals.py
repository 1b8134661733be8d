"""ACL beside its rivals: every objective that was added to the cross-entropy of one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import BASELINE, dataset_of, objective_label, objective_place
from protocols.records import ResultRecord
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables import cells

_ACL = "acl"
_PARTS = ("ce+inter", "ce+intra")
"""Beginnings of the names of ACL's own parts, which are no rivals."""


def rivals_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """One table of all tests of action recognition in which a rival of ACL was trained.

    Runs are compared with cross-entropy (of the same label smoothing) and with ACL on the same
    split, streams and encoder; where one of both was trained with several weights, as while a
    weight is chosen, there is no comparison.

    Args:
        runs: All runs.
    """
    tests: dict[tuple[str, ...], list[RunEntry]] = {}
    for run in runs:
        record = run.record
        if record.task == "action" and record.is_plain_run and source_of(record) == "ours":
            tests.setdefault(_test(record), []).append(run)
    rows: list[Row] = []
    used: list[RunGroup] = []
    for members in tests.values():
        if not any(_is_rival(run.record.objective) for run in members):
            continue
        groups = sorted(group_runs(members), key=_order)
        rows += [_row(group, groups) for group in groups]
        used += groups
    if not rows:
        return ()
    return (
        ReportTable(
            key="rivals",
            title="ACL beside its rivals: what each adds to cross-entropy",
            columns=(
                Column("weight", "", None),
                Column("top-1"),
                Column("top-1, interval", "%", None),
                Column("against cross-entropy", "points"),
                Column("detectable", "points", None),
                Column("against ACL", "points"),
                Column("detectable against ACL", "points", None),
                cells.RUNS,
            ),
            rows=tuple(rows),
            notes=(
                cells.INTERVAL_NOTE,
                "Detectable: the smallest true difference that the test over people and training "
                "runs would find four times in five, if runs spread as these do.",
                *cells.spread_notes(used),
                *cells.shared_notes([run.record for group in used for run in group.runs]),
            ),
            task="action",
            datasets=tuple(dict.fromkeys(dataset_of(group.record.dataset) for group in used)),
        ),
    )


def _test(record: ResultRecord) -> tuple[str, ...]:
    """What runs must share to be compared."""
    encoder = str(_at(record.settings, "network", "encoder").get("name", ""))
    data = record.dataset
    where = (record.protocol, record.described_rule, record.stream, encoder)
    return (dataset_of(data), data.fingerprint, *where)


def _is_rival(objective: str) -> bool:
    return objective.startswith(f"{BASELINE}+") and not objective.startswith(_PARTS)


def _only(groups: Sequence[RunGroup], objective: str, smoothing: float | None) -> RunGroup | None:
    """The group of an objective and label smoothing (None: of any), if there is one alone."""
    found = [
        group
        for group in groups
        if group.record.objective == objective and smoothing in (None, _smoothing(group.record))
    ]
    return found[0] if len(found) == 1 else None


def _smoothing(record: ResultRecord) -> float:
    return float(_at(record.settings, "objective").get("label_smoothing", 0.0))


def _order(group: RunGroup) -> tuple[tuple[int, str], float, str]:
    return objective_place(group.record.objective), max(_weights(group.record)), group.variant


def _row(group: RunGroup, groups: Sequence[RunGroup]) -> Row:
    record = group.record
    own = max(_weights(record))
    weight = Cell(f"{own:g}", own, None, (), source_of(record)) if own else cells.EMPTY
    smoothing = _smoothing(record)
    plain, acl = _only(groups, BASELINE, smoothing), _only(groups, _ACL, None)
    chosen = _only(groups, record.objective, smoothing) is group
    # The row of ACL says how it differs from the cross-entropy beside it.
    reference = acl is not None and group is plain and _smoothing(acl.record) == smoothing
    row = [
        weight,
        cells.metric_cell(group, "top1"),
        cells.interval_cell(group, "top1"),
        *_against(group, plain if chosen else None),
        *_against(group, acl if chosen and not reference else None),
        cells.seeds_cell(group),
    ]
    heading = f"{dataset_of(record.dataset)}, {record.protocol}: {record.described_rule}"
    label = objective_label(record.objective) if own else group.label
    return cells.group_row(group, row, heading, label)


def _against(group: RunGroup, other: RunGroup | None) -> tuple[Cell, Cell]:
    """The difference from another group, and the one that such runs would find."""
    if other is None or other is group:
        return cells.EMPTY, cells.EMPTY
    names = tuple(objective_label(one.record.objective) for one in (group, other))
    found = cells.compared(group, other, (names[0], names[1]))
    if found is None:
        return cells.EMPTY, cells.EMPTY
    shown = cells.shown_difference(group, found, interval=True)
    if found.comparison.detectable is None:
        return shown, cells.EMPTY
    points = 100 * found.comparison.detectable
    return shown, Cell(f"{points:.1f}", points, None, found.files, shown.source)


def _weights(record: ResultRecord) -> list[float]:
    """Weights of the terms beside the cross-entropy; 0 where there is none."""
    objective = _at(record.settings, "objective")
    terms = [_at(objective, "metric"), *(objective.get("terms") or ())]
    found = [objective.get("inter_weight"), objective.get("intra_weight")]
    return [float(one or 0) for one in [*found, *(term.get("weight") for term in terms)]]


def _at(settings: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A section of settings; empty where it is missing."""
    for name in names:
        found = settings.get(name)
        settings = found if isinstance(found, Mapping) else {}
    return settings
