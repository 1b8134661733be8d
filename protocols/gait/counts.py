"""Counting hits by condition, probe view and gallery view: integers first, rates later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.identification import Identification, Unmated

RANKS = (1, 5, 10)
"""Ranks that are counted."""


@dataclass(frozen=True)
class Grid:
    """The cells of a table: C conditions x P probe views x G gallery views.

    Attributes:
        conditions: C names.
        views: P probe views.
        gallery_views: G gallery views.
        single: Whether each gallery view is a gallery of its own, so that cells of identical views
            stand in the table.
    """

    conditions: tuple[str, ...]
    views: tuple[str, ...]
    gallery_views: tuple[str, ...]
    single: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, P, G."""
        return len(self.conditions), len(self.views), len(self.gallery_views)

    @property
    def same_view(self) -> BoolArray:
        """(P, G) cells of identical views, which the means leave out."""
        same: BoolArray = np.equal.outer(np.array(self.views), np.array(self.gallery_views))
        return same & self.single


@dataclass(frozen=True, eq=False)
class ProbeLabels:
    """Where each probe belongs.

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
    """What was counted, before any division.

    C conditions, P probe views, G gallery views, S probe persons, R ranks (:data:`RANKS`).

    Attributes:
        hits: (R, C, P, G) probes with a mate within each rank.
        trials: (C, P, G) probes that rank-k is divided by; 0 where the gallery is empty.
        probes: (C, P) probes there are.
        gallery: (G,) gallery samples there are.
        unmated: (C, P, G) probes without a mate in that gallery.
        precision: (C, P, G) sums of average precision, or None.
        penalty: (C, P, G) sums of INP, or None.
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
    precision: FloatArray | None
    penalty: FloatArray | None
    precision_trials: IntArray
    chance: FloatArray
    subject_hits: IntArray
    subject_trials: IntArray


def count_views(
    grid: Grid,
    labels: ProbeLabels,
    results: Sequence[Identification | None],
    gallery: Sequence[int],
    *,
    unmated: Unmated,
    unmated_precision: Unmated,
) -> ViewCounts:
    """Sort the outcome of every probe into the cells.

    Args:
        grid: The cells.
        labels: Where the N probes belong.
        results: For each of the G galleries, what became of the N probes; None if it is empty.
        gallery: G gallery sizes.
        unmated: What an unmated probe counts for in rank-k.
        unmated_precision: The same for mAP and mINP.

    Returns:
        The counts.
    """
    people = int(labels.subject.max(initial=-1)) + 1
    hits: list[IntArray] = []
    trials, lacking, asked, chance, precision, penalty = [], [], [], [], [], []
    for result in results:
        outcome = _nobody(len(labels.view)) if result is None else result
        mated = outcome.mates > 0
        counted = _counted(mated, unmated, result is not None)
        rated = _counted(mated, unmated_precision, result is not None)
        hits.append(
            np.stack([_by_person(grid, labels, outcome.hits(k) & counted, people) for k in RANKS])
        )
        trials.append(_by_person(grid, labels, counted, people))
        lacking.append(_by_cell(grid, labels, ~mated))
        asked.append(_by_cell(grid, labels, rated))
        chance.append(_by_cell(grid, labels, outcome.mates / np.maximum(outcome.candidates, 1)))
        if outcome.average_precision is not None and outcome.inverse_penalty is not None:
            precision.append(_by_cell(grid, labels, np.nan_to_num(outcome.average_precision)))
            penalty.append(_by_cell(grid, labels, np.nan_to_num(outcome.inverse_penalty)))
    every = np.stack(hits, axis=-1).astype(np.int64)
    each_trial = np.stack(trials, axis=-1).astype(np.int64)
    scored = len(precision) == len(results)
    return ViewCounts(
        hits=every.sum(axis=1),
        trials=each_trial.sum(axis=0),
        probes=_by_cell(grid, labels, np.ones(len(labels.view))).astype(np.int64),
        gallery=np.asarray(gallery, dtype=np.int64),
        unmated=np.stack(lacking, axis=-1).astype(np.int64),
        precision=np.stack(precision, axis=-1) if scored else None,
        penalty=np.stack(penalty, axis=-1) if scored else None,
        precision_trials=np.stack(asked, axis=-1).astype(np.int64),
        chance=np.stack(chance, axis=-1),
        subject_hits=every[0],
        subject_trials=each_trial,
    )


def _nobody(count: int) -> Identification:
    """What becomes of probes whose gallery is empty."""
    none = np.zeros(count, dtype=np.int64)
    unknown = np.full(count, np.nan)
    return Identification(none, max(RANKS), none, none, unknown, unknown)


def _counted(mated: BoolArray, unmated: Unmated, exists: bool) -> BoolArray:
    """(N,) probes that a measure is divided by."""
    if not exists:
        return np.zeros_like(mated)
    return mated if unmated == "skip" else np.ones_like(mated)


def _by_cell(grid: Grid, labels: ProbeLabels, weights: npt.NDArray[Any]) -> FloatArray:
    """(C, P) sums of the probes' weights."""
    conditions, views, _ = grid.shape
    cell = labels.condition * views + labels.view
    sums = np.bincount(cell, weights=weights.astype(np.float64), minlength=conditions * views)
    return sums.astype(np.float64).reshape(conditions, views)


def _by_person(
    grid: Grid, labels: ProbeLabels, weights: npt.NDArray[Any], people: int
) -> FloatArray:
    """(S, C, P) sums of the probes' weights."""
    conditions, views, _ = grid.shape
    cell = (labels.subject * conditions + labels.condition) * views + labels.view
    sums = np.bincount(
        cell, weights=weights.astype(np.float64), minlength=people * conditions * views
    )
    return sums.astype(np.float64).reshape(people, conditions, views)
