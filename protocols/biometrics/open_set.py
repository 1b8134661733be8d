"""Open-set identification: the person of a probe may not be enrolled at all.

A probe is *mated* if its person is enrolled. The system names the R most alike identities, each by
its best template, whose score is at least the threshold. FPIR is the share of non-mated probes for
which it names anybody; FNIR the share of mated probes whose own identity is not named: below the
threshold, or behind R or more others (ISO/IEC 19795-1; Phillips et al., "Evaluation Methods in Face
Recognition", 2011: DIR at FAR is 1 - FNIR for R = 1 at an FPIR). Half of the people stay
unenrolled, drawn several times by a generator that is passed in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.biometrics.scores import Comparisons
from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray


class OpenSetPoint(NamedTuple):
    """The error rates at a threshold.

    Attributes:
        fnir: False negative identification rate, 0..1.
        fpir: The FPIR, at most the target.
        threshold: The threshold; infinite where nobody may be named.
    """

    fnir: float
    fpir: float
    threshold: float


class OpenSetScores(NamedTuple):
    """The scores of each of P probes.

    Attributes:
        mated: (P,) whether the person is enrolled.
        top: (P,) best score of any enrolled identity.
        own: (P,) best score of the own identity; minus infinity where not mated.
        rank: (P,) 1 + number of other identities with a better score.
    """

    mated: BoolArray
    top: FloatArray
    own: FloatArray
    rank: IntArray

    def select(self, rows: npt.ArrayLike) -> OpenSetScores:
        """Some of the probes, by indices or a mask."""
        return OpenSetScores(*(column[np.asarray(rows)] for column in self))

    def found(self, threshold: float, rank: int = 1) -> BoolArray:
        """(P,) mated probes whose own identity is named among the first ``rank``."""
        seen = self.mated & np.isfinite(self.own)
        return np.asarray(seen & (self.own >= threshold) & (self.rank <= rank))

    def at_threshold(self, threshold: float, rank: int = 1) -> OpenSetPoint:
        """FNIR and FPIR at a threshold.

        Raises:
            ValueError: There is no mated or no non-mated probe.
        """
        mated, stranger = int(self.mated.sum()), int((~self.mated).sum())
        if not mated or not stranger:
            raise ValueError(
                f"There are {mated} mated and {stranger} non-mated probes: an open-set rate needs "
                "at least one of each."
            )
        named = int(np.count_nonzero(self.top[~self.mated] >= threshold))
        missed = mated - int(np.count_nonzero(self.found(threshold, rank)))
        return OpenSetPoint(missed / mated, named / stranger, float(threshold))

    def at_fpir(self, target: float) -> OpenSetPoint:
        """FNIR of one candidate at the smallest threshold whose FPIR is not above ``target``.

        Thresholds are the own scores of mated probes, the best scores of non-mated ones, and
        infinity.

        Raises:
            ValueError: The target is not in (0, 1], or below one in the number of non-mated
                probes; or as :meth:`at_threshold`.
        """
        stranger = int((~self.mated).sum())
        if not 0.0 < target <= 1.0:
            raise ValueError(f"A target FPIR must be above 0 and at most 1, not {target}.")
        if stranger and target * stranger < 1.0:
            raise ValueError(
                f"An FPIR of {target:g} cannot be measured on {stranger} non-mated probes: it "
                f"takes at least {int(np.ceil(1 / target))}."
            )
        tops = np.sort(self.top[~self.mated])
        seen = np.unique(np.concatenate([self.own[self.mated], tops, [np.inf]]))
        named = len(tops) - np.searchsorted(tops, seen, side="left")
        threshold = float(seen[np.argmax(named / max(stranger, 1) <= target)])
        return self.at_threshold(threshold)


def open_set_scores(
    best: npt.ArrayLike, own: npt.ArrayLike, enrolled: npt.ArrayLike | None = None
) -> OpenSetScores:
    """The scores of probes from their best score with every identity.

    Args:
        best: (P, E) best score of each probe with each identity; minus infinity for none.
        own: (P,) the column of the probe's own identity; below 0 for a stranger.
        enrolled: (E,) which identities are enrolled; None enrols all.

    Returns:
        The scores.

    >>> found = open_set_scores([[0.9, 0.2], [0.6, 0.7]], [0, -1])
    >>> found.at_fpir(1.0)
    OpenSetPoint(fnir=0.0, fpir=1.0, threshold=0.7)
    >>> found.at_threshold(0.8)
    OpenSetPoint(fnir=0.0, fpir=0.0, threshold=0.8)
    """
    scores: FloatArray = np.asarray(best, dtype=np.float64)
    column: IntArray = np.asarray(own, dtype=np.int64)
    there = np.ones(scores.shape[1], dtype=np.bool_) if enrolled is None else np.asarray(enrolled)
    seen = np.where(there, scores, -np.inf)
    mated = (column >= 0) & there[column]
    mine = np.where(mated, seen[np.arange(len(column)), column], -np.inf)
    rank = 1 + np.count_nonzero(seen > mine[:, None], axis=1)
    return OpenSetScores(mated, seen.max(axis=1, initial=-np.inf), mine, rank.astype(np.int64))


def best_by_identity(scores: npt.NDArray[np.floating[Any]], enrolled: IntArray) -> FloatArray:
    """The best score with each identity.

    Args:
        scores: (B, G), NaN where no comparison is made.
        enrolled: (G,) identity numbers.

    Returns:
        (B, E), identities ascending; minus infinity where no template may be seen.
    """
    order = np.argsort(enrolled, kind="stable")
    starts = np.flatnonzero(np.diff(enrolled[order], prepend=-1))
    seen = np.where(np.isnan(scores), -np.inf, scores)[:, order]
    return np.asarray(np.maximum.reduceat(seen, starts, axis=1), dtype=np.float64)


def rotate_unenrolled(
    comparisons: Comparisons, generator: np.random.Generator, rotations: int
) -> list[OpenSetScores]:
    """Take half of the people out of the gallery, several times.

    Args:
        comparisons: Probes and gallery.
        generator: Draws the people.
        rotations: How often, at least once.

    Returns:
        The scores in each rotation, of all probes.

    Raises:
        ValueError: Fewer than two people are enrolled, or there is no rotation.
    """
    identities = np.unique(comparisons.enrolled)
    if len(identities) < 2 or rotations < 1:
        raise ValueError(
            f"Open-set rates need two enrolled people and a rotation, not {len(identities)} people "
            f"and {rotations} rotations."
        )
    kept = np.ones((rotations, len(identities)), dtype=np.bool_)
    for row in kept:
        row[generator.permutation(len(identities))[: round(len(identities) / 2)]] = False
    place = np.searchsorted(identities, comparisons.own).clip(0, len(identities) - 1)
    column = np.where(identities[place] == comparisons.own, place, -1)
    parts: list[list[OpenSetScores]] = [[] for _ in range(rotations)]
    for block, scores in comparisons.blocks():
        best = best_by_identity(scores, comparisons.enrolled)
        for rotation, enrolled in enumerate(kept):
            parts[rotation].append(open_set_scores(best, column[block], enrolled))
    return [OpenSetScores(*map(np.concatenate, zip(*blocks, strict=True))) for blocks in parts]
