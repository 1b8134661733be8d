"""Evaluates embeddings of sequences pair by pair, without the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from protocols.embeddings import Embeddings
from protocols.ranking.distances import Metric, as_pair, distance_blocks, to_distance
from protocols.ranking.expansion import expand
from protocols.ranking.reranking import DistanceBlocks, rerank
from protocols.reid.evaluate import Measuring, evaluate_reid
from protocols.reid.pairs import load_pairs
from protocols.reid.table import Level, ReidTable
from protocols.reid.text import render_reid
from tasks.reid.settings import ReidSettings
from tasks.run.device import TorchEngine, ranking_device
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.reid.spec import ReidQuery

Vectors = npt.NDArray[np.float32]


def judge(embeddings: Embeddings, settings: ReidSettings | None, query: ReidQuery | None) -> Judged:
    """Evaluate the pairs of the settings under all their rules, or of a query under one rule.

    Metrics of the first table have plain names, those of the others the table's name as prefix.
    Intervals are bootstrapped over people (2,000 draws, seed 0).

    Args:
        embeddings: embeddings of the test sequences.
        settings: settings of the run; None: the defaults, with all pairs of the protocol.
        query: overrides of the settings.

    Raises:
        ValueError: there is no such protocol, pair or rule, or a set of a pair is missing.
    """
    own = settings or ReidSettings()
    if query is None:
        tables = _all_tables(embeddings, own)
        chosen: dict[str, Any] = {}
    else:
        table = _query_table(embeddings, own, query, known=settings is not None)
        tables = {table.rule.name: table}
        chosen = _chosen(table, query, settings)
    (_, main), *others = tables.items()
    metrics, intervals = dict(main.metrics), main.intervals(np.random.default_rng(0))
    notes, cells = list(main.notes), {"main": main.record_cells()}
    ends = [dict(intervals)]
    for name, table in others:
        metrics |= {f"{name}/{key}": value for key, value in table.metrics.items()}
        bounds = table.intervals(np.random.default_rng(0))
        intervals |= {f"{name}/{key}": both for key, both in bounds.items()}
        ends.append(bounds)
        notes += [f"{name}: {note}" for note in table.notes]

    def render(name: str, baselines: Mapping[str, Judged]) -> str:
        title = name if query is None else query.named(name)
        tables = {other: judged.tables[0] for other, judged in baselines.items()}
        first, *rest = ends
        texts = [render_reid(main, title, baselines=tables, intervals=first)]
        for (_, table), bounds in zip(others, rest, strict=True):
            texts.append(render_reid(table, title, intervals=bounds))
        return "\n\n".join(texts)

    return Judged(
        protocol=main.protocol,
        rule=main.rule.name,
        metrics=metrics,
        intervals=intervals,
        counts=main.counts,
        notes=tuple(notes),
        cells=cells,
        render=render,
        evaluation={"metric": main.metric, "level": main.level},
        chosen=chosen,
        tables=(main,),
        tested=embeddings.fingerprint,
        sample_counts=main.sample_counts,
    )


def reid_table(
    embeddings: Embeddings, settings: ReidSettings, rule: str = "", level: Level = "sequence"
) -> ReidTable:
    """Evaluate the pairs of the settings, under their rule unless another is given.

    Raises:
        ValueError: as `judge`.
    """
    return evaluate_reid(
        embeddings,
        *settings.chosen_pairs(),
        rule or settings.rule,
        level=level,
        device=ranking_device(settings.train),
        engine=TorchEngine(),
    )


def _all_tables(embeddings: Embeddings, settings: ReidSettings) -> dict[str, ReidTable]:
    """The tables under the settings' rule and their further rules, and of whole walks.

    `cross-take` is skipped if it adds nothing because no pair has probe and gallery in the same
    set; it and whole walks are skipped if the takes are unknown.
    """
    _, pairs = settings.chosen_pairs()
    rules = [settings.rule]
    known = bool((embeddings.take != "").all())
    for rule in settings.beside:
        skipped = rule == "cross-take" and (not known or not any(pair.same_set for pair in pairs))
        if rule not in rules and not skipped:
            rules.append(rule)
    tables: dict[str, ReidTable] = {rule: reid_table(embeddings, settings, rule) for rule in rules}
    if known:
        tables["walk"] = reid_table(embeddings, settings, level="walk")
    return tables


def _query_table(
    embeddings: Embeddings, settings: ReidSettings, query: ReidQuery, *, known: bool
) -> ReidTable:
    """The table of a query; by default of the settings' pairs if they are a run's, else of all."""
    own, chosen = settings.chosen_pairs()
    protocol = own if query.protocol is None else load_pairs(query.protocol)
    default = chosen if known and protocol is own else None
    return evaluate_reid(
        embeddings,
        protocol,
        query.pairs(protocol, default),
        query.rule or settings.rule,
        metric=query.metric,
        level=query.level,
        device=ranking_device(settings.train, query.device),
        engine=TorchEngine(),
        measuring=_measuring(query),
    )


def _measuring(query: ReidQuery) -> Measuring | None:
    """Distances after query expansion and re-ranking; None without either."""
    expansion, reranking = query.expansion(), query.reranking()
    if expansion is None and reranking is None:
        return None

    def measure(probe: Vectors, gallery: Vectors | None, metric: Metric) -> DistanceBlocks:
        if expansion is not None:
            neighbours, exponent = expansion
            probe, stored = expand(probe, gallery, k=neighbours, alpha=exponent)
            gallery = None if gallery is None else stored
        if reranking is None:
            return _plain_distances(probe, probe if gallery is None else gallery, metric)
        k1, k2, weight = reranking
        return rerank(probe, gallery, k1=k1, k2=k2, weight=weight, metric=metric)

    return measure


def _plain_distances(probe: Vectors, gallery: Vectors, metric: Metric) -> DistanceBlocks:
    """The metric's distances of (P, D) probes to a (G, D) gallery, by blocks of probes."""
    for block, squared in distance_blocks(*as_pair(probe, gallery, metric)):
        yield block, to_distance(squared, metric)


def _chosen(table: ReidTable, query: ReidQuery, own: ReidSettings | None) -> dict[str, Any]:
    """What was evaluated, as settings of the record, apart from metric and level.

    A record of one pair must differ from the run's own, while one of the same protocol and pairs
    must equal it: these keep the spelling of the run's settings.
    """
    pairs: Sequence[str] | None = [result.pair.name for result in table.pairs]
    protocol = table.protocol
    if own is not None and query.protocol in (None, own.protocol):
        protocol = own.protocol
        if pairs == [pair.name for pair in own.chosen_pairs()[1]]:
            pairs = own.pairs
    return {
        "protocol": protocol,
        "pairs": None if pairs is None else list(pairs),
        "rule": table.rule.name,
        "rerank": query.reranking(),
        "expand": query.expansion(),
    }
