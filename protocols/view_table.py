"""The table of a gait protocol: condition x probe view x gallery view, and what is read off it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.distances import FloatArray, IntArray
from protocols.exclusion import BoolArray
from protocols.gait_rules import TableRule
from protocols.statistics import bootstrap_interval
from protocols.view_counts import RANKS, Grid, ViewCounts


@dataclass(frozen=True, eq=False)
class GaitTable:
    """A finished table under one rule. Rates are 0..1; a cell that does not exist is NaN.

    Attributes:
        protocol: Name of the protocol.
        rule: The rule.
        metric: The distance that ranked.
        grid: Conditions, probe views and gallery views (``all`` where they are pooled).
        rank1: (C, P, G) rank-1, rounded where the rule rounds.
        probe_mean: (C, P) mean of rank-1 over the other gallery views.
        condition_mean: (C,) mean over probe views.
        headline: Mean over conditions.
        counts: Flat counts: probes, gallery, subjects, missing, unmated ...
        metrics: Flat rates by name: rank1, rank1/nm, rank5, mAP/nm, mINP, chance ...; what is
            undefined is left out.
        notes: Sentences that must stand beside the table.
        cells: The counts behind the table.
    """

    protocol: str
    rule: TableRule
    metric: str
    grid: Grid
    rank1: FloatArray
    probe_mean: FloatArray
    condition_mean: FloatArray
    headline: float
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    cells: ViewCounts

    @property
    def conditions(self) -> tuple[str, ...]:
        """C names of conditions."""
        return self.grid.conditions

    @property
    def views(self) -> tuple[str, ...]:
        """P probe views."""
        return self.grid.views

    @property
    def n_probe(self) -> IntArray:
        """(C, P) probes."""
        return self.cells.probes

    @property
    def n_gallery(self) -> IntArray:
        """(G,) gallery samples."""
        return self.cells.gallery

    @property
    def unmated(self) -> IntArray:
        """(C, P, G) probes without a mate in that gallery."""
        return self.cells.unmated

    def record_cells(self) -> dict[str, Any]:
        """The cells as plain lists of counts, for a result record."""
        return {
            "conditions": list(self.conditions),
            "probe_views": list(self.views),
            "gallery_views": list(self.grid.gallery_views),
            "axes": ["condition", "probe_view", "gallery_view"],
            "rank1_hits": self.cells.hits[0].tolist(),
            "trials": self.cells.trials.tolist(),
            "unmated": self.cells.unmated.tolist(),
            "probes": self.cells.probes.tolist(),
            "gallery": self.cells.gallery.tolist(),
        }

    def intervals(
        self, generator: np.random.Generator, draws: int = 2000, confidence: float = 0.95
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals over persons for ``rank1`` and each ``rank1/<condition>``.

        Probe persons are drawn with replacement, the gallery stays as it is; cells are exact
        whatever the rule rounds.

        Args:
            generator: Draws the persons.
            draws: Number of resamples.
            confidence: Coverage, 0..1.

        Returns:
            Low and high end by metric name; what is undefined is left out.
        """

        def means(hits: FloatArray, trials: FloatArray) -> FloatArray:
            by_condition = mean_over_views(_ratio(hits, trials), self.grid.same_view, "skip")[1]
            return np.concatenate([mean_of(by_condition, "skip")[..., None], by_condition], axis=-1)

        low, high = bootstrap_interval(
            self.cells.subject_hits,
            self.cells.subject_trials,
            generator,
            statistic=means,
            draws=draws,
            confidence=confidence,
        )
        names = ["rank1", *(f"rank1/{name}" for name in self.conditions)]
        return {
            name: (float(low[i]), float(high[i]))
            for i, name in enumerate(names)
            if np.isfinite(low[i]) and np.isfinite(high[i])
        }


