"""The table of a classification: accuracies with their intervals, confusion, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.intervals import (
    mean_of_known,
    named_intervals,
    ratio,
    sum_by_person,
    wilson_interval,
)
from protocols.statistics.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class ClassTable:
    """A finished classification. Rates are 0..1.

    Attributes:
        protocol: Name of the protocol.
        outcomes: The N samples of known label with their predictions, in the order of their keys.
        in_top5: (N,) whether the label is among the five best classes; None where K <= 5.
        confusion: (K, K) int64 counts, rows true, columns predicted.
        counts: Flat counts: test, unlabelled, classes, untested_classes, subjects, test/<subset>.
        metrics: Flat rates by name: top1, top5, mean_class, top1/<subset>, majority, chance.
        notes: Sentences to be read with the table.
    """

    protocol: str
    outcomes: Outcomes
    in_top5: BoolArray | None
    confusion: IntArray
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """K class names."""
        return tuple(self.outcomes.classes.tolist())

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the parts of the test set, by the alphabet."""
        return tuple(sorted(set(self.outcomes.subset.tolist()) - {""}))

    @property
    def tested(self) -> IntArray:
        """(K,) samples of each class."""
        return np.asarray(self.confusion.sum(axis=1))

    @property
    def correct(self) -> IntArray:
        """(K,) recognised samples of each class."""
        return np.asarray(np.diagonal(self.confusion))

    def record_cells(self) -> dict[str, Any]:
        """Counts, confusion and outcomes as plain lists, for a result record.

        ``confusion`` lists [true, predicted, count] of the cells that are not 0. ``outcomes`` is
        None above 20,000 samples (:mod:`protocols.statistics.outcomes`).
        """
        rows, columns = np.nonzero(self.confusion)
        cells = np.stack([rows, columns, self.confusion[rows, columns]], axis=1)
        return {
            "classes": list(self.classes),
            "tested": self.tested.tolist(),
            "correct": self.correct.tolist(),
            "axes": ["true", "predicted", "count"],
            "confusion": cells.tolist(),
            "outcomes": self.outcomes.to_cells(),
        }

    def intervals(
        self, generator: np.random.Generator, draws: int = 2000
    ) -> dict[str, tuple[float, float]]:
        """Intervals for top1, top5, mean_class and each top1/<subset>.

        With two persons or more: percentile bootstrap over persons; a sample of unknown person is
        a person of its own, and a class or subset that a resample lacks does not count in it. Where
        all are alike they have the interval of
        :func:`protocols.statistics.intervals.widen_if_alike`.
        Otherwise Wilson intervals, which take samples as independent; mean_class then has none.

        Args:
            generator: Draws the persons.
            draws: Number of resamples.

        Returns:
            Low and high end by metric name.
        """
        names, hits, used = self._cells()
        if self.counts["subjects"] < 2:
            low, high = wilson_interval(hits.sum(axis=1), used.sum(axis=1))
            return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}
        person = self._persons()
        size = int(person.max()) + 1
        # One column a metric, then one a class, of which mean_class is made.
        plain = len(names)
        own = np.eye(len(self.classes), dtype=np.bool_)[:, self.outcomes.label]
        successes = sum_by_person(np.concatenate([hits, own & self.outcomes.correct]), person, size)
        trials = sum_by_person(np.concatenate([used, own]), person, size)

        def rates(done: FloatArray, total: FloatArray) -> FloatArray:
            share = ratio(done, total)
            by_class = mean_of_known(share[:, plain:])
            return np.concatenate([share[:, :plain], by_class[:, None]], axis=1)

        people = [*(trials[:, :plain] > 0).sum(axis=0).tolist(), size]
        names.append("mean_class")
        return named_intervals(names, people, successes, trials, generator, rates, draws)

    def _cells(self) -> tuple[list[str], BoolArray, BoolArray]:
        """Metrics that are plain shares: their names, (R, N) hits and (R, N) samples counted."""
        everyone = np.ones(len(self.outcomes), dtype=np.bool_)
        names, hits, used = ["top1"], [self.outcomes.correct], [everyone]
        if self.in_top5 is not None:
            names, hits, used = [*names, "top5"], [*hits, self.in_top5], [*used, everyone]
        for subset in self.subsets:
            here = np.asarray(self.outcomes.subset == subset)
            names, hits = [*names, f"top1/{subset}"], [*hits, self.outcomes.correct & here]
            used = [*used, here]
        return names, np.stack(hits), np.stack(used)

    def _persons(self) -> IntArray:
        """(N,) number of the person; unknown persons each one of their own."""
        persons = np.unique(self.outcomes.subject, return_inverse=True)[1].astype(np.int64)
        unknown = np.flatnonzero(self.outcomes.subject == "")
        persons[unknown] = len(persons) + np.arange(len(unknown))
        return np.unique(persons, return_inverse=True)[1].astype(np.int64)
