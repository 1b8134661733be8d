"""Open-set identification: the person looked for may not be enrolled at all.

A probe is *mated* if its person is enrolled. The system names the R most alike identities, each by
its best template, whose score is at least the threshold. FPIR is the share of non-mated probes for
which it names anybody; FNIR the share of mated probes whose own identity is not named: below the
threshold, or behind R or more others (ISO/IEC 19795-1; Phillips et al., "Evaluation Methods in Face
Recognition", 2011: DIR at FAR is 1 - FNIR for R = 1 at an FPIR). Which people stay unenrolled is
drawn several times by a generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.biometrics.scores import Comparisons
from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray


class OpenSetPoint(NamedTuple):
    """What a threshold does.

    Attributes:
        fnir: False negative identification rate, 0..1.
        fpir: The FPIR that is achieved, at most the target.
        threshold: The threshold; infinite where nobody may be named.
    """

    fnir: float
    fpir: float
    threshold: float


@dataclass(frozen=True, eq=False)
class OpenSetScores:
    """What was found for each of P probes.

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
        """The given probes (indices or a mask)."""
        chosen = np.asarray(rows)
        return OpenSetScores(
            self.mated[chosen], self.top[chosen], self.own[chosen], self.rank[chosen]
        )

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

    def at_fpir(self, target: float, rank: int = 1) -> OpenSetPoint:
        """FNIR at the smallest threshold whose FPIR is not above ``target``.

        Thresholds are the scores that decide: the own scores of mated probes, the best scores of
        non-mated ones, and infinity.

        Raises:
            ValueError: The target is not in (0, 1], or below one in the number of non-mated
                probes; or as :meth:`at_threshold`.
        """
        stranger = int((~self.mated).sum())
        if not 0.0 < target <= 1.0:
            raise ValueError(f"A target FPIR lies above 0 and at most at 1, not at {target}.")
        if stranger and target * stranger < 1.0:
            raise ValueError(
                f"An FPIR of {target:g} cannot be seen in {stranger} non-mated probes: it takes "
                f"at least {int(np.ceil(1 / target))}."
            )
        tops = np.sort(self.top[~self.mated])
        seen = np.unique(np.concatenate([self.own[self.mated], tops, [np.inf]]))
        named = len(tops) - np.searchsorted(tops, seen, side="left")
        threshold = float(seen[np.argmax(named / max(stranger, 1) <= target)])
        return self.at_threshold(threshold, rank)

    def cmc(self, depth: int) -> FloatArray:
        """(depth,) share of mated probes whose identity has rank k or better, no threshold.

        Raises:
            ValueError: There is no mated probe.
        """
        ranks = self.rank[self.mated & np.isfinite(self.own)]
        if not self.mated.any():
            raise ValueError("There is no mated probe, so there is no CMC.")
        counts = np.bincount(ranks, minlength=depth + 1)[1 : depth + 1]
        return np.asarray(np.cumsum(counts) / np.count_nonzero(self.mated))


def open_set_scores(
    best: npt.ArrayLike, own: npt.ArrayLike, enrolled: npt.ArrayLike | None = None
) -> OpenSetScores:
    """Read what matters off the best score of every identity.

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


def best_by_identity(scores: npt.NDArray[np.float32], enrolled: IntArray) -> FloatArray:
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
    comparisons: Comparisons,
    generator: np.random.Generator,
    *,
    rotations: int = 10,
    unenrolled: float = 0.5,
) -> list[OpenSetScores]:
    """Take some people out of the gallery, several times.

    Args:
        comparisons: Probes and gallery.
        generator: Draws the people.
        rotations: How often.
        unenrolled: Share of the enrolled people to take out, 0..1; at least one goes and one stays.

    Returns:
        What each rotation finds, for all probes.

    Raises:
        ValueError: Fewer than two people are enrolled, or a setting is out of range.
    """
    identities = np.unique(comparisons.enrolled)
    if len(identities) < 2 or rotations < 1 or not 0.0 < unenrolled < 1.0:
        raise ValueError(
            f"Open-set rates need two enrolled people, a rotation and a share between 0 and 1, not "
            f"{len(identities)} people, {rotations} rotations and a share of {unenrolled}."
        )
    out = unenrolled_people(len(identities), unenrolled)
    kept = np.ones((rotations, len(identities)), dtype=np.bool_)
    for row in kept:
        row[generator.permutation(len(identities))[:out]] = False
    place = np.searchsorted(identities, comparisons.own).clip(0, len(identities) - 1)
    column = np.where(identities[place] == comparisons.own, place, -1)
    parts: list[list[OpenSetScores]] = [[] for _ in range(rotations)]
    for block, scores in comparisons.blocks():
        best = best_by_identity(scores, comparisons.enrolled)
        for rotation, enrolled in enumerate(kept):
            parts[rotation].append(open_set_scores(best, column[block], enrolled))
    return [_joined(blocks) for blocks in parts]


def unenrolled_people(people: int, share: float) -> int:
    """How many of two or more people a share takes out: at least one goes and one stays."""
    return min(max(round(people * share), 1), people - 1)


def _joined(parts: Sequence[OpenSetScores]) -> OpenSetScores:
    """The blocks of one rotation, one after the other."""
    return OpenSetScores(
        np.concatenate([part.mated for part in parts]),
        np.concatenate([part.top for part in parts]),
        np.concatenate([part.own for part in parts]),
        np.concatenate([part.rank for part in parts]),
    )
