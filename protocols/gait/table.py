"""The table of a gait protocol: condition x probe view x gallery view, and what is read off it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.gait.counts import RANKS, Grid, ViewCounts
from protocols.gait.rules import TableRule
from protocols.ranking.distances import FloatArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.intervals import named_intervals, ratio


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
        people: S names of the probe persons, in the order of ``cells.subject_hits``; empty where
            they are not known.
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
    people: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """C names of conditions."""
        return self.grid.conditions

    @property
    def views(self) -> tuple[str, ...]:
        """P probe views."""
        return self.grid.views

    def record_cells(self) -> dict[str, Any]:
        """The cells as plain lists of counts, for a result record.

        ``people`` holds, for each person and condition, the rank-1 trials and hits of the cells
        that the means average, those of identical views left out; absent without names.
        """
        cells: dict[str, Any] = {
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
        if self.people:
            cells["people"] = self._by_person()
        return cells

    def _by_person(self) -> dict[str, Any]:
        """Names, and each person's trials and hits by condition."""
        counted = ~self.grid.same_view
        sums = [
            np.where(counted, part, 0).sum(axis=(2, 3))
            for part in (self.cells.subject_trials, self.cells.subject_hits)
        ]
        trials, hits = (
            {name: part[:, place].tolist() for place, name in enumerate(self.conditions)}
            for part in sums
        )
        return {"names": list(self.people), "trials": trials, "rank1_hits": hits}

    def intervals(
        self, generator: np.random.Generator, draws: int = 2000, confidence: float = 0.95
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals over persons for ``rank1`` and each ``rank1/<condition>``.

        Probe persons are drawn with replacement, the gallery stays as it is; cells are exact
        whatever the rule rounds. A rate of 0 or 1 has the interval of
        :func:`protocols.statistics.intervals.spread_at_end`, since every resample says the same.

        Args:
            generator: Draws the persons.
            draws: Number of resamples.
            confidence: Coverage, 0..1.

        Returns:
            Low and high end by metric name; what is undefined is left out.
        """

        def means(hits: FloatArray, trials: FloatArray) -> FloatArray:
            by_condition = mean_over_views(ratio(hits, trials), self.grid.same_view, "skip")[1]
            return np.concatenate([mean_of(by_condition, "skip")[..., None], by_condition], axis=-1)

        tried = np.where(~self.grid.same_view, self.cells.subject_trials, 0).sum(axis=(2, 3)) > 0
        return named_intervals(
            ["rank1", *(f"rank1/{name}" for name in self.conditions)],
            [tried.any(axis=1).sum(), *tried.sum(axis=0)],
            self.cells.subject_hits,
            self.cells.subject_trials,
            generator,
            means,
            draws=draws,
            confidence=confidence,
        )


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
    people: tuple[str, ...] = (),
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
        people: Names of the probe persons, in the order of the counts; empty where not known.

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
        people=people,
    )


def _rates(counts: ViewCounts, decimals: int | None) -> dict[str, FloatArray]:
    """(C, P, G) rates of every measure, NaN where a cell does not exist."""
    rates = {
        f"rank{k}": _rounded(ratio(counts.hits[i], counts.trials), decimals)
        for i, k in enumerate(RANKS)
    }
    for name, sums in (("mAP", counts.precision), ("mINP", counts.penalty)):
        if sums is not None:
            rates[name] = _rounded(ratio(sums, counts.precision_trials), decimals)
    rates["chance"] = ratio(counts.chance, counts.trials)
    return rates


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
    return ratio(np.where(used, values, 0.0).sum(axis=-1), used.sum(axis=-1))
