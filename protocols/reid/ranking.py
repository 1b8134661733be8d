"""The ranking of a re-identification pair, probe by probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protocols.embeddings import Embeddings
from protocols.ranking.distances import FloatArray, IntArray, Metric
from protocols.ranking.histogram import DistanceCounts, count_distances
from protocols.ranking.identification import Identification
from protocols.ranking.retrieval import search
from protocols.reid.comparison import ReidComparison, compare_sets
from protocols.reid.evaluate import RANKS, identify_pair, judge_pair
from protocols.reid.pairs import Pair, PairProtocol
from protocols.reid.rules import ReidRule, reid_rule
from protocols.reid.table import PairResult
from protocols.reid.walks import number_walks


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
        person = self.data.subject
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
