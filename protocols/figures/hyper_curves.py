"""Accuracy against the value of a setting, over seeds (Fig. 4 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.inputs import as_rates, check_names, shorten
from protocols.figures.style import (
    BLUE,
    COLUMN_WIDTH,
    GREY,
    PAGE_WIDTH,
    VERMILLION,
    house_style,
    legend_below,
    new_figure,
)
from protocols.ranking.distances import FloatArray


@dataclass(frozen=True, eq=False)
class HyperCurve:
    """One setting's curve.

    Attributes:
        setting: its name, for the x axis.
        values: W values in the order to show them, as text, such as ``0.1``.
        scores: (W, S) rates 0..1 of S seeds; NaN where a run is missing.
    """

    setting: str
    values: tuple[str, ...]
    scores: npt.ArrayLike


@house_style()
def draw_hyper_curves(
    curves: Sequence[HyperCurve],
    *,
    baseline: npt.ArrayLike | None = None,
    baseline_name: str = "baseline",
    measure: str = "top-1",
) -> Figure:
    """Draw a panel a setting: each seed, the mean over seeds and its standard deviation.

    Values stand at equal distances whatever their size, since settings such as 0, 0.1, a list or
    ``auto`` share an axis.

    Args:
        curves: the panels, four to a row at most.
        baseline: (S,) rates of a run without the setting, drawn as a dashed line with a band of
            one standard deviation.
        baseline_name: its name.
        measure: what the rates are.

    Returns:
        A set of axes a setting; all have the same y axis, in percent. Error bars are the
        standard deviation over seeds (n - 1), left out where a value has one seed.

    Raises:
        ValueError: there is no curve, or scores are no rates or do not fit the values.
    """
    if not curves:
        raise ValueError("At least one hyper-parameter curve must be given.")
    against = None if baseline is None else 100 * as_rates(baseline, f"Rates of {baseline_name}")
    across = min(len(curves), 4 if len(curves) % 3 else 3)
    down = -(-len(curves) // across)
    width = COLUMN_WIDTH if across == 1 else PAGE_WIDTH
    figure = new_figure(width, 0.5 + 2.1 * down)
    first: Axes | None = None
    for place, curve in enumerate(curves):
        plot = figure.add_subplot(down, across, place + 1, sharey=first)
        first = first or plot
        _draw_curve(plot, curve)
        if against is not None:
            _draw_baseline(plot, against, baseline_name)
        plot.set_xlabel(curve.setting)
        plot.grid(visible=True, axis="y")
        if place % across == 0:
            plot.set_ylabel(f"{measure} (%)")
        else:
            plot.tick_params(labelleft=False)
    legend_below(figure, columns=3)
    return figure


def spread_over_seeds(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each row over the seeds that it has.

    Returns:
        Means (W,), NaN in a row without a seed, and deviations (W,), NaN where fewer than two.

    >>> spread_over_seeds(np.array([[0.5, 0.7, np.nan]]))[0].round(3).tolist()
    [0.6]
    """
    known = ~np.isnan(scores)
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, scores, 0).sum(axis=1) / count
        squares = np.where(known, (scores - mean[:, None]) ** 2, 0).sum(axis=1)
        deviation = np.sqrt(squares / np.where(count > 1, count - 1, np.nan))
    return mean, deviation


def _draw_curve(plot: Axes, curve: HyperCurve) -> None:
    scores = 100 * as_rates(curve.scores, f"Rates by {curve.setting}", 2)
    labels = check_names(curve.values, len(scores), f"Values of {curve.setting}")
    mean, deviation = spread_over_seeds(scores)
    places = np.arange(len(mean), dtype=np.float64)
    several = scores.shape[1] > 1
    if several:
        plot.plot(
            np.repeat(places, scores.shape[1]),
            scores.ravel(),
            linestyle="none",
            marker="x",
            markersize=3,
            color=GREY,
            label="one seed",
        )
    name = "mean ± sd" if several else "one seed"
    plot.errorbar(places, mean, yerr=deviation, color=BLUE, marker="o", capsize=2.5, label=name)
    long = max(len(label) for label in labels) * len(labels) > 24
    shown = [shorten(label, 14) for label in labels]
    plot.set_xticks(places, shown, rotation=45 if long else 0, ha="right" if long else "center")
    plot.set_xlim(-0.4, len(mean) - 0.6)


def _draw_baseline(plot: Axes, rates: FloatArray, name: str) -> None:
    mean, deviation = (float(value[0]) for value in spread_over_seeds(rates[None]))
    plot.axhline(mean, color=VERMILLION, linestyle="--", linewidth=1.1, label=f"{name} {mean:.1f}")
    if not np.isnan(deviation):
        plot.axhspan(mean - deviation, mean + deviation, color=VERMILLION, alpha=0.12, linewidth=0)
