"""Biometric measures of every pair of sets: verification and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from protocols.biometrics.evaluate import evaluate_trials
from protocols.biometrics.table import BiometricsTable
from protocols.biometrics.tally import POOLED, POOLED_WORDS
from protocols.biometrics.text import render_biometrics
from protocols.biometrics.trials import Trials, check_apart, pair_trials
from protocols.embeddings import Embeddings
from protocols.pair_scores import PairScores
from protocols.reid.pairs import Pair, PairProtocol, load_pairs
from protocols.reid.rules import ReidRule, reid_rule
from protocols.text import render_notes
from tasks.reid.settings import ReidSettings
from tasks.reid.spec import ReidBiometricsQuery
from tasks.run.judged import Intervals, Judged


def measure(
    embeddings: Embeddings | PairScores,
    settings: ReidSettings | None,
    query: ReidBiometricsQuery,
    development: Embeddings | None,
    acquired: object,
) -> Judged:
    """Verification and thresholds of every pair of sets, with intervals over people.

    Args:
        embeddings: embeddings of the test sequences, or scores of pairs.
        settings: settings of the run; None: the defaults.
        query: what to measure.
        development: embeddings of the people on whom thresholds are chosen.
        acquired: not used: it is unknown which sequences gave no embedding.

    Raises:
        ValueError: there is no such protocol or rule, a set of a pair is missing, or somebody is
            both a test and a development person.
    """
    del acquired
    if development is not None:
        check_apart(embeddings, development)
    own, pairs = (settings or ReidSettings()).chosen_pairs()
    protocol = own if query.protocol is None else load_pairs(query.protocol)
    pairs = pairs if protocol is own else protocol.pairs
    rule = reid_rule(query.rule)
    tables: dict[str, BiometricsTable] = {}
    notes: list[str] = []
    for pair in pairs:
        trials, missing = _development_trials(development, protocol, pair, rule, query)
        notes += missing
        table = evaluate_trials(
            pair_trials(embeddings, protocol, pair, rule, metric=query.metric),
            trials,
            targets=query.targets,
            rotations=query.rotations,
            generator=np.random.default_rng(query.seed),
        )
        tables[pair.name] = _without_pooled(table)
    same_set = [pair.name for pair in pairs if pair.same_set]
    if rule.hidden == "self" and same_set:
        notes.append(
            f"{', '.join(same_set)}: sequences of one walk are compared with each other, which is "
            "optimistic; --rule cross-take excludes them."
        )
    intervals = {name: _intervals(table) for name, table in tables.items()}
    counts: dict[str, int] = {}
    by_table: list[str] = []
    for name, table in tables.items():
        counts |= {f"{key}/{name}": n for key, n in table.counts.items() if "/" not in key}
        by_table += [f"{name}: {note}" for note in table.notes]

    def render(_title: str, _baselines: Mapping[str, Judged]) -> str:
        texts = [render_biometrics(table, intervals=intervals[n]) for n, table in tables.items()]
        return "\n\n".join([*texts, *([render_notes(notes)] if notes else [])])

    return Judged(
        protocol=protocol.name,
        rule="",
        # Each name ends in its pair already.
        metrics={key: value for table in tables.values() for key, value in table.metrics.items()},
        intervals={key: ends for each in intervals.values() for key, ends in each.items()},
        counts=counts,
        notes=(*by_table, *notes),
        cells={"pairs": {name: table.record_cells() for name, table in tables.items()}},
        render=render,
        evaluation={"rule": rule.name},
    )


def _development_trials(
    development: Embeddings | None,
    protocol: PairProtocol,
    pair: Pair,
    rule: ReidRule,
    query: ReidBiometricsQuery,
) -> tuple[Trials | None, list[str]]:
    """The pair's comparisons of the development people; None, and why, if they lack a set."""
    if development is None:
        return None, []
    try:
        return pair_trials(development, protocol, pair, rule, metric=query.metric), []
    except ValueError as error:
        return None, [f"{pair.name}: no thresholds from the development people. {error}"]


def _without_pooled(table: BiometricsTable) -> BiometricsTable:
    """A table of one pair without the values over all conditions, which repeat the pair's."""
    (name,) = table.conditions
    mark = f"/{name}"
    return replace(
        table,
        metrics={key: value for key, value in table.metrics.items() if key.endswith(mark)},
        applied=tuple(row for row in table.applied if row.condition != POOLED),
        notes=tuple(
            note.replace(f" {POOLED_WORDS}, ", " ")
            for note in table.notes
            if f" {POOLED_WORDS} " not in f"{note} "
        ),
        tallies={name: table.tallies[name]},
    )


def _intervals(table: BiometricsTable) -> Intervals:
    """Intervals of the pair's metrics (2,000 draws, seed 0)."""
    found = table.intervals(np.random.default_rng(0))
    return {key: ends for key, ends in found.items() if key in table.metrics}