def make_table(
    counts: ViewCounts,
    grid: Grid,
    rule: TableRule,
    *,
    protocol: str,
    metric: str,
    rounded: bool,
    totals: Mapping[str, int],
    notes: tuple[str, ...],
) -> GaitTable:
    """Divide and average counts under a rule.

    Args:
        counts: What was counted.
        grid: The cells.
        rule: How to make the table.
        protocol: Name of the protocol.
        metric: The distance that ranked.
        rounded: Whether these cells are ones that the rule rounds.
        totals: Flat counts.
        notes: Sentences known already.

    Returns:
        The table.
    """
    rates = _rates(counts, rule.cell_decimals if rounded else None)
    metrics: dict[str, float] = {}
    for name, cells in rates.items():
        by_condition = mean_over_views(cells, grid.same_view, rule.empty)[1]
        metrics[name] = float(mean_of(by_condition, rule.empty))
        for condition, value in zip(grid.conditions, by_condition, strict=True):
            metrics[f"{name}/{condition}"] = float(value)
    if rule.diagonal is not None:
        zeroed = grid.same_view & (rule.diagonal == "zero")
        metrics["accuracy_avg"] = float(np.where(zeroed, 0.0, rates["rank1"]).mean())
    undefined = [name for name, value in metrics.items() if not np.isfinite(value)]
    probe_mean, condition_mean = mean_over_views(rates["rank1"], grid.same_view, rule.empty)
    return GaitTable(
        protocol=protocol,
        rule=rule,
        metric=metric,
        grid=grid,
        rank1=rates["rank1"],
        probe_mean=probe_mean,
        condition_mean=condition_mean,
        headline=metrics["rank1"],
        counts=dict(totals),
        metrics={name: value for name, value in metrics.items() if name not in undefined},
        notes=notes + _note_undefined(undefined, rule),
        cells=counts,
    )


def _rates(counts: ViewCounts, decimals: int | None) -> dict[str, FloatArray]:
    """(C, P, G) rates of every measure, NaN where a cell does not exist."""
    rates = {
        f"rank{k}": _rounded(_ratio(counts.hits[i], counts.trials), decimals)
        for i, k in enumerate(RANKS)
    }
    for name, sums in (("mAP", counts.precision), ("mINP", counts.penalty)):
        if sums is not None:
            rates[name] = _rounded(_ratio(sums, counts.precision_trials), decimals)
    rates["chance"] = _ratio(counts.chance, counts.trials)
    return rates


def mean_over_views(
    cells: FloatArray, same_view: BoolArray, empty: str
) -> tuple[FloatArray, FloatArray]:
    """Average cells over the other gallery views, then over probe views.

    Args:
        cells: (..., P, G) rates, NaN where a cell does not exist.
        same_view: (P, G) identical views, left out.
        empty: ``skip`` averages over the cells that exist; ``spread`` lets NaN through.

    Returns:
        (..., P) and (...) means.
    """
    by_probe = mean_of(cells, empty, ~same_view)
    return by_probe, mean_of(by_probe, empty)


def mean_of(values: FloatArray, empty: str, counted: npt.ArrayLike = True) -> FloatArray:
    """Mean over the last axis of the counted values; NaN where nothing is left."""
    used = np.broadcast_to(np.asarray(counted, dtype=np.bool_), values.shape)
    if empty == "skip":
        used = used & np.isfinite(values)
    return _ratio(np.where(used, values, 0.0).sum(axis=-1), used.sum(axis=-1))


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> FloatArray:
    """Division with 0/0 = NaN, silently: an empty cell is told in the notes."""
    result: FloatArray = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _rounded(rates: FloatArray, decimals: int | None) -> FloatArray:
    """Rates rounded in percent."""
    return rates if decimals is None else np.round(rates * 100.0, decimals) / 100.0


def _note_undefined(names: list[str], rule: TableRule) -> tuple[str, ...]:
    """One sentence on the measures that have no value."""
    if not names:
        return ()
    why = (
        f"rule {rule.name} lets an empty cell spread to its means; rule exact averages the rest"
        if rule.empty == "spread"
        else "there is not a single probe with a gallery to be compared with"
    )
    return (f"No value for {', '.join(names)}: {why}.",)
