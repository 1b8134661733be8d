"""From the ranking of each probe to the figures of a pair, as a rule says."""

from __future__ import annotations

import numpy as np

from protocols.embeddings import Embeddings
from protocols.names import canonical
from protocols.ranking.distances import FloatArray
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.identification import Identification, Unmated
from protocols.reid.comparison import ReidComparison
from protocols.reid.rules import ReidRule
from protocols.reid.table import PairResult
from protocols.statistics.intervals import sum_by_person

RANKS = (1, 5, 10)
"""Ranks that are reported."""


def judge(
    found: Identification, rule: ReidRule, *, skip: int = 0, lost: int = 0
) -> tuple[tuple[str, ...], FloatArray, BoolArray]:
    """Judge each probe under a rule.

    Args:
        found: What became of the P probes.
        rule: The rule.
        skip: Nearest rows that rank-k looked past; they are no mates.
        lost: Probes at the head that mAP leaves out.

    Returns:
        Q measures, their (P, Q) values, and the (P, Q) probes that count for them.
    """
    mated = found.mates > skip
    measures: list[str] = []
    values: list[FloatArray] = []
    counted: list[BoolArray] = []
    for k in RANKS:
        if f"rank{k}" in rule.measures:
            measures.append(f"rank{k}")
            values.append(found.hits(k).astype(np.float64))
            counted.append(_counting(mated, rule.unmated))
    for name, each in (("mAP", found.average_precision), ("mINP", found.inverse_penalty)):
        if name in rule.measures and each is not None:
            measures.append(name)
            values.append(np.nan_to_num(each))
            # A self-match that rank-k looks past is a mate in TranSG's mAP, and only there.
            used = _counting(found.mates > 0, rule.unmated_precision)
            used[:lost] = False
            counted.append(used)
    return tuple(measures), np.stack(values, axis=1), np.stack(counted, axis=1)


def _counting(mated: BoolArray, unmated: Unmated) -> BoolArray:
    """(P,) probes that a measure is divided by."""
    return mated.copy() if unmated == "skip" else np.ones_like(mated)


def judge_pair(
    data: Embeddings, comparison: ReidComparison, rule: ReidRule, found: Identification, depth: int
) -> PairResult:
    """Judge a pair: sum what the rule says of each probe by person.

    Args:
        data: The embeddings that the comparison was laid out on.
        comparison: The pair.
        rule: The rule.
        found: What became of its probes, to rank 10 and ``depth`` at least.
        depth: Length of the CMC.

    Returns:
        The sums, the CMC and the counts.
    """
    skip = comparison.skip
    measures, values, counted = judge(found, rule, skip=skip, lost=comparison.lost)
    people, person = np.unique(canonical(data.subject[comparison.probe]), return_inverse=True)
    mated = found.mates > skip
    ranked = _counting(mated, rule.unmated)
    share = np.maximum(found.mates - skip, 0) / np.maximum(found.candidates - skip, 1)
    return PairResult(
        pair=comparison.pair,
        measures=measures,
        people=tuple(people.tolist()),
        sums=sum_by_person(np.where(counted, values, 0.0).T, person, len(people)),
        trials=sum_by_person(counted.T, person, len(people)),
        cmc=_cmc(found, ranked, depth),
        chance=float(share[ranked].mean()) if ranked.any() else float("nan"),
        counts={
            "probes": len(comparison.probe),
            "valid": int(np.count_nonzero(mated)),
            "unmated": int(np.count_nonzero(~mated)),
            "gallery": len(comparison.gallery),
            "dropped": comparison.dropped,
        },
    )


def _cmc(found: Identification, ranked: BoolArray, depth: int) -> FloatArray:
    """(depth,) share of the counted probes with a mate within each rank."""
    first = found.first_mate[ranked & (found.first_mate > 0) & (found.first_mate <= depth)]
    hits = np.cumsum(np.bincount(first, minlength=depth + 1)[1:])
    total = int(np.count_nonzero(ranked))
    return np.asarray(hits / total if total else np.full(depth, np.nan), dtype=np.float64)
