"""The table of a gait protocol: condition x probe view x gallery view, and its means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.gait.counts import Grid, ViewCounts
from protocols.gait.rules import TableRule
from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.intervals import named_intervals, ratio


@dataclass(frozen=True, eq=False)
class GaitTable:
    """A finished table under one rule. Rates are 0..1; a cell that does not exist is NaN.

    Attributes:
        protocol: Name of the protocol.
        rule: The rule.
        metric: The distance that ranked, or ``given`` where scores did.
        grid: Conditions, probe views and gallery views (``all`` where they are pooled).
        rank1: (C, P, G) rank-1, rounded where the rule rounds.
        counts: Flat counts: probes, gallery, subjects, missing, unmated ...
        metrics: Flat rates by name: rank1, rank1/nm, rank5, mAP/nm, mINP, chance ...; what is
            undefined is left out.
        notes: Sentences to be read with the table.
        cells: The counts behind the table.
        people: S names of the probe persons, in the order of ``cells.subject_hits``.
        sample_counts: (N, 2) of every sample as probe: comparisons in which it is right at rank 1,
            and all that the means average.
        measures: What the protocol reports: rank1, rank5 ...
        headline: The condition that stands for all; empty for the mean over conditions.
        rerank: k1, k2 and weight of re-ranking; None where there was none.
    """

    protocol: str
    rule: TableRule
    metric: str
    grid: Grid
    rank1: FloatArray
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    cells: ViewCounts
    people: tuple[str, ...]
    sample_counts: IntArray
    measures: tuple[str, ...]
    headline: str = ""
    rerank: tuple[int, int, float] | None = None

    @property
    def conditions(self) -> tuple[str, ...]:
        """C names of conditions."""
        return self.grid.conditions

    @property
    def views(self) -> tuple[str, ...]:
        """P probe views."""
        return self.grid.views

    @property
    def probe_mean(self) -> FloatArray:
        """(C, P) mean of rank-1 over the other gallery views."""
        return mean_over_views(self.rank1, self.grid.same_view, self.rule.empty)[0]

    @property
    def gallery_mean(self) -> FloatArray:
        """(C, G) mean of rank-1 over the other probe views: the margin below a matrix of views."""
        by_gallery = np.swapaxes(self.rank1, 1, 2)
        return mean_over_views(by_gallery, self.grid.same_view.T, self.rule.empty)[0]

    def record_cells(self) -> dict[str, Any]:
        """The cells as plain lists of counts, for a result record.

        ``people`` holds, for each person and condition, the rank-1 trials and hits of the cells
        that the means average; of all conditions or, where one stands for all, of that one.
        """
        counted = ~self.grid.same_view
        trials, hits = (
            np.where(counted, part, 0).sum(axis=(2, 3))
            for part in (self.cells.subject_trials, self.cells.subject_hits)
        )
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
            "people": {
                "names": list(self.people),
                "trials": self._of_headline(trials),
                "rank1_hits": self._of_headline(hits),
            },
        }

    def _of_headline(self, counts: IntArray) -> dict[str, list[int]]:
        """(S, C) counts by condition, of those that the overall rate is made of."""
        by_condition = dict(zip(self.conditions, counts.T.tolist(), strict=True))
        names = [self.headline] if self.headline else self.conditions
        return {name: by_condition[name] for name in names}

    def intervals(
        self, generator: np.random.Generator, draws: int = 2000
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals over persons for ``rank1`` and each ``rank1/<condition>``.

        Probe persons are drawn with replacement, the gallery stays as it is; cells are exact
        whatever the rule rounds. Where all persons are alike they have the interval of
        :func:`protocols.statistics.intervals.widen_if_alike`.

        Args:
            generator: Draws the persons.
            draws: Number of resamples.

        Returns:
            Low and high end by metric name; what is undefined is left out.
        """

        def means(hits: FloatArray, trials: FloatArray) -> FloatArray:
            by_condition = mean_over_views(ratio(hits, trials), self.grid.same_view, "skip")[1]
            overall = headline_of(by_condition, self.conditions, self.headline, "skip")
            return np.concatenate([overall[..., None], by_condition], axis=-1)

        hits, trials = self.cells.subject_hits, self.cells.subject_trials
        tried = np.where(~self.grid.same_view, trials, 0).sum(axis=(2, 3)) > 0
        names = ["rank1", *(f"rank1/{name}" for name in self.conditions)]
        overall = tried.any(axis=1)
        if self.headline:
            overall = tried[:, self.conditions.index(self.headline)]
        people = [overall.sum(), *tried.sum(axis=0)]
        return named_intervals(names, people, hits, trials, generator, means, draws)


def cell_rates(
    counts: ViewCounts, ranks: Sequence[int], decimals: int | None
) -> dict[str, FloatArray]:
    """Divide counts.

    Args:
        counts: Counts and sums by cell.
        ranks: The ranks that were counted.
        decimals: Decimals of a rate in percent; None keeps it exact.

    Returns:
        (C, P, G) rates of every measure by name, NaN where a cell does not exist.
    """
    rates = {
        f"rank{k}": _rounded(ratio(counts.hits[i], counts.trials), decimals)
        for i, k in enumerate(ranks)
    }
    for name, sums in (("mAP", counts.precision), ("mINP", counts.penalty)):
        rates[name] = _rounded(ratio(sums, counts.precision_trials), decimals)
    rates["chance"] = ratio(counts.chance, counts.trials)
    return rates


def _rounded(rates: FloatArray, decimals: int | None) -> FloatArray:
    """Rates rounded in percent."""
    return rates if decimals is None else np.round(rates * 100.0, decimals) / 100.0


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


def headline_of(
    by_condition: FloatArray, conditions: Sequence[str], headline: str, empty: str
) -> FloatArray:
    """(...) the mean of (..., C) rates over conditions, or the rate of the headline's condition."""
    if headline in conditions:
        return np.asarray(by_condition[..., conditions.index(headline)])
    return mean_of(by_condition, empty)


def mean_of(values: FloatArray, empty: str, counted: npt.ArrayLike = True) -> FloatArray:
    """Mean over the last axis of the counted values; NaN where nothing is left."""
    used = np.broadcast_to(np.asarray(counted, dtype=np.bool_), values.shape)
    if empty == "skip":
        used = used & np.isfinite(values)
    return ratio(np.where(used, values, 0.0).sum(axis=-1), used.sum(axis=-1))
