"""Shape, posture and movement apart: how far each alone tells people by their walk."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.groups import RunEntry, RunGroup, motion_tests
from protocols.labels import ARMS, dataset_of
from protocols.reporting.model import Cell, Column, ReportTable, Row
from protocols.reporting.tables import cells

_RANK1, _EER, _FNIR = "rank1", "eer", "fnir@fpir0.1"


def motion_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """One table of all data sets; none where there are no such records.

    Args:
        runs: All runs.
    """
    tests = motion_tests(runs)
    if not tests:
        return ()
    groups = [group for members in tests for group in members]
    records = [run.record for group in groups for run in group.runs]
    return (
        ReportTable(
            key="motion",
            title="Shape, posture and movement: recognition by each alone",
            columns=(
                Column("rank-1"),
                Column("rank-1, interval", "%", None),
                Column("against bone lengths", "points"),
                Column("EER", "%", False),
                Column("EER, interval", "%", None),
                Column("FNIR at FPIR 10 %", "%", False),
                cells.RUNS,
            ),
            rows=tuple(row for members in tests for row in _rows(members)),
            notes=(
                cells.INTERVAL_NOTE,
                *cells.spread_notes(groups),
                *cells.shared_notes(records),
            ),
            task=records[0].task,
            datasets=tuple(dict.fromkeys(dataset_of(record.dataset) for record in records)),
        ),
    )


def _rows(groups: Sequence[RunGroup]) -> list[Row]:
    """A row an arm, under the name of the data and the rate of a random pick."""
    record = groups[0].record
    chance = record.metrics.get("chance")
    guess = "" if chance is None else f", random pick {100 * chance:.1f}"
    heading = f"{dataset_of(record.dataset)}, {record.protocol}{guess}"
    bones = next((group for group in groups if group.record.variant == "bones"), None)
    return [
        cells.group_row(group, _cells(group, bones), heading, ARMS[group.record.variant], heading)
        for group in groups
    ]


def _cells(group: RunGroup, bones: RunGroup | None) -> list[Cell]:
    difference = cells.EMPTY
    if bones is not None and group is not bones:
        names = (ARMS[group.record.variant], ARMS["bones"])
        difference = cells.difference_cell(group, bones, names)
    return [
        cells.metric_cell(group, _RANK1),
        cells.interval_cell(group, _RANK1),
        difference,
        cells.metric_cell(group, _EER),
        cells.interval_cell(group, _EER),
        cells.metric_cell(group, _FNIR),
        cells.seeds_cell(group),
    ]
