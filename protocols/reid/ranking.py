"""The ranking of a re-identification pair, probe by probe, and how its distances are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.embeddings import Embeddings
from protocols.names import canonical
from protocols.ranking.distances import (
    BLOCK_BYTES,
    FloatArray,
    IntArray,
    Metric,
    as_pair,
    distance_blocks,
    to_distance,
)
from protocols.ranking.exclusion import ExclusionRule, identity_codes
from protocols.ranking.identification import Identification
from protocols.ranking.retrieval import search
from protocols.reid.comparison import ReidComparison, compare_sets
from protocols.reid.evaluate import RANKS, identify_pair, judge_pair
from protocols.reid.pairs import Pair, PairProtocol
from protocols.reid.rules import ReidRule, reid_rule
from protocols.reid.table import PairResult
from protocols.reid.walks import number_walks

_FINE_BINS = 8192


class DistanceCounts(NamedTuple):
    """A histogram of distances.

    Attributes:
        edges: (B + 1,) float64 rising edges of equal bins, from the nearest pair to the farthest.
        genuine: (B,) int64 pairs of one person.
        impostor: (B,) int64 pairs of two people.
    """

    edges: FloatArray
    genuine: IntArray
    impostor: IntArray


class Ranked(NamedTuple):
    """The gallery sequences nearest to a probe, among those that it may see.

    Attributes:
        rows: (k,) int64 rows of the embeddings, nearest first.
        distances: (k,) float64.
    """

    rows: IntArray
    distances: FloatArray


@dataclass(frozen=True, eq=False)
class PairRanking:
    """A pair of a protocol, ranked and judged under a rule, at sequence level.

    Attributes:
        data: One embedding a sequence.
        comparison: Rows of probes and gallery, and what a probe may not see.
        rule: The rule.
        metric: The distance.
        found: The results of the P probes.
        result: The pair's measures.
    """

    data: Embeddings
    comparison: ReidComparison
    rule: ReidRule
    metric: Metric
    found: Identification
    result: PairResult

    def precision(self, place: int) -> float:
        """Average precision of probe number ``place``, 0..1; NaN without a mate."""
        return float(self.found.average_precision[place])

    def worst(self, count: int) -> IntArray:
        """Probes whose nearest row is someone else's, the lowest average precision first.

        Of each walk only the worst sequence, since its neighbours mostly fail alike; probes without
        a mate are left out, since no ranking could have been right.

        Args:
            count: Probes at most.

        Returns:
            Their places among the probes.
        """
        mated = self._mated()
        failed = mated[self.found.first_mate[mated] != 1]
        failed = failed[np.argsort(self.found.average_precision[failed], kind="stable")]
        walk = number_walks(self.data.select(self.comparison.probe[failed]))
        first = np.sort(np.unique(walk, return_index=True)[1])
        return np.asarray(failed[first[:count]], dtype=np.int64)

    def spread(self, count: int) -> IntArray:
        """Probes with a mate, right or wrong, evenly spread over their set.

        Args:
            count: Probes at most.

        Returns:
            Their places among the probes.
        """
        mated = self._mated()
        places = np.linspace(0, len(mated) - 1, min(count, len(mated)))
        return np.asarray(mated[np.round(places).astype(np.int64)], dtype=np.int64)

    def nearest(self, place: int, depth: int) -> Ranked:
        """The ranking of one probe, without the rows that the rule hides.

        Args:
            place: Among the probes.
            depth: Rows at most.
        """
        comparison, skip = self.comparison, self.comparison.skip
        hidden = np.zeros(len(comparison.gallery), dtype=np.bool_)
        if comparison.exclude is not None:
            hidden = comparison.exclude(slice(place, place + 1))[0]
        row = comparison.probe[place]
        rows, distances = search(
            self.data.embedding[[row]],
            self.data.embedding[comparison.gallery],
            depth + skip + int(hidden.sum()),
            metric=self.metric,
        )
        kept = np.flatnonzero(~hidden[rows[0]])[skip : skip + depth]
        return Ranked(comparison.gallery[rows[0, kept]], distances[0, kept])

    def distances(self) -> DistanceCounts:
        """Genuine and impostor distances of all probes to the rows that they may see."""
        person = canonical(self.data.subject)
        sides = (self.comparison.probe, self.comparison.gallery)
        return count_distances(
            *(self.data.embedding[rows] for rows in sides),
            *(person[rows] for rows in sides),
            exclude=self.comparison.exclude,
            metric=self.metric,
        )

    def _mated(self) -> IntArray:
        return np.flatnonzero(self.found.mates > self.comparison.skip)


def rank_pair(
    data: Embeddings, protocol: PairProtocol, pair: Pair, rule: ReidRule | str = "clean"
) -> PairRanking:
    """Rank and judge a pair.

    Args:
        data: One embedding a sequence.
        protocol: The sets.
        pair: Which sets.
        rule: The rule, or its name.

    Raises:
        ValueError: As :func:`protocols.reid.comparison.compare_sets`, or the rule is unknown.
    """
    used = reid_rule(rule) if isinstance(rule, str) else rule
    comparison = compare_sets(data, protocol, pair, used)
    found = identify_pair(data, comparison, used, used.metric, max(RANKS), precision=True)
    result = judge_pair(data, comparison, used, found, max(RANKS))
    return PairRanking(data, comparison, used, used.metric, found, result)


def count_distances(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike,
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    metric: Metric = "cosine",
    bins: int = 60,
    block_bytes: int = BLOCK_BYTES,
) -> DistanceCounts:
    """Count the distances of all probes to all gallery rows that they may see, in one pass.

    Args:
        probe: (P, D) embeddings.
        gallery: (G, D) embeddings, G >= 1.
        probe_identity: (P,) identities.
        gallery_identity: (G,) identities.
        exclude: Which gallery rows a probe may not see; None removes nothing.
        metric: ``cosine`` or ``euclidean``.
        bins: Bins at most.
        block_bytes: Working memory in bytes; about 64 bytes a pair of a block are reckoned.

    Returns:
        The counts; the first and the last bin are not empty. Without any pair one empty bin.

    Raises:
        ValueError: ``bins`` is below 1, or as :func:`protocols.ranking.distances.as_pair`.

    >>> found = count_distances([[0.0]], [[1.0], [3.0]], "a", ["a", "b"], metric="euclidean")
    >>> int(found.genuine.sum()), int(found.impostor.sum())
    (1, 1)
    """
    if bins < 1:
        raise ValueError(f"Distances are counted in at least one bin, not {bins}.")
    points = as_pair(probe, gallery, metric)
    own, enrolled = identity_codes(np.atleast_1d(probe_identity), np.atleast_1d(gallery_identity))
    farthest = 2.0
    if metric == "euclidean":  # the triangle about the common centre
        reach = [side.squared_lengths(side.vectors()).max(initial=0.0) for side in points]
        farthest = float(np.sqrt(reach).sum()) or 1.0
    width = farthest / _FINE_BINS
    fine = np.zeros((2, _FINE_BINS), dtype=np.int64)
    for block, squared in distance_blocks(*points, block_bytes):
        place = np.minimum(to_distance(squared, metric) / width, _FINE_BINS - 1).astype(np.int64)
        mate = own[block, None] == enrolled
        seen = np.ones_like(mate) if exclude is None else ~exclude(block)
        for kind, chosen in enumerate((seen & mate, seen & ~mate)):
            fine[kind] += np.bincount(place[chosen], minlength=_FINE_BINS)
    return _coarse(fine, width, bins)


def _coarse(fine: IntArray, width: float, bins: int) -> DistanceCounts:
    """Join the fine bins between the nearest pair and the farthest to at most ``bins``."""
    occupied = np.flatnonzero(fine.any(axis=0))
    first, last = (int(occupied[0]), int(occupied[-1])) if len(occupied) else (0, 0)
    step = -(-(last - first + 1) // bins)
    count = -(-(last - first + 1) // step)
    padded = np.zeros((2, count * step), dtype=np.int64)
    padded[:, : last - first + 1] = fine[:, first : last + 1]
    sums = padded.reshape(2, count, step).sum(axis=2)
    edges = width * (first + step * np.arange(count + 1, dtype=np.float64))
    return DistanceCounts(edges, sums[0], sums[1])
