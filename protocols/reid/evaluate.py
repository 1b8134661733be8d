"""Person re-identification: embeddings of sequences in, the table of a protocol out.

The protocol says which set of sequences is searched for which (:mod:`protocols.reid.pairs`), the
rule what a probe may see and how its ranking is judged (:mod:`protocols.reid.rules`). Identities
are compared by name, never by position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from protocols.embeddings import Embeddings, TextArray
from protocols.pair_scores import GIVEN, PairScores, split_scores
from protocols.ranking.distances import FloatArray, Metric
from protocols.ranking.engines import Device
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.gpu import Engine, refuse_device
from protocols.ranking.identification import (
    Identification,
    Unmated,
    identify,
    identify_by_distances,
)
from protocols.reid.comparison import ReidComparison, compare_sets
from protocols.reid.pairs import Pair, PairProtocol, load_pairs
from protocols.reid.rules import ReidRule, reid_rule
from protocols.reid.table import Level, PairResult, ReidTable
from protocols.reid.walks import pool_walks
from protocols.statistics.intervals import sum_by_person

RANKS = (1, 5, 10)
"""Ranks that are reported."""

Measuring = Callable[
    [npt.NDArray[np.float32], npt.NDArray[np.float32] | None, Metric],
    Iterable[tuple[slice, FloatArray]],
]
"""Distances of (P, D) probes to a (G, D) gallery by blocks of probe rows, such as re-ranked ones
(:func:`protocols.ranking.reranking.rerank`). The gallery is None where probe and gallery share the
same sequences: a copy of each would take the place of a neighbour."""


def evaluate_reid(
    embeddings: Embeddings | PairScores,
    protocol: PairProtocol | str | Path,
    pairs: Iterable[Pair | str] | None = None,
    rule: ReidRule | str = "clean",
    *,
    metric: Metric | None = None,
    level: Level = "sequence",
    depth: int = 20,
    device: Device = "auto",
    engine: Engine | None = None,
    precision: bool = True,
    measuring: Measuring | None = None,
) -> ReidTable:
    """Evaluate embeddings under a re-identification protocol.

    Args:
        embeddings: One a sequence, or scores of pairs of sequences; ``condition`` holds what the
            protocol's ``field`` names. Their order decides ties (the lowest gallery row wins) and
            what ``transg`` drops.
        protocol: The sets, or the name or file of a pair protocol.
        pairs: Which pairs, as texts such as ``C-N`` or from :meth:`PairProtocol.pair`; None takes
            the protocol's own, without those of which a set is absent (a note names them).
        rule: The rule, or its name.
        metric: ``cosine`` or ``euclidean``; None takes the rule's own.
        level: ``sequence``; ``walk`` pools the sequences of each walk first
            (:func:`protocols.reid.walks.pool_walks`) and drops no partial batch.
        depth: Length of the CMC.
        device: Where to rank: ``cpu``, ``gpu`` or ``auto``
            (:func:`protocols.ranking.identification.identify`).
        engine: Ranks on a GPU; FAISS on one ranks only if ``precision`` is off.
        precision: Whether to compute mAP and mINP, from the whole ranking.
        measuring: Distances in place of the metric's; ``precision`` comes with them.

    Returns:
        The table with its counts and notes.

    Raises:
        ValueError: A pair or set is unknown or has no sequences, the rule or level needs a take or
            camera that is not there, cosine meets an embedding of zeros, ``gpu`` cannot be had, or
            a setting is unknown.
    """
    spec = protocol if isinstance(protocol, PairProtocol) else load_pairs(protocol)
    used = reid_rule(rule) if isinstance(rule, str) else rule
    if not precision and measuring is None:
        ranks = tuple(name for name in used.measures if name not in ("mAP", "mINP"))
        used = replace(used, measures=ranks)
    scores, embeddings = split_scores(embeddings, metric)
    if scores is not None and (level == "walk" or measuring is not None):
        raise ValueError(
            "Whole walks, re-ranking and query expansion need embeddings, and these are scores."
        )
    refuse_device(device, scores is not None or measuring is not None)
    chosen = metric or used.metric
    if level not in ("sequence", "walk"):
        raise ValueError(f"level must be sequence or walk, not {level!r}.")
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}.")
    if chosen == "cosine" and scores is None:
        embeddings.require_directions()
    wanted, notes = _wanted(spec, pairs, embeddings.condition)
    notes += _ignored(spec, embeddings.condition)
    notes = embeddings.read_alike("condition", "take", "view", "camera") + notes
    notes += embeddings.repeats()
    data = embeddings
    if level == "walk":
        data = pool_walks(embeddings)
        used = replace(used, batch=None)  # no published code drops walks
        notes += _walk_notes(len(embeddings), len(data), used)
    results: list[PairResult] = []
    sample_counts = np.zeros((len(data), 2), dtype=np.int64)
    for pair in wanted:
        comparison = compare_sets(data, spec, pair, used)
        found = identify_pair(
            data,
            comparison,
            used,
            chosen,
            depth,
            precision="mAP" in used.measures,
            device=device,
            engine=engine,
            measuring=measuring,
            scores=scores,
        )
        results.append(judge_pair(data, comparison, used, found, depth))
        counted = _counting(found.mates > comparison.skip, used.unmated)
        right = np.stack([found.hits(1) & counted, counted], axis=1)
        np.add.at(sample_counts, comparison.probe, right.astype(np.int64))
        notes += comparison.notes
    notes += _remarks(used, level, results)
    shown = chosen if scores is None else GIVEN
    return ReidTable(
        spec.name,
        used,
        shown,
        level,
        tuple(results),
        sample_counts,
        tuple(dict.fromkeys(notes)),
    )


def _wanted(
    spec: PairProtocol, pairs: Iterable[Pair | str] | None, condition: TextArray
) -> tuple[list[Pair], tuple[str, ...]]:
    """The pairs to evaluate, and a note on absent ones."""
    if pairs is not None:
        parsed = [spec.parse(pair) if isinstance(pair, str) else spec.pair(*pair) for pair in pairs]
        if not parsed:
            raise ValueError("There is no pair to evaluate: name one, or leave pairs out.")
        return list(dict.fromkeys(parsed)), ()
    here = {letter for letter in spec.sets if spec.members(letter, condition).any()}
    found = [pair for pair in spec.pairs if here.issuperset(pair)]
    if not found:  # the first pair's own error names the expected sets and those of the data
        return [spec.pairs[0]], ()
    absent = ", ".join(pair.name for pair in spec.pairs if pair not in found)
    return found, ((f"Not evaluated, because sequences are missing: {absent}.",) if absent else ())


def _ignored(spec: PairProtocol, condition: TextArray) -> tuple[str, ...]:
    """A note on the sequences that no pair could have."""
    known = [spec.members(letter, condition) for letter in spec.sets]
    lost = int(np.count_nonzero(~np.any(known, axis=0)))
    return (
        (f"Left out because in no set of {spec.name}: {lost} of {len(condition)}.",) if lost else ()
    )


def _walk_notes(sequences: int, walks: int, rule: ReidRule) -> tuple[str, ...]:
    note = (
        f"Whole walks: {sequences} sequences pooled into {walks} walks by the mean of their unit "
        "embeddings."
    )
    if rule.hidden != "walk":
        return (note,)
    return note, f"At walk level a walk is one embedding: {rule.name} removes what clean does."


def identify_pair(
    data: Embeddings,
    comparison: ReidComparison,
    rule: ReidRule,
    metric: Metric,
    depth: int,
    *,
    precision: bool,
    device: Device = "auto",
    engine: Engine | None = None,
    measuring: Measuring | None = None,
    scores: PairScores | None = None,
) -> Identification:
    """Rank the gallery of a pair for every probe.

    Args:
        data: The embeddings that the comparison was laid out on.
        comparison: The pair.
        rule: The rule.
        metric: ``cosine`` or ``euclidean``.
        depth: The deepest rank wanted; rank 10 at least is searched.
        precision: Whether to compute AP and INP; ``measuring`` comes with them.
        device: Where to rank.
        engine: Ranks on a GPU.
        measuring: Distances in place of the metric's.
        scores: Scores in place of the embeddings.

    Returns:
        The results of the probes.
    """
    probe, gallery = comparison.probe, comparison.gallery
    person = data.subject
    deepest = max(depth, *RANKS)
    blocks: Iterable[tuple[slice, FloatArray]] | None = None
    if scores is not None:
        blocks = scores.blocks(probe, gallery, comparison.exclude)
    elif measuring is not None:
        stored = None if comparison.pair.same_set else data.embedding[gallery]
        blocks = measuring(data.embedding[probe], stored, metric)
    if blocks is not None:
        return identify_by_distances(
            blocks,
            person[probe],
            person[gallery],
            exclude=comparison.exclude,
            depth=deepest,
            ties=rule.ties,
            skip=comparison.skip,
        )
    return identify(
        data.embedding[probe],
        data.embedding[gallery],
        person[probe],
        person[gallery],
        exclude=comparison.exclude,
        depth=deepest,
        precision=precision,
        metric=metric,
        device=device,
        engine=engine,
        ties=rule.ties,
        skip=comparison.skip,
    )


def judge(
    found: Identification, rule: ReidRule, *, skip: int = 0, lost: int = 0
) -> tuple[tuple[str, ...], FloatArray, BoolArray]:
    """Judge each probe under a rule.

    Args:
        found: The results of the P probes.
        rule: The rule.
        skip: Nearest rows that rank-k left out; they are no mates.
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
        if name in rule.measures:
            measures.append(name)
            values.append(np.nan_to_num(each))
            # A self-match that rank-k leaves out is a mate in TranSG's mAP, and only there.
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
    """Judge a pair: sum the measures of its probes by person.

    Args:
        data: The embeddings that the comparison was laid out on.
        comparison: The pair.
        rule: The rule.
        found: The results of its probes, to rank 10 and ``depth`` at least.
        depth: Length of the CMC.

    Returns:
        The sums, the CMC and the counts.
    """
    skip = comparison.skip
    measures, values, counted = judge(found, rule, skip=skip, lost=comparison.lost)
    people, person = np.unique(data.subject[comparison.probe], return_inverse=True)
    mated = found.mates > skip
    ranked = _counting(mated, rule.unmated)
    share = np.maximum(found.mates - skip, 0) / np.maximum(found.candidates - skip, 1)
    return PairResult(
        pair=comparison.pair,
        measures=measures,
        people=tuple(people.tolist()),
        sums=sum_by_person(np.where(counted, values, 0.0).T, person, len(people)),
        trials=sum_by_person(counted.T, person, len(people)),
        cmc=found.cmc(ranked)[:depth],
        chance=float(share[ranked].mean()) if ranked.any() else float("nan"),
        counts={
            "probes": len(comparison.probe),
            "valid": int(np.count_nonzero(mated)),
            "unmated": int(np.count_nonzero(~mated)),
            "gallery": len(comparison.gallery),
            "dropped": comparison.dropped,
        },
    )


