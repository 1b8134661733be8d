"""Accuracy against what it costs: parameters, operations, throughput."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from protocols.figures.inputs import as_numbers, as_rates
from protocols.figures.style import COLUMN_WIDTH, house_style, legend_below, new_axes, series_style


@dataclass(frozen=True)
class CostPoint:
    """A model.

    Attributes:
        name: of the model.
        cost: above 0, in the unit of the x axis.
        accuracy: rate 0..1.
        interval: low and high end of the accuracy, if known.
    """

    name: str
    cost: float
    accuracy: float
    interval: tuple[float, float] | None = None


@house_style()
def draw_cost(points: Sequence[CostPoint], *, label: str, measure: str = "top-1") -> Figure:
    """Draw accuracy against cost on a logarithmic axis, a colour and a marker a model.

    Args:
        points: the models.
        label: the x axis with its unit, such as ``parameters (millions)``.
        measure: what the accuracy is.

    Returns:
        One set of axes; the legend names the models, so that no name covers a point.

    Raises:
        ValueError: there is no point, a cost is not above 0, or an accuracy is no rate.
    """
    costs = as_numbers([point.cost for point in points], "Costs")
    rates = as_rates([point.accuracy for point in points], "Accuracies")
    if not (costs > 0).all() or np.isnan(rates).any():
        raise ValueError("Each model needs a cost above 0 and an accuracy.")
    figure, plot = new_axes(COLUMN_WIDTH, 2.6 + 0.08 * len(points))
    for place, point in enumerate(points):
        style = series_style(place)
        ends = as_rates(point.interval or (point.accuracy,) * 2, f"The interval of {point.name!r}")
        plot.errorbar(
            [point.cost],
            [100 * point.accuracy],
            yerr=[[100 * (point.accuracy - ends[0])], [100 * (ends[1] - point.accuracy)]],
            marker=style.marker,
            color=style.colour,
            linestyle="none",
            markersize=6,
            capsize=2 if point.interval else 0,
            label=point.name,
        )
    plot.set_xscale("log")
    plot.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    plot.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.set_xlabel(label)
    plot.set_ylabel(f"{measure} (%)")
    plot.margins(0.12)
    plot.grid(visible=True)
    legend_below(figure)
    return figure
