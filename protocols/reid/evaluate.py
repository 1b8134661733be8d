"""Person re-identification: embeddings of sequences in, the table of a protocol out.

The protocol says which set is looked for in which (:mod:`protocols.reid.pairs`), the rule what a
probe may see and how its ranking is judged (:mod:`protocols.reid.rules`). Identities are compared
by name, never by position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from protocols.embeddings import Embeddings, TextArray
from protocols.names import canonical
from protocols.ranking.distances import METRICS, FloatArray, Metric
from protocols.ranking.identification import Identification, identify, identify_by_distances
from protocols.ranking.retrieval import Device
from protocols.reid.comparison import ReidComparison, compare_sets
from protocols.reid.judgement import RANKS, judge_pair
from protocols.reid.pairs import Pair, PairProtocol, load_pairs
from protocols.reid.rules import ReidRule, reid_rule
from protocols.reid.table import Level, PairResult, ReidTable
from protocols.reid.walks import pool_walks

Measuring = Callable[
    [npt.NDArray[np.float32], npt.NDArray[np.float32] | None, Metric],
    Iterable[tuple[slice, FloatArray]],
]
"""Distances of (P, D) probes to a (G, D) gallery by blocks of probe rows, such as re-ranked ones
(:func:`protocols.ranking.reranking.rerank`). The gallery is None where a set is looked for in
itself: each sequence is then there once, not beside a copy of itself that would take a neighbour's
    place."""

_BLOCK_BYTES = 256 * 2**20


def evaluate_reid(
    embeddings: Embeddings,
    protocol: PairProtocol | str | Path,
    pairs: Iterable[Pair | str] | None = None,
    rule: ReidRule | str = "clean",
    *,
    metric: Metric | None = None,
    level: Level = "sequence",
    depth: int = 20,
    device: Device = "auto",
    precision: bool = True,
    measuring: Measuring | None = None,
) -> ReidTable:
    """Evaluate embeddings under a re-identification protocol.

    Args:
        embeddings: One a sequence; ``condition`` holds what the protocol's ``field`` names. Their
            order decides ties (the lowest gallery row wins) and what ``transg`` drops.
        protocol: The sets, or the name or file of a pair protocol.
        pairs: Which pairs, as texts such as ``C-N`` or from :meth:`PairProtocol.pair`; None takes
            the protocol's own, without those of which a set is absent (a note names them).
        rule: The rule, or its name.
        metric: ``cosine`` or ``euclidean``; None takes the rule's own.
        level: ``sequence``; ``walk`` pools the sequences of each walk first
            (:func:`protocols.reid.walks.pool_walks`) and drops no partial batch.
        depth: Length of the CMC.
        device: Where FAISS searches if ``precision`` is off: ``auto``, ``cpu`` or ``gpu``.
        precision: Whether to compute mAP and mINP, from the whole ranking.
        measuring: Distances in place of the metric's; ``precision`` comes with them.

    Returns:
        The table with its counts and notes.

    Raises:
        ValueError: A pair or set is unknown or has no sequences, the rule or level needs a take or
            camera that is not there, cosine meets an embedding of zeros, or a setting is unknown.
    """
    spec = protocol if isinstance(protocol, PairProtocol) else load_pairs(protocol)
    used = reid_rule(rule) if isinstance(rule, str) else rule
    chosen = metric or used.metric
    _check_settings(chosen, level, depth)
    if chosen == "cosine":
        embeddings.require_directions()
    wanted, notes = _wanted(spec, pairs, embeddings.condition)
    data = embeddings
    if level == "walk":
        data, used, said = _at_walk_level(embeddings, used)
        notes += said
    results: list[PairResult] = []
    for pair in wanted:
        comparison = compare_sets(data, spec, pair, used)
        found = _identify(data, comparison, used, (chosen, device, precision), depth, measuring)
        results.append(judge_pair(data, comparison, used, found, depth))
        notes += comparison.notes
    notes += _remarks(used, level, results)
    return ReidTable(spec.name, used, chosen, level, tuple(results), tuple(dict.fromkeys(notes)))


def _check_settings(metric: str, level: str, depth: int) -> None:
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}.")
    if level not in ("sequence", "walk"):
        raise ValueError(f"level must be sequence or walk, not {level!r}.")
    if depth < 1:
        raise ValueError(f"depth must be at least 1, not {depth}.")


def _wanted(
    spec: PairProtocol, pairs: Iterable[Pair | str] | None, condition: TextArray
) -> tuple[list[Pair], tuple[str, ...]]:
    """The pairs to evaluate, and what is not there."""
    if pairs is not None:
        parsed = [spec.parse(pair) if isinstance(pair, str) else spec.pair(*pair) for pair in pairs]
        if not parsed:
            raise ValueError("There is no pair to evaluate: name one, or leave pairs out.")
        return list(dict.fromkeys(parsed)), ()
    here = {letter for letter in spec.sets if spec.members(letter, condition).any()}
    found = [pair for pair in spec.pairs if here.issuperset(pair)]
    if not found:  # the first pair's own error tells what was expected and what is there
        return [spec.pairs[0]], ()
    absent = [pair.name for pair in spec.pairs if pair not in found]
    if not absent:
        return found, ()
    return found, (f"Not evaluated, for want of sequences: {', '.join(absent)}.",)


def _at_walk_level(
    data: Embeddings, rule: ReidRule
) -> tuple[Embeddings, ReidRule, tuple[str, ...]]:
    """The pooled embeddings, and the rule for them: no code of the field's drops walks."""
    walks = pool_walks(data)
    notes = [
        f"Whole walks: {len(data)} sequences pooled into {len(walks)} walks by the mean of their "
        "unit embeddings."
    ]
    if rule.hidden == "walk":
        notes.append(f"At walk level a walk is one embedding: {rule.name} removes what clean does.")
    return walks, replace(rule, batch=None), tuple(notes)


def _identify(
    data: Embeddings,
    comparison: ReidComparison,
    rule: ReidRule,
    how: tuple[Metric, Device, bool],
    depth: int,
    measuring: Measuring | None,
) -> Identification:
    """Rank the gallery for every probe."""
    probe, gallery = comparison.probe, comparison.gallery
    person = canonical(data.subject)
    metric, device, precision = how
    deepest = max(depth, *RANKS)
    if measuring is not None:
        stored = None if comparison.pair.same_set else data.embedding[gallery]
        return identify_by_distances(
            measuring(data.embedding[probe], stored, metric),
            person[probe],
            person[gallery],
            exclude=comparison.exclude,
            depth=deepest,
            ties=rule.ties,
            skip=comparison.skip,
            block_bytes=_BLOCK_BYTES,
        )
    return identify(
        data.embedding[probe],
        data.embedding[gallery],
        person[probe],
        person[gallery],
        exclude=comparison.exclude,
        depth=deepest,
        precision=precision and "mAP" in rule.measures,
        metric=metric,
        device=device,
        block_bytes=_BLOCK_BYTES,
        ties=rule.ties,
        skip=comparison.skip,
    )


def _remarks(rule: ReidRule, level: Level, results: list[PairResult]) -> tuple[str, ...]:
    """What the figures must not be read without."""
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
    """The pairs of which a count is not zero, with it."""
    return ", ".join(
        f"{result.pair.name} {result.counts[count]}" for result in results if result.counts[count]
    )
