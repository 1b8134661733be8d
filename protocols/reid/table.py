"""The table of a re-identification protocol: the measures of each pair, and their means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from protocols.ranking.distances import FloatArray, IntArray
from protocols.reid.pairs import Pair
from protocols.reid.rules import ReidRule
from protocols.statistics.intervals import mean_of_known, named_intervals, ratio

Level = Literal["sequence", "walk"]


@dataclass(frozen=True, eq=False)
class PairResult:
    """The results of one pair. Rates are 0..1.

    S probe people, Q measures.

    Attributes:
        pair: The pair.
        measures: Q names: rank1, rank5, rank10, mAP, mINP, as far as the rule reports them.
        people: S names of the people that are probes.
        sums: (S, Q) each measure summed over the probes of each person.
        trials: (S, Q) probes of each person that count for it.
        cmc: (depth,) rank-1 to rank-depth; NaN where no probe counts.
        chance: Expected rank-1 of a random pick; NaN where no probe counts.
        counts: probes, valid (with a mate that they may see), unmated, gallery, dropped.
    """

    pair: Pair
    measures: tuple[str, ...]
    people: tuple[str, ...]
    sums: FloatArray
    trials: FloatArray
    cmc: FloatArray
    chance: float
    counts: Mapping[str, int]

    @property
    def metrics(self) -> dict[str, float]:
        """The measures and ``chance`` by name; what is undefined is left out."""
        rates = ratio(self.sums.sum(axis=0), self.trials.sum(axis=0)).tolist()
        named = {**dict(zip(self.measures, rates, strict=True)), "chance": self.chance}
        return {name: rate for name, rate in named.items() if np.isfinite(rate)}


@dataclass(frozen=True, eq=False)
class ReidTable:
    """A finished table under one rule.

    Attributes:
        protocol: Name of the protocol.
        rule: The rule.
        metric: The distance that ranked, or ``given`` where scores did.
        level: ``sequence``, or ``walk`` where sequences were pooled.
        pairs: The pairs, in order.
        sample_counts: (N, 2) of every sequence (or walk) as probe, over the pairs: how often it is
            right at rank 1, and how often it counts.
        notes: Sentences to be read with the table.
    """

    protocol: str
    rule: ReidRule
    metric: str
    level: Level
    pairs: tuple[PairResult, ...]
    sample_counts: IntArray
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """Flat rates: ``rank1`` (the mean over the pairs that have it), ``rank1/C-N`` ..."""
        by_pair = [result.metrics for result in self.pairs]
        flat: dict[str, float] = {}
        for name in (*self.pairs[0].measures, "chance"):
            known = [rates[name] for rates in by_pair if name in rates]
            if known:
                flat[name] = float(np.mean(known))
            for result, rates in zip(self.pairs, by_pair, strict=True):
                if name in rates:
                    flat[f"{name}/{result.pair.name}"] = rates[name]
        return flat

    @property
    def counts(self) -> dict[str, int]:
        """Flat counts: ``probes`` (summed over the pairs), ``probes/C-N`` ..."""
        flat: dict[str, int] = {}
        for name in self.pairs[0].counts:
            flat[name] = sum(result.counts[name] for result in self.pairs)
        if len(self.pairs) > 1:
            for result in self.pairs:
                flat |= {f"{name}/{result.pair.name}": n for name, n in result.counts.items()}
        return flat

    def intervals(
        self, generator: np.random.Generator, draws: int = 2000
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals over people for every measure of every pair and their means.

        Probe people are drawn with replacement, each with all their sequences in all pairs (the
        sequences of one person are not independent); the gallery stays as it is. Where all people
        are alike they have the interval of
        :func:`protocols.statistics.intervals.widen_if_alike`.

        Args:
            generator: Draws the people.
            draws: Number of resamples.

        Returns:
            Low and high end by metric name; what is undefined is left out.
        """

        def rates(sums: FloatArray, trials: FloatArray) -> FloatArray:
            each = ratio(sums, trials)  # (B, pairs, Q)
            means = mean_of_known(np.moveaxis(each, 1, -1))
            return np.concatenate([means[:, None], each], axis=1).reshape(len(each), -1)

        sums, trials = self._by_person()
        marks = ["", *(f"/{result.pair.name}" for result in self.pairs)]
        tried = np.greater(trials, 0)  # (S, pairs, Q)
        by_pair = np.concatenate([np.any(tried, axis=1, keepdims=True), tried], axis=1)
        names = [f"{name}{mark}" for mark in marks for name in self.pairs[0].measures]
        people = by_pair.sum(axis=0).reshape(-1).tolist()
        return named_intervals(names, people, sums, trials, generator, rates, draws)

    def record_cells(self) -> dict[str, Any]:
        """The pairs as plain numbers, for a result record: measures, CMC, counts by person."""
        cells: dict[str, Any] = {
            "level": self.level,
            "metric": self.metric,
            "rule": self.rule.name,
            "pairs": {},
        }
        for result in self.pairs:
            people: dict[str, Any] = {
                "names": list(result.people),
                "trials": result.trials[:, 0].astype(int).tolist(),
                "rank1_hits": result.sums[:, 0].astype(int).tolist(),
            }
            if "mAP" in result.measures:
                # The rule may count other probes in mAP than in rank-1 (those without a mate).
                column = result.measures.index("mAP")
                people["mAP_trials"] = result.trials[:, column].astype(int).tolist()
                people["mAP_sums"] = np.round(result.sums[:, column], 4).tolist()
            cells["pairs"][result.pair.name] = {
                "metrics": result.metrics,
                "cmc": [round(rate, 6) for rate in result.cmc.tolist() if np.isfinite(rate)],
                "counts": dict(result.counts),
                "people": people,
            }
        return cells

    def _by_person(self) -> tuple[FloatArray, FloatArray]:
        """(S, pairs, Q) sums and trials of all people of all pairs."""
        names = sorted({name for result in self.pairs for name in result.people})
        places = {name: place for place, name in enumerate(names)}
        shape = (len(names), len(self.pairs), len(self.pairs[0].measures))
        sums, trials = np.zeros(shape), np.zeros(shape)
        for column, result in enumerate(self.pairs):
            rows = [places[name] for name in result.people]
            sums[rows, column], trials[rows, column] = result.sums, result.trials
        return sums, trials
