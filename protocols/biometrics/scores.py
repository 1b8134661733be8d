"""Scores of every probe with every gallery sample that it may be compared with.

The score is the cosine similarity, or minus the Euclidean distance; higher is more alike. Distances
are computed in float64 with exact ties (:mod:`protocols.ranking.distances`) in blocks of probes
and kept as float32; scores from a file stay float64. Where the whole P x G matrix would take more
than a stated memory it is not kept: every score is rounded *down* to a multiple of a stated
resolution, a power of two, and computed again when it is needed. The rates at a threshold stay
exact; only the choice of thresholds has that resolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.biometrics.tally import ScoreTally, tally_scores
from protocols.pair_scores import PairScores
from protocols.ranking.distances import (
    BLOCK_BYTES,
    IntArray,
    Metric,
    Points,
    as_pair,
    distance_blocks,
    to_distance,
)
from protocols.ranking.exclusion import ExclusionRule, identity_codes

EXACT_BYTES = 2**30
"""Memory in bytes up to which the matrix of scores is kept; 2^28 comparisons of embeddings."""

_BINS_BITS = 17

ScoreMatrix = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """P probes against G gallery samples.

    Attributes:
        probe: (P, D) points.
        gallery: (G, D) points.
        own: (P,) identity numbers of the probes.
        enrolled: (G,) identity numbers of the gallery, on the same numbering.
        exclude: Which comparisons are not made; None makes all.
        resolution: Step of the scores; 0 where they are as exact as float32.
        kept: (P, G) scores, NaN for comparisons that are not made; None where they are computed
            again each time.
        block_bytes: Working memory in bytes.
    """

    probe: Points
    gallery: Points
    own: IntArray
    enrolled: IntArray
    exclude: ExclusionRule | None
    resolution: float
    kept: ScoreMatrix | None
    block_bytes: int = BLOCK_BYTES

    def blocks(self) -> Iterator[tuple[slice, ScoreMatrix]]:
        """Walk over the scores: slices of probes and their (B, G) scores, NaN where excluded."""
        if self.kept is None:
            yield from _score_blocks(self)
            return
        step = max(1, self.block_bytes // (64 * max(1, len(self.gallery))))
        for start in range(0, len(self.probe), step):
            block = slice(start, min(len(self.probe), start + step))
            yield block, self.kept[block]

    def tallies(self, cell: npt.ArrayLike, cells: int) -> list[ScoreTally]:
        """Count the scores of each cell of probes.

        Args:
            cell: (P,) the cell of each probe, 0 to ``cells`` - 1; below 0 for none.
            cells: Number of cells.

        Returns:
            One tally a cell.
        """
        where: IntArray = np.asarray(cell, dtype=np.int64)
        if self.kept is None:
            return self._binned(where, cells)
        found = []
        for index in range(cells):
            rows = np.flatnonzero(where == index)
            scores, same = self.kept[rows], self.own[rows, None] == self.enrolled
            made = ~np.isnan(scores)
            found.append(tally_scores(scores[same & made], scores[~same & made]))
        return found

    def _binned(self, cell: IntArray, cells: int) -> list[ScoreTally]:
        """The tallies of scores on a grid, in one walk."""
        # Cosine runs from -1 to 1, minus a distance to 0; one more bin a side takes a rounding.
        cosine = self.gallery.metric == "cosine"
        least = 1.0 if cosine else _reach(self.probe, self.gallery)
        lowest = -int(np.ceil(least / self.resolution)) - 1
        highest = round(1.0 / self.resolution) + 1 if cosine else 1
        bins = highest - lowest + 1
        counts = np.zeros((2, cells, bins), dtype=np.int64)
        for block, scores in self.blocks():
            place = np.rint(scores.astype(np.float64) / self.resolution) - lowest
            made = ~np.isnan(place) & (cell[block, None] >= 0)
            place = place + cell[block, None] * float(bins)
            same = self.own[block, None] == self.enrolled
            for side, chosen in enumerate((same & made, ~same & made)):
                own = place[chosen].astype(np.int64)
                counts[side] += np.bincount(own, minlength=cells * bins).reshape(cells, bins)
        values = (np.arange(bins) + lowest) * self.resolution
        seen = counts.sum(axis=0) > 0
        return [
            ScoreTally(values[seen[c]], counts[0, c, seen[c]], counts[1, c, seen[c]])
            for c in range(cells)
        ]


def compare_given(
    scores: PairScores, probe: IntArray, gallery: IntArray, exclude: ExclusionRule | None
) -> Comparisons:
    """Take the comparisons that a file of scores holds.

    Args:
        scores: The scores; the pairs that it lacks are not made.
        probe: (P,) rows of its samples.
        gallery: (G,) rows.
        exclude: Which comparisons are not made; None makes all.

    Returns:
        The comparisons.

    Raises:
        ValueError: The matrix of scores would take more than :data:`EXACT_BYTES`.
    """
    if 8 * len(probe) * len(gallery) > EXACT_BYTES:
        raise ValueError(
            f"{len(probe)} probes against {len(gallery)} gallery samples are too many for given "
            f"scores: at most {EXACT_BYTES // 8} pairs; give embeddings, or fewer samples."
        )
    data = scores.samples
    left, right = as_pair(data.embedding[probe], data.embedding[gallery], "euclidean")
    own, enrolled = identity_codes(data.subject[probe], data.subject[gallery])
    kept = -scores.matrix(probe, gallery)
    if exclude is not None:
        kept[exclude(slice(0, len(probe)))] = np.nan
    return Comparisons(left, right, own, enrolled, exclude, 0.0, kept)


def compare_all(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike,
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    metric: Metric = "cosine",
    exclude: ExclusionRule | None = None,
    exact_bytes: int = EXACT_BYTES,
    block_bytes: int = BLOCK_BYTES,
) -> Comparisons:
    """Make every comparison that an exclusion rule leaves.

    Args:
        probe: (P, D) embeddings.
        gallery: (G, D) embeddings, G >= 1.
        probe_identity: (P,) identities, text or integers.
        gallery_identity: (G,) identities.
        metric: ``cosine`` or ``euclidean``.
        exclude: Which comparisons are not made (:mod:`protocols.ranking.exclusion`).
        exact_bytes: Memory up to which the scores are kept exactly.
        block_bytes: Working memory in bytes.

    Returns:
        The comparisons.

    Raises:
        ValueError: Lengths disagree, or as :func:`protocols.ranking.distances.as_pair`.
    """
    left, right = as_pair(probe, gallery, metric)
    own, enrolled = identity_codes(probe_identity, gallery_identity)
    if (len(own), len(enrolled)) != (len(left), len(right)):
        raise ValueError(
            f"{len(own)} probe and {len(enrolled)} gallery identities were given for {len(left)} "
            f"probe and {len(right)} gallery embeddings."
        )
    exact = 4 * len(left) * len(right) <= exact_bytes
    resolution = 0.0 if exact else _resolution(left, right)
    made = Comparisons(left, right, own, enrolled, exclude, resolution, None, block_bytes)
    if not exact:
        return made
    kept = np.empty((len(left), len(right)), dtype=np.float32)
    for block, scores in _score_blocks(made):
        kept[block] = scores
    return replace(made, kept=kept)


def _score_blocks(made: Comparisons) -> Iterator[tuple[slice, ScoreMatrix]]:
    """Compute the scores, block by block."""
    metric = made.gallery.metric
    for block, squared in distance_blocks(made.probe, made.gallery, made.block_bytes):
        distance = to_distance(squared, metric)
        scores: npt.NDArray[Any] = 1.0 - distance if metric == "cosine" else 0.0 - distance
        if made.resolution:
            scores = np.floor(scores / made.resolution) * made.resolution
        result = scores.astype(np.float32)
        if made.exclude is not None:
            result[made.exclude(block)] = np.nan
        yield block, result


def _resolution(probe: Points, gallery: Points) -> float:
    """A power of two: the range that scores can take over 2^17, or up to twice that.

    Cosine scores have a range of 2, hence a step of 2^-16. A multiple of the step needs at most 17
    bits and is therefore exact in float32.
    """
    if gallery.metric == "cosine":
        return 2.0 ** (1 - _BINS_BITS)
    _, exponent = math.frexp(max(_reach(probe, gallery), float(np.finfo(np.float32).tiny)))
    return math.ldexp(1.0, exponent - _BINS_BITS)


def _reach(probe: Points, gallery: Points) -> float:
    """An upper bound of all distances: through the point that both are measured about."""
    lengths = [
        np.sqrt(side.squared_lengths(side.vectors())).max(initial=0.0) for side in (probe, gallery)
    ]
    return float(lengths[0] + lengths[1])
