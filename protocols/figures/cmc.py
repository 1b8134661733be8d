"""Cumulative match characteristics of re-identification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_rates
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup
from protocols.labels import dataset_of
from protocols.ranking.distances import FloatArray
from protocols.records import BIOMETRICS

_LONG_NAME = 18
"""Longest name, in letters, that leaves room for a second one in the same row."""


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """Of each re-ID test: curves by objective, curves by pair of conditions.

    Gait records hold a few ranks and no curve.
    """
    for groups in pair_tests(runs):
        group = planning.leading(groups)
        record, rule = group.record, group.record.described_rule
        compared = planning.of_objectives(groups, group)
        if len(compared) > 1 or len(pairs_of(group)) == 1:
            draw = partial(_draw_objectives, compared)
            yield planning.plan_of("cmc", "CMC by objective", record, draw, f"objectives-{rule}")
        if len(pairs_of(group)) > 1:
            title, draw = "CMC by probe and gallery condition", partial(_draw_pairs, group)
            yield planning.plan_of("cmc", title, record, draw, f"pairs-{rule}")


def pair_tests(runs: Sequence[RunEntry]) -> tuple[tuple[RunGroup, ...], ...]:
    """The tests with results by pair of conditions, as groups of seeds."""
    return planning.main_groups([run for run in runs if pairs_of(run)])


def pairs_of(run: RunEntry | RunGroup) -> Mapping[str, Any]:
    """Results by pair of the record's own rule; none where it holds none."""
    main = run.cells.get("main", run.cells)
    pairs = main.get("pairs") if isinstance(main, Mapping) else None
    return pairs if isinstance(pairs, Mapping) and run.record.kind != BIOMETRICS else {}


def _curve(group: RunGroup, pair: str) -> FloatArray:
    """(R,) mean over the seeds."""
    curves = [np.asarray(pairs_of(run)[pair]["cmc"], dtype=np.float64) for run in group.runs]
    depth = min(len(curve) for curve in curves)
    return np.asarray(np.mean([curve[:depth] for curve in curves], axis=0))


def _draw_objectives(groups: Sequence[RunGroup]) -> Drawing:
    curves: dict[str, FloatArray] = {}
    for group in groups:
        parts = [_curve(group, pair) for pair in pairs_of(group)]
        depth = min(len(part) for part in parts)
        name = _short(group.label, curves)
        curves[name] = np.mean([part[:depth] for part in parts], axis=0)
    record = groups[0].record
    runs = [(group.label, group.runs) for group in groups]
    seeds = "; ".join(
        f"{label} {planning.describe_seeds(own)}, {planning.describe_files(own)}"
        for label, own in runs
    )
    caption = (
        f"Share of probes whose person is among the k nearest, on {dataset_of(record.dataset)}, "
        f"protocol {record.protocol} ({record.described_rule}), mean over the pairs "
        f"{', '.join(pairs_of(groups[0]))} and over seeds; in brackets rank-1. {seeds}."
    )
    return draw_cmc(curves), caption


def _short(label: str, taken: Mapping[str, FloatArray]) -> str:
    """A label up to its first setting, where that is still unique."""
    short = ", ".join(label.split(", ")[:2])
    return label if short in taken else short


def _draw_pairs(group: RunGroup) -> Drawing:
    curves = {pair: _curve(group, pair) for pair in pairs_of(group)}
    caption = (
        "Share of probes whose person is among the k nearest, by probe and gallery condition, mean "
        f"over seeds; in brackets rank-1. {planning.describe(group)}."
    )
    return draw_cmc(curves), caption


@style.house_style()
def draw_cmc(curves: Mapping[str, npt.ArrayLike]) -> Figure:
    """Draw several CMC curves.

    Args:
        curves: (R,) rates 0..1 at ranks 1 to R, by name; lengths may differ, NaN leaves a gap.

    Returns:
        One set of axes, a line a curve in percent; the legend has rank-1.

    Raises:
        ValueError: there is no curve, or one holds no rate.
    """
    if not curves:
        raise ValueError("At least one CMC curve must be given.")
    figure, plot = style.new_axes(style.COLUMN_WIDTH, 2.8)
    for place, (name, values) in enumerate(curves.items()):
        rates = 100 * as_rates(values, f"CMC {name!r}")
        look = style.series_style(place)
        plot.plot(
            np.arange(1, len(rates) + 1),
            rates,
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
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
    style.legend_below(figure, columns=1 if wide else 2)
    return figure
