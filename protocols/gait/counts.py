"""Hits by condition, probe view and gallery view: counts first, rates later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.identification import Identification, Unmated

POOLED = ("all",)
"""The views of a grid that does not tell them apart."""


@dataclass(frozen=True)
class Grid:
    """The cells of a table: C conditions x P probe views x G gallery views.

    Attributes:
        conditions: C names.
        views: P probe views.
        gallery_views: G gallery views.
        single: Whether each gallery view is a gallery of its own, so that the table has cells of
            identical views.
        excludes: Whether the means leave these cells out.
    """

    conditions: tuple[str, ...]
    views: tuple[str, ...]
    gallery_views: tuple[str, ...]
    single: bool
    excludes: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, P, G."""
        return len(self.conditions), len(self.views), len(self.gallery_views)

    @property
    def same_view(self) -> BoolArray:
        """(P, G) cells of identical views, which the means leave out."""
        same: BoolArray = np.equal.outer(np.array(self.views), np.array(self.gallery_views))
        return same & (self.single and self.excludes)


class Found(NamedTuple):
    """The results of P probes in one gallery, or each in that of its condition.

    Attributes:
        results: Of each probe.
        exists: (P,) whether the gallery that the probe was compared with holds anybody.
    """

    results: Identification
    exists: BoolArray

    @classmethod
    def nobody(cls, count: int, depth: int) -> Found:
        """The results of probes whose gallery is empty, to be filled in."""
        counts = [np.zeros(count, dtype=np.int64) for _ in range(3)]
        rates = [np.full(count, np.nan) for _ in range(2)]
        first, mates, candidates = counts
        empty = Identification(first, depth, mates, candidates, *rates)
        return cls(empty, np.zeros(count, dtype=np.bool_))

    def counted(self, unmated: Unmated) -> BoolArray:
        """(P,) probes that a rate is divided by."""
        return self.exists & (self.results.mates > 0) if unmated == "skip" else self.exists

    def fill(self, probes: IntArray, found: Identification, place: IntArray) -> None:
        """Put in the results of the given probes, the one at ``place`` for each."""
        for name in ("first_mate", "mates", "candidates", "average_precision", "inverse_penalty"):
            getattr(self.results, name)[probes] = getattr(found, name)[place]
        self.exists[probes] = True


class ProbeLabels(NamedTuple):
    """The cell and person of each probe.

    Attributes:
        condition: (N,) index into the grid's conditions.
        view: (N,) index into the grid's probe views.
        subject: (N,) index of the person, 0 to S-1.
    """

    condition: IntArray
    view: IntArray
    subject: IntArray


@dataclass(frozen=True, eq=False)
class ViewCounts:
    """Counts and sums by cell, before any division.

    C conditions, P probe views, G gallery views, S probe persons, R ranks.

    Attributes:
        hits: (R, C, P, G) probes with a mate within each rank.
        trials: (C, P, G) probes that rank-k is divided by; 0 where the gallery is empty.
        probes: (C, P) all probes.
        gallery: (G,) gallery samples.
        unmated: (C, P, G) probes without a mate in that gallery.
        precision: (C, P, G) sums of average precision.
        penalty: (C, P, G) sums of INP.
        precision_trials: (C, P, G) probes that mAP and mINP are divided by.
        chance: (C, P, G) sums of the chance of a random pick.
        subject_hits: (S, C, P, G) rank-1 hits of each person.
        subject_trials: (S, C, P, G) trials of each person.
    """

    hits: IntArray
    trials: IntArray
    probes: IntArray
    gallery: IntArray
    unmated: IntArray
    precision: FloatArray
    penalty: FloatArray
    precision_trials: IntArray
    chance: FloatArray
    subject_hits: IntArray
    subject_trials: IntArray


def count_views(
    grid: Grid,
    labels: ProbeLabels,
    results: Sequence[Found],
    gallery: Sequence[int],
    *,
    ranks: Sequence[int],
    unmated: Unmated,
    unmated_precision: Unmated,
) -> ViewCounts:
    """Count the result of every probe in its cell.

    Args:
        grid: The cells.
        labels: Cells and persons of the N probes.
        results: The results of the N probes in each of the G galleries.
        gallery: G gallery sizes.
        ranks: The R ranks.
        unmated: How rank-k counts a probe without a mate.
        unmated_precision: The same for mAP and mINP.

    Returns:
        The counts.
    """
    people = int(labels.subject.max(initial=-1)) + 1
    cells, of_people = _Cells.of(grid, labels), _Cells.of(grid, labels, people)
    columns = []
    for found in results:
        outcome, mated = found.results, found.results.mates > 0
        counted, rated = found.counted(unmated), found.counted(unmated_precision)
        hits = [of_people.sums(outcome.hits(k) & counted) for k in ranks]
        columns.append(
            (
                np.stack(hits).astype(np.int64),
                of_people.sums(counted).astype(np.int64),
                cells.sums(~mated).astype(np.int64),
                cells.sums(rated).astype(np.int64),
                cells.sums(outcome.mates / np.maximum(outcome.candidates, 1)),
                cells.sums(np.nan_to_num(outcome.average_precision)),
                cells.sums(np.nan_to_num(outcome.inverse_penalty)),
            )
        )
    hits_by_person, trials, lacking, rated_trials, chance, precision, penalty = (
        np.stack(column, axis=-1) for column in zip(*columns, strict=True)
    )
    return ViewCounts(
        hits=hits_by_person.sum(axis=1),
        trials=trials.sum(axis=0),
        probes=cells.sums(np.ones(len(labels.view))).astype(np.int64),
        gallery=np.asarray(gallery, dtype=np.int64),
        unmated=lacking,
        precision=precision,
        penalty=penalty,
        precision_trials=rated_trials,
        chance=chance,
        subject_hits=hits_by_person[0],
        subject_trials=trials,
    )


def count_probes(
    grid: Grid, labels: ProbeLabels, results: Sequence[Found], unmated: Unmated
) -> IntArray:
    """Count the comparisons of every probe with the galleries that the means average.

    Args:
        grid: The cells.
        labels: Cells of the N probes.
        results: The results of the N probes in each of the G galleries.
        unmated: How rank-1 counts a probe without a mate.

    Returns:
        (N, 2) int64: those in which it is right at rank 1, and all that count.
    """
    counted = np.stack([found.counted(unmated) for found in results], axis=1)
    counted &= ~grid.same_view[labels.view]
    right = np.stack([found.results.hits(1) for found in results], axis=1) & counted
    return np.stack([right.sum(axis=1), counted.sum(axis=1)], axis=1).astype(np.int64)


class _Cells(NamedTuple):
    """Where N probes are counted.

    Attributes:
        place: (N,) number of each probe's cell.
        shape: C, P; S, C, P where people are told apart.
    """

    place: IntArray
    shape: tuple[int, ...]

    @classmethod
    def of(cls, grid: Grid, labels: ProbeLabels, people: int | None = None) -> _Cells:
        """The cells of a grid, of each of a number of people if it is given."""
        conditions, views, _ = grid.shape
        place = labels.condition * views + labels.view
        if people is None:
            return cls(place, (conditions, views))
        return cls(place + labels.subject * conditions * views, (people, conditions, views))

    def sums(self, weights: npt.NDArray[Any]) -> FloatArray:
        """The sums of the probes' weights by cell."""
        sums = np.bincount(self.place, weights, math.prod(self.shape))
        return np.asarray(sums, dtype=np.float64).reshape(self.shape)
