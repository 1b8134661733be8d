"""Rank-1 by probe view and gallery view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.drawing import planning
from protocols.figures.drawing.inputs import as_rates, check_names
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.figures.drawing.shaded_matrix import shade
from protocols.figures.drawing.style import COLUMN_WIDTH, PAGE_WIDTH, house_style, new_figure
from protocols.groups import RunEntry, RunGroup
from protocols.statistics.intervals import ratio

_NAMES = ("conditions", "probe_views", "gallery_views")


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A heat map a condition for each test with several views, seeds summed."""
    for groups in planning.main_groups(runs, *_NAMES, "rank1_hits", "trials"):
        group = planning.leading(groups)
        cells = group.cells
        if len(cells["probe_views"]) > 1 or len(cells["gallery_views"]) > 1:
            draw = partial(_draw, group)
            yield planning.plan_of("views", "rank-1 by probe and gallery view", group.record, draw)


def _draw(group: RunGroup) -> Drawing:
    (hits, trials), names = planning.summed_cells(group, _NAMES, "rank1_hits", "trials")
    caption = (
        "Share of probes whose nearest gallery sample is the same person's, by probe view (rows) "
        "and gallery view (columns), one matrix per condition; cells of equal views are shown but "
        f"do not count in the protocol's means. At most {int(trials.max())} probes per cell. "
        f"{planning.describe(group)}."
    )
    return draw_view_heatmap(ratio(hits, trials), *names), caption


@house_style()
def draw_view_heatmap(
    rates: npt.ArrayLike,
    conditions: Sequence[str],
    probe_views: Sequence[str],
    gallery_views: Sequence[str],
) -> Figure:
    """Draw rank-1 for each pair of views, one matrix a condition, with the numbers.

    Args:
        rates: (C, P, G) rates 0..1; a cell that does not exist is NaN and drawn hatched.
        conditions: C names.
        probe_views: P names, such as degrees.
        gallery_views: G names.

    Returns:
        C sets of axes of one scale, which begins at the lowest rate rounded down to a multiple of
        ten percent, and those of the colour bar.

    Raises:
        ValueError: rates are not (C, P, G) in 0..1, all are NaN, or names do not fit them.
    """
    table = as_rates(rates, "Rank-1 rates", 3)
    names = check_names(conditions, table.shape[0], "Conditions")
    probes = check_names(probe_views, table.shape[1], "Probe views")
    galleries = check_names(gallery_views, table.shape[2], "Gallery views")
    low = min(np.floor(10 * float(np.nanmin(table)) + 1e-9) / 10, 0.9)
    # Side by side while a cell stays wide enough for its number.
    across = max(1, min(len(names), 33 // max(len(galleries), 4)))
    down = -(-len(names) // across)
    width = PAGE_WIDTH if across > 1 else COLUMN_WIDTH
    side = (width - 1.1) / across - 0.1
    figure = new_figure(width, min(0.1 + down * (0.8 + side * len(probes) / len(galleries)), 9.0))
    plots = [figure.add_subplot(down, across, place + 1) for place in range(len(names))]
    for place, (plot, name) in enumerate(zip(plots, names, strict=True)):
        image = shade(plot, table[place], low=low, numbers=True)
        plot.set_title(name)
        plot.set_xticks(range(len(galleries)), galleries, rotation=90 if len(galleries) > 6 else 0)
        plot.set_yticks(range(len(probes)), probes)
        plot.tick_params(labelleft=place % across == 0)
        plot.set_xlabel("gallery view")
        if place % across == 0:
            plot.set_ylabel("probe view")
    figure.colorbar(image, ax=plots, shrink=0.8, label="rank-1 (%)", pad=0.01, aspect=30)
    return figure