def _remarks(rule: ReidRule, level: Level, results: list[PairResult]) -> tuple[str, ...]:
    """Notes on what the rule drops, hides or counts as wrong."""
    notes: list[str] = []
    if dropped := _listed(results, "dropped"):
        notes.append(
            f"Rule {rule.name} drops the last partial batch of {rule.batch} sequences of each set: "
            f"{dropped}."
        )
    if unmated := _listed(results, "unmated"):
        fates = dict.fromkeys([rule.unmated, rule.unmated_precision])
        fate = " in rank-k, ".join(fates) + (" in mAP" if len(fates) > 1 else "")
        notes.append(f"Probes without a mate that they may see ({fate}): {unmated}.")
    empty = [result.pair.name for result in results if "rank1" not in result.metrics]
    if empty:
        notes.append(f"No value for {', '.join(empty)}: no probe has a mate that it may see.")
    same = [result.pair.name for result in results if result.pair.same_set]
    if same and level == "sequence" and rule.hidden in ("nothing", "self"):
        notes.append(
            f"{', '.join(same)}: probes and gallery are the same sequences, so that a probe finds "
            "other sequences of its own walk; rule cross-take removes them."
        )
    return tuple(notes)


def _listed(results: list[PairResult], count: str) -> str:
    """The pairs with a count above zero, and the count."""
    return ", ".join(
        f"{result.pair.name} {result.counts[count]}" for result in results if result.counts[count]
    )
