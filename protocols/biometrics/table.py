"""The biometric measures of one set of embeddings, with their intervals and cells for a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.biometrics.open_set_table import OpenSetTable
from protocols.biometrics.people_errors import PeopleErrors, crossing_rates, fnmr_at
from protocols.biometrics.tally import POOLED, ScoreTally, metric_mark
from protocols.biometrics.thresholds import AppliedThreshold
from protocols.biometrics.verification import error_curve
from protocols.ranking.distances import FloatArray
from protocols.statistics.intervals import percentiles, widen_if_alike, wilson_interval

_HISTOGRAM_BINS = 60


@dataclass(frozen=True, eq=False)
class BiometricsTable:
    """Biometric measures. Rates are 0..1.

    Attributes:
        protocol: Name of the protocol.
        metric: ``cosine`` or ``euclidean``.
        conditions: C names of conditions.
        views: Names of probe views; empty where there is only one.
        targets: False match rates at which thresholds are chosen.
        metrics: Flat metrics by name, over all conditions (``eer``) and by condition (``eer/nm``);
            those that are undefined, or need more comparisons, are left out.
        counts: Flat counts: genuine, impostor, probes, gallery, missing, not_acquired ...
        notes: Sentences to be read with the metrics.
        tallies: Scores by value, by condition and under ``all``; complete ones only.
        applied: Thresholds chosen elsewhere, with their error rates here.
        errors: Errors by people, whose cells are ``conditions``.
        people: Names of the people that ``errors`` counts; empty where they are groups.
        open_set: Open-set rates; None where fewer than two people are enrolled.
        by_view: EER and comparisons by condition and probe view, as rows for a record.
        resolution: Step of the scores; 0 where they are exact.
    """

    protocol: str
    metric: str
    conditions: tuple[str, ...]
    views: tuple[str, ...]
    targets: tuple[float, ...]
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    tallies: Mapping[str, ScoreTally]
    applied: tuple[AppliedThreshold, ...]
    errors: PeopleErrors
    people: tuple[str, ...]
    open_set: OpenSetTable | None
    by_view: tuple[Mapping[str, Any], ...]
    resolution: float

    def intervals(
        self, generator: np.random.Generator, draws: int = 2000
    ) -> dict[str, tuple[float, float]]:
        """Intervals of the rates among ``metrics``.

        EER, FNMR and FMR: people are drawn with replacement, on both sides of a comparison
        (:mod:`protocols.biometrics.people_errors`); under a target FMR the threshold is chosen
        again in each draw, and one chosen elsewhere stays as it is. DIR and FNIR: people are
        drawn, with the thresholds of each rotation as they are. Failure to acquire: Wilson. AUC and
        d' have none.

        Args:
            generator: Draws the people.
            draws: Number of resamples.

        Returns:
            Low and high end by metric name.
        """
        found: dict[str, tuple[float, float]] = {}
        for name, tally in self.tallies.items():
            cells = [self.conditions.index(name)] if name != POOLED else range(len(self.conditions))
            errors = self.errors.pooled(list(cells))
            fmr, fnmr = errors.resampled(generator, draws)
            values = self._resampled(fmr, fnmr, name, 0.5 / tally.n_impostor)
            people = int(np.count_nonzero(errors.genuine[0]))
            for key, drawn in values.items():
                if key in self.metrics:
                    found[key] = widen_if_alike(percentiles(drawn), self.metrics[key], people)
        if self.open_set is not None:
            found |= self.open_set.intervals(generator, draws)
        found |= self._acquisition(found)
        return {key: ends for key, ends in found.items() if np.isfinite(ends).all()}

    def _resampled(
        self, fmr: FloatArray, fnmr: FloatArray, condition: str, least: float
    ) -> dict[str, FloatArray]:
        """Resampled values of each metric of one condition."""
        mark = metric_mark(condition)
        values = {f"eer{mark}": crossing_rates(fmr, fnmr)}
        for target in self.targets:
            values[f"fnmr@fmr{target:g}{mark}"] = fnmr_at(fmr, fnmr, target, least)
        for applied in self.applied:
            if applied.condition == condition and np.isfinite(applied.value):
                place = int(np.searchsorted(self.errors.thresholds, applied.value))
                values[applied.metric("fmr")] = fmr[:, place]
                values[applied.metric("fnmr")] = fnmr[:, place]
        return values

    def _acquisition(
        self, known: Mapping[str, tuple[float, float]]
    ) -> dict[str, tuple[float, float]]:
        """Intervals of failure to acquire, and of FRR with that share held as it is."""
        found: dict[str, tuple[float, float]] = {}
        for name in [key for key in self.metrics if key.split("/")[0] == "fta"]:
            mark = name.removeprefix("fta")
            failed, made = self.counts[f"not_acquired{mark}"], self.counts[f"probes{mark}"]
            low, high = wilson_interval(failed, failed + made)
            found[name] = (float(low), float(high))
            fta = self.metrics[name]
            for target in self.targets:
                ends = known.get(f"fnmr@fmr{target:g}{mark}")
                if ends is not None:
                    moved = [fta + (1.0 - fta) * end for end in ends]
                    found[f"frr@fmr{target:g}{mark}"] = (moved[0], moved[1])
        return found

    def record_cells(self) -> dict[str, Any]:
        """Curves and tables as plain lists, for a result record.

        DET curves are thinned to 200 points; a threshold of infinity is None.
        """
        cells: dict[str, Any] = {
            "conditions": list(self.conditions),
            "views": list(self.views),
            "targets": list(self.targets),
            "resolution": self.resolution,
            "det": {name: _det(tally) for name, tally in self.tallies.items()},
            "histogram": {name: _histogram(tally) for name, tally in self.tallies.items()},
            "by_view": [dict(row) for row in self.by_view],
            "thresholds": [_applied_row(applied) for applied in self.applied],
        }
        if self.people:
            cells["people"] = self._people()
        if self.open_set is not None:
            cells["open_set"] = self.open_set.record_cells()
        return cells

    def _people(self) -> dict[str, Any]:
        """Errors of each person at the threshold of the middle target that has one."""
        known = [t for t in self.targets if f"threshold@fmr{t:g}" in self.metrics]
        if not known:
            return {}
        target = known[len(known) // 2]
        pooled = self.errors.pooled(range(len(self.conditions)))
        threshold = self.metrics[f"threshold@fmr{target:g}"]
        place = int(np.searchsorted(self.errors.thresholds, threshold))
        return {
            "target": target,
            "names": list(self.people),
            "genuine": pooled.genuine[0].tolist(),
            "false_non_matches": pooled.missed[0, :, place].tolist(),
            "impostor": pooled.impostor[0].sum(axis=1).tolist(),
            "false_matches": pooled.matched[0, :, :, place].sum(axis=1).tolist(),
        }


def _det(tally: ScoreTally) -> dict[str, Any]:
    """A thinned DET curve."""
    curve = error_curve(tally).thinned()
    return {
        "fmr": [float(f"{rate:.6g}") for rate in curve.fmr],
        "fnmr": [float(f"{rate:.6g}") for rate in curve.fnmr],
        "threshold": [
            float(f"{value:.7g}") if np.isfinite(value) else None for value in curve.threshold
        ],
        "genuine": curve.genuine,
        "impostor": curve.impostor,
    }


def _histogram(tally: ScoreTally) -> dict[str, Any]:
    """Both kinds of score in equal bins from the lowest to the highest score."""
    edges = np.histogram_bin_edges(tally.values, _HISTOGRAM_BINS)
    counts = [
        np.histogram(tally.values, edges, weights=side)[0].astype(np.int64).tolist()
        for side in (tally.genuine, tally.impostor)
    ]
    rounded = [float(f"{edge:.6g}") for edge in edges]
    return {"edges": rounded, "genuine": counts[0], "impostor": counts[1]}


def _applied_row(applied: AppliedThreshold) -> dict[str, Any]:
    """A threshold chosen elsewhere, for a record."""
    point = applied.point
    return {
        "source": applied.source,
        "target": applied.target,
        "threshold": applied.value if np.isfinite(applied.value) else None,
        "achieved_there": applied.achieved,
        "condition": applied.condition,
        "fmr": point.fmr,
        "fnmr": point.fnmr,
        "false_matches": point.false_matches,
        "false_non_matches": point.false_non_matches,
        "genuine": applied.genuine,
        "impostor": applied.impostor,
    }
