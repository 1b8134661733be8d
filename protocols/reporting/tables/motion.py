"""Shape, posture and movement apart: how far each alone tells people by their walk."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import dataset_of
from protocols.records import MOTION
from protocols.reporting.model import Cell, Column, ReportTable, Row
from protocols.reporting.tables import cells

ARMS = {
    "bones": "Shape: bone lengths",
    "still": "Shape and posture: still frames",
    "own": "Shape, posture and movement: whole walks",
    "bones-common": "One body: bone lengths",
    "still-common": "One body, posture: still frames",
    "common": "One body, posture and movement: whole walks",
    "changes": "One body, movement: changes from frame to frame",
}
"""The arms of `gait motion`, in words and in the order of the rows."""

_RANK1, _EER, _FNIR = "rank1", "eer", "fnir@fpir0.1"


def motion_tests(runs: Sequence[RunEntry]) -> tuple[tuple[RunGroup, ...], ...]:
    """The arms of each data set and protocol, each a group of seeds; recorded people first."""

    def test(group: RunGroup) -> tuple[bool, str, str]:
        data = group.record.dataset
        return data.synthetic, data.name, group.record.protocol

    found = [run for run in runs if run.record.kind == MOTION and run.record.variant in ARMS]
    order = list(ARMS)
    groups = sorted(group_runs(found), key=lambda g: (test(g), order.index(g.record.variant)))
    return tuple(tuple(members) for _, members in groupby(groups, key=test))


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
            title="Shape, posture and movement apart: who is told by each alone",
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
