"""Accuracy against the values of settings, over seeds (Fig. 4 of the paper)."""

from __future__ import annotations

import json
import statistics
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import getitem

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_rates, check_names, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup, flat_settings
from protocols.labels import BASELINE, dataset_of, objective_label
from protocols.ranking.distances import FloatArray
from protocols.records import ResultRecord

_SYMBOLS = {
    "objective.overlap": "$n_a$",
    "objective.inter_weight": "$\\lambda_1$",
    "objective.intra_weight": "$\\lambda_2$",
    "objective.margin": "$\\epsilon$",
}
"""The paper's symbols of settings."""

Place = tuple[str, str, str, str | None, str, str]
"""Fingerprint of the data, protocol, rule, fold, streams, the training before."""


@dataclass(frozen=True)
class _Sweep:
    """Runs that differ in one setting and the seed.

    Attributes:
        setting: Its dotted name.
        rest: The other settings of the first run, by dotted name, as text.
        runs: The runs.
    """

    setting: str
    rest: Mapping[str, str]
    runs: list[RunEntry]


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a data set whose settings were swept (``aclnet-task action sweep``)."""
    swept: dict[Place, list[_Sweep]] = {}
    for run in runs:
        record = run.record
        if record.kind == "sweep" and "top1" in record.metrics:
            _add(swept.setdefault(_place(record), []), record.variant, run)
    for place, curves in swept.items():
        baseline = _like(runs, place, BASELINE)
        first = curves[0].runs[0].record
        draw = partial(_draw, curves, baseline, _like(runs, place, first.objective))
        yield planning.plan_of("settings", "accuracy by the value of a setting", first, draw)


def _place(record: ResultRecord) -> Place:
    data = record.dataset.fingerprint
    return (data, record.protocol, record.rule, record.fold, record.stream, record.initial)


def _add(curves: list[_Sweep], setting: str, run: RunEntry) -> None:
    """Add a run to its sweep, or begin one.

    Only settings that both records have are compared, as a later version may have more.
    """
    rest = _without(run.record, setting)
    for curve in curves:
        both = curve.rest.keys() & rest.keys()
        if curve.setting == setting and all(curve.rest[name] == rest[name] for name in both):
            curve.runs.append(run)
            return
    curves.append(_Sweep(setting, rest, [run]))


def _draw(curves: Sequence[_Sweep], baseline: RunGroup | None, own: RunGroup | None) -> Drawing:
    shown = [_curve(curve.setting, curve.runs) for curve in curves]
    members = [run for curve in curves for run in curve.runs]
    record = members[0].record
    rates = None if baseline is None else [run.record.metrics["top1"] for run in baseline.runs]
    name = objective_label(BASELINE)
    figure = draw_hyper_curves(shown, baseline=rates, baseline_name=name)
    seeds = sorted({str(run.record.seed) for run in members})
    text = (
        f"Top-1 of {objective_label(record.objective)} on {dataset_of(record.dataset)}, protocol "
        f"{record.protocol} ({record.rule}), streams {record.stream}, one "
        f"setting changed at a time, seed{'' if len(seeds) == 1 else 's'} {', '.join(seeds)}; "
        f"values are equally spaced. {planning.describe_files(members).capitalize()}."
    )
    if baseline is not None:
        seeds_used = planning.describe_seeds(baseline.runs)
        text += f" Dashed: {name}, mean of {seeds_used}, band one standard deviation."
    if own is not None and len(own.runs) > 1:
        spread = 100 * statistics.stdev(run.record.metrics["top1"] for run in own.runs)
        text += (
            f" Over {len(own.runs)} seeds of the unchanged recipe top-1 has a standard deviation "
            f"of {spread:.1f} points: differences of this size can be due to chance."
        )
    return figure, text


def _curve(setting: str, members: Sequence[RunEntry]) -> HyperCurve:
    """The rates by value and seed; values in increasing order where they are numbers."""
    rates: dict[str, dict[object, float]] = {}
    numbers: dict[str, float] = {}
    for run in members:
        value = reduce(getitem, setting.split("."), run.record.settings)
        text = f"{value:g}" if isinstance(value, int | float) else json.dumps(value)
        numbers[text] = float(value) if isinstance(value, int | float) else float("inf")
        rates.setdefault(text, {})[run.record.seed] = run.record.metrics["top1"]
    seeds = list(dict.fromkeys(run.record.seed for run in members))
    values = sorted(rates, key=lambda text: numbers[text])
    scores = [[rates[value].get(seed, np.nan) for seed in seeds] for value in values]
    short = setting.rpartition(".")[2]
    symbol = _SYMBOLS.get(setting)
    return HyperCurve(f"{short} ({symbol})" if symbol else short, tuple(values), scores)


def _without(record: ResultRecord, setting: str) -> dict[str, str]:
    """All settings but one, the seed and the place of the data, by dotted name, as text."""
    left_out = {setting, "train.seed", "data.path"}
    flat = flat_settings(record.settings)
    return {name: text for name, text in flat.items() if name not in left_out}


def _like(runs: Sequence[RunEntry], place: Place, objective: str) -> RunGroup | None:
    """The unchanged runs of an objective on the same data, rule and streams; most seeds first."""
    groups = [
        group
        for groups in planning.main_groups(
            [run for run in runs if run.record.objective == objective]
        )
        for group in groups
        if _place(group.record) == place and "top1" in group.record.metrics
    ]
    return max(groups, key=lambda group: len(group.runs), default=None)


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


@style.house_style()
def draw_hyper_curves(
    curves: Sequence[HyperCurve], *, baseline: npt.ArrayLike | None = None, baseline_name: str
) -> Figure:
    """Draw a panel a setting: each seed, the mean over seeds and its standard deviation.

    Values are equally spaced whatever their size, since settings such as 0, 0.1, a list or ``auto``
    share an axis.

    Args:
        curves: the panels, four to a row at most.
        baseline: (S,) rates of a run without the setting, drawn as a dashed line with a band of
            one standard deviation.
        baseline_name: its name.

    Returns:
        A set of axes a setting; all have the same y axis, in percent. Error bars are the
        standard deviation over seeds (n - 1), left out where a value has one seed.

    Raises:
        ValueError: there is no curve, or scores are not rates or do not fit the values.
    """
    if not curves:
        raise ValueError("At least one hyper-parameter curve must be given.")
    against = None if baseline is None else 100 * as_rates(baseline, f"Rates of {baseline_name}")
    across = min(len(curves), 4 if len(curves) % 3 else 3)
    down = -(-len(curves) // across)
    width = style.COLUMN_WIDTH if across == 1 else style.PAGE_WIDTH
    figure = style.new_figure(width, 0.5 + 2.1 * down)
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
            plot.set_ylabel("top-1 (%)")
        else:
            plot.tick_params(labelleft=False)
    style.legend_below(figure, columns=3)
    return figure


def spread_over_seeds(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each row over the seeds that it has.

    Returns:
        Means (W,), NaN in a row without a seed, and deviations (W,), NaN where fewer than two.

    >>> spread_over_seeds(np.array([[0.5, 0.7, np.nan]]))[0].round(3).tolist()
    [0.6]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows without enough seeds
        return np.nanmean(scores, axis=1), np.nanstd(scores, axis=1, ddof=1)


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
            color=style.GREY,
            label="one seed",
        )
    name = "mean ± sd" if several else "one seed"
    plot.errorbar(
        places, mean, yerr=deviation, color=style.BLUE, marker="o", capsize=2.5, label=name
    )
    long = max(len(label) for label in labels) * len(labels) > 24
    shown = [shorten(label, 14) for label in labels]
    plot.set_xticks(places, shown, rotation=45 if long else 0, ha="right" if long else "center")
    plot.set_xlim(-0.4, len(mean) - 0.6)


def _draw_baseline(plot: Axes, rates: FloatArray, name: str) -> None:
    mean, deviation = (float(value[0]) for value in spread_over_seeds(rates[None]))
    plot.axhline(
        mean, color=style.VERMILLION, linestyle="--", linewidth=1.1, label=f"{name} {mean:.1f}"
    )
    if not np.isnan(deviation):
        plot.axhspan(
            mean - deviation, mean + deviation, color=style.VERMILLION, alpha=0.12, linewidth=0
        )
