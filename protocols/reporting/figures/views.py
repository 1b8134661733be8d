"""Rank-1 by probe and gallery view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from protocols.figures.view_heatmap import draw_view_heatmap
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    cells_of,
    leading,
    main_groups,
    plan_of,
    told,
)
from protocols.reporting.groups import RunGroup
from protocols.reporting.model import RunEntry
from protocols.statistics.intervals import ratio

_NEEDED = ("conditions", "probe_views", "gallery_views", "rank1_hits", "trials")


def plan_views(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A heat map a condition for each test that tells several views apart, seeds summed.

    Args:
        runs: All runs.
    """
    for groups in main_groups(runs, *_NEEDED):
        group = leading(groups)
        cells = cells_of(group.record)
        if len(cells["probe_views"]) > 1 or len(cells["gallery_views"]) > 1:
            draw = partial(_draw, group)
            yield plan_of("views", "rank-1 by probe and gallery view", group.record, draw)


def _draw(group: RunGroup) -> Drawing:
    first = cells_of(group.record)
    names = [list(first[key]) for key in _NEEDED[:3]]
    shape = tuple(len(part) for part in names)
    hits, trials = np.zeros(shape), np.zeros(shape)
    for run in group.runs:
        cells = cells_of(run.record)
        if [list(cells[key]) for key in _NEEDED[:3]] != names:
            raise ValueError(f"{run.file} has other conditions or views than its other seeds.")
        hits += np.asarray(cells["rank1_hits"], dtype=np.float64)
        trials += np.asarray(cells["trials"], dtype=np.float64)
    caption = (
        f"Share of probes whose nearest gallery sample is the same person's, by probe view (rows) "
        f"and gallery view (columns), one matrix a condition; a cell of equal views is shown, and "
        f"left out of the protocol's means. {int(trials.max())} probes a cell at most. "
        f"{told(group)}."
    )
    return draw_view_heatmap(ratio(hits, trials), *names), caption
