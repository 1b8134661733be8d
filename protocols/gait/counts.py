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

RANKS = (1, 5, 10)
"""Ranks that are counted."""

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

    C conditions, P probe views, G gallery views, S probe persons, R ranks (:data:`RANKS`).

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
    results: Sequence[Identification | None],
    gallery: Sequence[int],
    *,
    unmated: Unmated,
    unmated_precision: Unmated,
) -> ViewCounts:
    """Count the result of every probe in its cell.

    Args:
        grid: The cells.
        labels: Cells and persons of the N probes.
        results: For each of the G galleries, the results of the N probes; None if it is empty.
        gallery: G gallery sizes.
        unmated: How rank-k counts a probe without a mate.
        unmated_precision: The same for mAP and mINP.

    Returns:
        The counts.
    """
    people = int(labels.subject.max(initial=-1)) + 1
    columns = []
    for result in results:
        outcome = _nobody(len(labels.view)) if result is None else result
        mated = outcome.mates > 0
        counted = _counted(mated, unmated, result is not None)
        rated = _counted(mated, unmated_precision, result is not None)
        hits = [_sums(grid, labels, outcome.hits(k) & counted, people) for k in RANKS]
        columns.append(
            (
                np.stack(hits).astype(np.int64),
                _sums(grid, labels, counted, people).astype(np.int64),
                _sums(grid, labels, ~mated).astype(np.int64),
                _sums(grid, labels, rated).astype(np.int64),
                _sums(grid, labels, outcome.mates / np.maximum(outcome.candidates, 1)),
                _sums(grid, labels, np.nan_to_num(outcome.average_precision)),
                _sums(grid, labels, np.nan_to_num(outcome.inverse_penalty)),
            )
        )
    hits_by_person, trials, lacking, rated_trials, chance, precision, penalty = (
        np.stack(column, axis=-1) for column in zip(*columns, strict=True)
    )
    return ViewCounts(
        hits=hits_by_person.sum(axis=1),
        trials=trials.sum(axis=0),
        probes=_sums(grid, labels, np.ones(len(labels.view))).astype(np.int64),
        gallery=np.asarray(gallery, dtype=np.int64),
        unmated=lacking,
        precision=precision,
        penalty=penalty,
        precision_trials=rated_trials,
        chance=chance,
        subject_hits=hits_by_person[0],
        subject_trials=trials,
    )


def _nobody(count: int) -> Identification:
    """The results of probes whose gallery is empty."""
    none = np.zeros(count, dtype=np.int64)
    unknown = np.full(count, np.nan)
    return Identification(none, max(RANKS), none, none, unknown, unknown)


def _counted(mated: BoolArray, unmated: Unmated, exists: bool) -> BoolArray:
    """(N,) probes that a measure is divided by."""
    if not exists:
        return np.zeros_like(mated)
    return mated if unmated == "skip" else np.ones_like(mated)


def _sums(
    grid: Grid, labels: ProbeLabels, weights: npt.NDArray[Any], people: int | None = None
) -> FloatArray:
    """(C, P) sums of the probes' weights; (S, C, P) where a number of people is given."""
    shape = grid.shape[:2] if people is None else (people, *grid.shape[:2])
    cell = labels.condition * shape[-1] + labels.view
    if people is not None:
        cell = cell + labels.subject * shape[-2] * shape[-1]
    sums = np.bincount(cell, weights=weights.astype(np.float64), minlength=math.prod(shape))
    return sums.astype(np.float64).reshape(shape)
