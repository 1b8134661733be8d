"""Cumulative match characteristic: how often the right person is among the first k."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocols.figures.inputs import as_rates
from protocols.figures.style import COLUMN_WIDTH, house_style, legend_below, new_axes, series_style

_LONG_NAME = 18
"""Letters of a name beside which no other has room."""


@house_style()
def draw_cmc(curves: Mapping[str, npt.ArrayLike], *, depth: int | None = None) -> Figure:
    """Draw several CMC curves.

    Args:
        curves: (R,) rates 0..1 at ranks 1 to R, by name; lengths may differ, NaN leaves a gap.
        depth: ranks to show at most; all of the longest curve by default.

    Returns:
        One set of axes, a line a curve in percent; the legend tells rank-1.

    Raises:
        ValueError: there is no curve, one holds no rate, or ``depth`` is below 1.
    """
    if not curves:
        raise ValueError("At least one CMC curve must be given.")
    if depth is not None and depth < 1:
        raise ValueError(f"A CMC shows at least one rank, not {depth}.")
    figure, plot = new_axes(COLUMN_WIDTH, 2.8)
    for place, (name, values) in enumerate(curves.items()):
        rates = 100 * as_rates(values, f"CMC {name!r}")[:depth]
        style = series_style(place)
        plot.plot(
            np.arange(1, len(rates) + 1),
            rates,
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markevery=max(1, len(rates) // 10),
            label=name if np.isnan(rates[0]) else f"{name} ({rates[0]:.1f})",
        )
    plot.set_xlabel("rank k")
    plot.set_ylabel("identified within rank k (%)")
    plot.set_ylim(top=101)
    longest = max(np.size(line.get_xdata()) for line in plot.lines)
    inner = MaxNLocator(nbins=5, integer=True).tick_values(1, longest)
    # Rank 1 is what most readers look for.
    plot.set_xticks([1, *(tick for tick in inner if 1 < tick <= longest)])
    plot.grid(visible=True)
    # Two long names side by side would run out of the column.
    wide = max(len(name) for name in curves) > _LONG_NAME
    legend_below(figure, columns=1 if wide else 2)
    return figure
