"""Calibration, and the actions that a classifier was never shown.

A classifier is calibrated where of the recordings to which it gives 80 % it gets 80 % right (Guo et
al., ICML 2017). It knows unknowns where it refuses actions of no class of its own while it refuses
few of its own: rates of refused unknowns are given at a rate of false alarms whose threshold comes
from people held out of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray
from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.intervals import bootstrap_interval, sum_by_person, widen_if_alike

BINS = 15
_COLDEST, _HOTTEST = 0.1, 10.0
_STEPS = 60


def fit_temperature(logits: npt.ArrayLike, label: npt.ArrayLike) -> float:
    """The temperature of the highest likelihood, from 0.1 to 10.

    Args:
        logits: (N, K) of held-out samples.
        label: (N,) their classes.

    Raises:
        ValueError: There is no sample.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(4000, 5))
    >>> label = np.array([rng.choice(5, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    >>> abs(fit_temperature(3 * logits, label) - 3) < 0.2
    True
    """
    scores = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(scores)), np.asarray(label)
    if not len(scores):
        raise ValueError("There is no held-out sample to fit a temperature to.")

    def loss(sharpness: float) -> float:
        scaled = scores * sharpness
        top = scaled.max(axis=1)
        total = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((total - scaled[rows]).mean())

    # The loss is convex in 1 / temperature: golden section.
    low, high = np.log(1 / _HOTTEST), np.log(1 / _COLDEST)
    ratio = (np.sqrt(5.0) - 1) / 2
    for _ in range(_STEPS):
        first, second = high - ratio * (high - low), low + ratio * (high - low)
        if loss(np.exp(first)) <= loss(np.exp(second)):
            high = second
        else:
            low = first
    return float(np.exp(-(low + high) / 2))


def calibration_error(probabilities: npt.ArrayLike, label: npt.ArrayLike) -> float:
    """Expected calibration error over 15 bins of equal width: weighted |accuracy - confidence|.

    Args:
        probabilities: (N, K).
        label: (N,) classes.

    >>> calibration_error([[0.8, 0.2]] * 5, [0, 0, 0, 0, 1])
    0.0
    """
    shares, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(label)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gap = np.bincount(place, weights=right - confidence, minlength=BINS)
    return round(float(np.abs(gap).sum() / max(len(truth), 1)), 12)


@dataclass(frozen=True, eq=False)
class Refusals:
    """What a classifier refused, of N samples of several trainings together.

    Attributes:
        known: (N,) whether the sample's class was trained on.
        refused: (N,) whether it was called unknown.
        subject: (N,) the person.
    """

    known: BoolArray
    refused: BoolArray
    subject: TextArray

    def rates(self) -> dict[str, float]:
        """``refused``, of the unknown ones, and ``false_alarms``, of the known ones."""
        return {
            name: float(self.refused[rows].mean()) if rows.any() else float("nan")
            for name, rows in self._parts()
        }

    def intervals(self, generator: np.random.Generator) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals of the rates over people."""
        people, person = np.unique(self.subject, return_inverse=True)
        found = {}
        for name, rows in self._parts():
            if not rows.any():
                continue
            counts = sum_by_person([rows & self.refused, rows], person, len(people))
            counts = counts[counts[:, 1] > 0]
            low, high = bootstrap_interval(counts[:, 0], counts[:, 1], generator)
            rate = float(counts[:, 0].sum() / counts[:, 1].sum())
            found[name] = widen_if_alike((float(low), float(high)), rate, len(counts))
        return found

    def _parts(self) -> list[tuple[str, BoolArray]]:
        return [("refused", ~self.known), ("false_alarms", self.known)]

    @classmethod
    def joined(cls, parts: Sequence[Refusals]) -> Refusals:
        """Those of several trainings, one after the other."""
        names = ("known", "refused", "subject")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def separation(known: FloatArray, unknown: FloatArray) -> float:
    """Chance that a known sample scores above an unknown one, ties half (area under the ROC).

    >>> separation(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, "left") + np.searchsorted(ordered, known, "right")
    return float(below.mean() / (2 * len(unknown)))


def groups_of_classes(count: int, groups: int, seed: int) -> list[IntArray]:
    """``count`` classes drawn into groups that are left out in turn, sizes alike but for one.

    Raises:
        ValueError: There are fewer than two groups, or a group or the rest would be too small.
    """
    if not 2 <= groups <= count or count - -(-count // groups) < 2:
        raise ValueError(
            f"{count} classes cannot be left out in {groups} groups: give at least 2, at most "
            f"{count}, so that each time two classes or more are trained on."
        )
    drawn = np.random.default_rng(seed).permutation(count)
    return [np.sort(part).astype(np.int64) for part in np.array_split(drawn, groups)]
