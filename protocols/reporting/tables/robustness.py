"""Recordings made worse, and the rates of people and groups on recordings as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from protocols.groups import RobustnessTest, RunEntry, RunGroup, robustness_tests
from protocols.labels import DEGRADED, dataset_of, measure_name, slug
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables import cells
from protocols.reporting.tasks import shown_task

_CLEAN = "As recorded"
_BY = "by_"
_POOLED = (
    "A group's rate is the share of its comparisons that are correct; the overall rate may weight "
    "views and conditions differently. The worst tenth of the people is rounded up to whole people."
)


def robustness_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """Of each test a table by kind and level, and one by person and group.

    Args:
        runs: All runs.
    """
    return tuple(table for test in robustness_tests(runs) for table in _tables(test))


def _tables(test: RobustnessTest) -> Iterator[ReportTable]:
    record = test.record
    groups = tuple(test.groups.values())
    measure, data = measure_name(test.headline), dataset_of(record.dataset)
    words = dict.fromkeys([record.task, record.dataset.name, record.protocol])
    place = slug("-".join(words))
    rate = (Column(measure), Column(f"{measure}, interval", "%", None))
    records = [run.record for group in groups for run in group.runs]
    notes = (cells.INTERVAL_NOTE, *cells.spread_notes(groups))
    title = f"{data}: {shown_task(record.task).subject}"
    yield cells.without_empty(
        ReportTable(
            key=f"robustness-{place}",
            title=f"{title} on degraded recordings",
            columns=(
                *rate,
                Column("change, interval", "points"),
                Column("recordings", "", None),
                Column("too short", "", None),
                cells.RUNS,
            ),
            rows=tuple(_level_rows(test)),
            notes=(*notes, *cells.shared_notes(records)),
            task=record.task,
            datasets=(data,),
        )
    )
    apart = _apart(test.networks)
    clean = ((apart[name], g) for (name, change), g in test.groups.items() if change is None)
    rows = tuple(row for name, group in clean for row in _group_rows(group, name))
    if rows:
        columns = (*rate, Column("people", "", None), Column("samples", "", None), cells.RUNS)
        table = ReportTable(
            key=f"fairness-{place}",
            title=f"{title} by person and group",
            columns=columns,
            rows=rows,
            notes=(*notes, _POOLED),
            task=record.task,
            datasets=(data,),
        )
        yield cells.without_empty(table)


def _level_rows(test: RobustnessTest) -> Iterator[Row]:
    """The rows as recorded, then those of each kind, the mildest level first."""
    apart = _apart(test.networks)
    changes = [(kind, level) for kind in DEGRADED for level in test.levels(kind)]
    for change in (None, *changes):
        heading = _CLEAN if change is None else DEGRADED[change[0]]
        share = "unchanged" if change is None else f"{100 * change[1]:g} %"
        for network in test.networks:
            group, clean = (test.groups.get((network, at)) for at in (change, None))
            if group is not None:
                label = ", ".join(filter(None, [share, apart[network]]))
                row = _level_cells(group, clean, test.headline, label)
                yield cells.group_row(group, row, heading, label, heading)


def _apart(networks: Sequence[str]) -> dict[str, str]:
    """The words of each network's label that not all have; none of the only one's."""
    words = {network: network.split(", ") for network in networks}
    shared = set.intersection(*map(set, words.values()))
    return {
        network: ", ".join(word for word in own if word not in shared)
        or (network if len(networks) > 1 else "")
        for network, own in words.items()
    }


def _level_cells(group: RunGroup, clean: RunGroup | None, headline: str, label: str) -> list[Cell]:
    difference = cells.EMPTY
    if clean is not None and group is not clean:
        names = (label, _CLEAN.lower())
        found = cells.difference_cell(group, clean, names, interval=True)
        # Its sentence is of two trainings, and these are tests of the same ones.
        difference = replace(found, note="")
    return [
        cells.metric_cell(group, headline),
        cells.interval_cell(group, headline),
        difference,
        _count_cell(group, "recordings"),
        _count_cell(group, "too_short"),
        cells.seeds_cell(group),
    ]


def _group_rows(group: RunGroup, network: str) -> Iterator[Row]:
    """A row a group of people or recordings, by kind, under the network's name."""
    for metric in group.record.metrics:
        by, _, name = metric.partition("/")
        if by.startswith(_BY):
            row = [
                cells.metric_cell(group, metric),
                cells.interval_cell(group, metric),
                _count_cell(group, f"people/{metric}"),
                _count_cell(group, f"samples/{metric}"),
                cells.seeds_cell(group),
            ]
            heading = ", ".join(filter(None, [f"By {by.removeprefix(_BY)}", network]))
            yield cells.group_row(group, row, heading, name, heading)


def _count_cell(group: RunGroup, name: str) -> Cell:
    """A count, from its least to its most over the seeds."""
    counts = [run.record.counts[name] for run in group.runs if name in run.record.counts]
    if not counts:
        return cells.EMPTY
    low, high = min(counts), max(counts)
    text = str(low) if low == high else f"{low} to {high}"
    return Cell(text, float(low), None, group.files, source_of(group.record))
