"""Rank-1 by probe view and gallery view, where the records hold it for several views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from protocols.figures.drawing import planning
from protocols.groups import RunEntry, RunGroup
from protocols.labels import dataset_of, slug
from protocols.ranking.distances import FloatArray
from protocols.reporting.model import Cell, Column, ReportTable, Row, source_of
from protocols.reporting.tables.cells import EMPTY
from protocols.statistics.intervals import mean_of_known, ratio

_NAMES = ("conditions", "probe_views", "gallery_views")


def view_tables(runs: Sequence[RunEntry]) -> tuple[ReportTable, ...]:
    """A table a test with several views: the numbers of the figure of views.

    Args:
        runs: All runs; of each test the leading objective is shown, its seeds summed.
    """
    return tuple(_tables(runs))


def _tables(runs: Sequence[RunEntry]) -> Iterator[ReportTable]:
    for groups in planning.main_groups(runs, *_NAMES, "rank1_hits", "trials"):
        group = planning.leading(groups)
        if len(group.cells["probe_views"]) > 1 or len(group.cells["gallery_views"]) > 1:
            # Of damaged cells the figure of views says what is wrong.
            with suppress(ValueError, TypeError, IndexError):
                yield _table(group)


def _table(group: RunGroup) -> ReportTable:
    record = group.record
    (hits, trials), names = planning.summed_cells(group, _NAMES, "rank1_hits", "trials")
    conditions, probes, galleries = names
    rates = 100 * ratio(hits, trials)
    rows = tuple(
        Row(
            label=f"probe {view}",
            cells=tuple(_cell(rate, group) for rate in (*row, _mean(row, view, galleries))),
            source=source_of(record),
            reference=record.command,
            group=condition,
        )
        for condition, matrix in zip(conditions, rates, strict=True)
        for view, row in zip(probes, matrix, strict=True)
    )
    data = dataset_of(record.dataset)
    return ReportTable(
        key=slug(f"views-{record.task}-{record.dataset.name}-{record.protocol}"),
        title=f"{data}, {record.protocol}: rank-1 by probe view and gallery view",
        columns=(*(Column(f"gallery {view}") for view in galleries), Column("other views")),
        rows=rows,
        notes=(
            "The last column is the mean over the gallery views that differ from the probe's. "
            f"{planning.describe(group)}.",
        ),
        task=record.task,
        datasets=(data,),
    )


def _mean(row: FloatArray, view: str, galleries: Sequence[str]) -> float:
    """The mean over other views, NaN where there is none."""
    others = [name != view for name in galleries]
    return float(mean_of_known(np.where(others, row, np.nan)))


def _cell(rate: float, group: RunGroup) -> Cell:
    """A rate in percent; a dash where no probe was compared."""
    if np.isnan(rate):
        return EMPTY
    return Cell(f"{rate:.1f}", float(rate), None, group.files, source_of(group.record))
