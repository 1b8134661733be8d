"""Probe view by gallery view: where recognition across views holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.inputs import as_rates, check_names
from protocols.figures.shaded_matrix import shade
from protocols.figures.style import COLUMN_WIDTH, PAGE_WIDTH, house_style, new_figure


@house_style()
def draw_view_heatmap(
    rates: npt.ArrayLike,
    conditions: Sequence[str],
    probe_views: Sequence[str],
    gallery_views: Sequence[str],
    *,
    measure: str = "rank-1",
) -> Figure:
    """Draw a rate for each pair of views, one matrix a condition, with the numbers.

    A record's ``cells`` hold ``rank1_hits`` and ``trials`` (C, P, G), whose quotient is asked for.

    Args:
        rates: (C, P, G) rates 0..1; a cell that does not exist is NaN and drawn hatched.
        conditions: C names.
        probe_views: P names, such as degrees.
        gallery_views: G names.
        measure: what the rates are.

    Returns:
        C sets of axes of one scale, which begins at the lowest rate rounded down to a multiple of
        ten percent, and those of the colour bar.

    Raises:
        ValueError: rates are not (C, P, G) in 0..1, all are NaN, or names do not fit them.
    """
    table = as_rates(rates, f"Rates {measure}", 3)
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
    figure.colorbar(image, ax=plots, shrink=0.8, label=f"{measure} (%)", pad=0.01, aspect=30)
    return figure
