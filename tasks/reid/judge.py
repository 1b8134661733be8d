"""Embeddings of sequences judged pair by pair; no network is needed."""

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
from protocols.reid.table import ReidTable
from protocols.reid.text import render_reid
from tasks.reid.settings import ReidSettings
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.reid.spec import ReidQuery

Vectors = npt.NDArray[np.float32]


def judge(embeddings: Embeddings, settings: ReidSettings | None, query: ReidQuery | None) -> Judged:
    """The tables of the pairs: of a run itself all that its settings name, of a query one.

    The first table's figures go by their name, the others' after their own. Intervals are
    bootstrapped over people (2,000 draws, seed 0).

    Args:
        embeddings: of the test sequences.
        settings: the run's; None: all pairs of the protocol there are, under rule `clean`.
        query: what was chosen instead of the settings.

    Raises:
        ValueError: there is no such protocol, pair or rule, or a set of a pair is not there.
    """
    own = settings or ReidSettings()
    if query is None:
        tables = _all_tables(embeddings, own)
        chosen: dict[str, Any] = {}
    else:
        table = _asked(embeddings, own, query, known=settings is not None)
        tables = {table.rule.name: table}
        chosen = _chosen(table, query, settings)
    (_, main), *others = tables.items()
    metrics, intervals = dict(main.metrics), main.intervals(np.random.default_rng(0))
    notes, cells = list(main.notes), {"main": main.record_cells()}
    for name, table in others:
        metrics |= {f"{name}/{key}": value for key, value in table.metrics.items()}
        said = table.intervals(np.random.default_rng(0))
        intervals |= {f"{name}/{key}": ends for key, ends in said.items()}
        notes += [f"{name}: {note}" for note in table.notes]

    def render(name: str, baselines: Mapping[str, Judged]) -> str:
        shown = name if query is None else query.named(name)
        below = {other: judged.tables[0] for other, judged in baselines.items()}
        beside = [render_reid(table, shown) for _, table in others]
        return "\n\n".join([render_reid(main, shown, baselines=below), *beside])

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
    )


def reid_table(embeddings: Embeddings, settings: ReidSettings, rule: str = "") -> ReidTable:
    """The table of the settings' pairs, under their rule unless another is named.

    Raises:
        ValueError: as `judge`.
    """
    return evaluate_reid(embeddings, *settings.chosen_pairs(), rule or settings.rule)


def _all_tables(embeddings: Embeddings, settings: ReidSettings) -> dict[str, ReidTable]:
    """The tables under the settings' rule, then under those beside it, then of whole walks.

    `cross-take` says nothing new where no set is looked for in itself, and whole walks nothing
    where there are no takes; both are left out there.
    """
    protocol, pairs = settings.chosen_pairs()
    rules = [settings.rule]
    known = bool((embeddings.take != "").all())
    for rule in settings.beside:
        useless = rule == "cross-take" and (not known or not any(pair.same_set for pair in pairs))
        if rule not in rules and not useless:
            rules.append(rule)
    tables: dict[str, ReidTable] = {rule: reid_table(embeddings, settings, rule) for rule in rules}
    if known:
        tables["walk"] = evaluate_reid(embeddings, protocol, pairs, settings.rule, level="walk")
    return tables


def _asked(
    embeddings: Embeddings, settings: ReidSettings, query: ReidQuery, *, known: bool
) -> ReidTable:
    """The one table that a query asks for; a known run's pairs are its own unless it says more."""
    own, chosen = settings.chosen_pairs()
    protocol = own if query.protocol is None else load_pairs(query.protocol)
    usual = chosen if known and protocol is own else None
    return evaluate_reid(
        embeddings,
        protocol,
        query.pairs(protocol, usual),
        query.rule or settings.rule,
        metric=query.metric,
        level=query.level,
        measuring=_measuring(query),
    )


def _measuring(query: ReidQuery) -> Measuring | None:
    """Distances after query expansion and re-ranking, where they are asked for."""
    expansion, reranking = query.expansion(), query.reranking()
    if expansion is None and reranking is None:
        return None

    def measure(probe: Vectors, gallery: Vectors | None, metric: Metric) -> DistanceBlocks:
        if expansion is not None:
            neighbours, exponent = expansion
            probe, stored = expand(probe, gallery, k=neighbours, alpha=exponent)
            gallery = None if gallery is None else stored
        if reranking is None:
            return plain_distances(probe, probe if gallery is None else gallery, metric)
        k1, k2, weight = reranking
        return rerank(probe, gallery, k1=k1, k2=k2, weight=weight, metric=metric)

    return measure


def plain_distances(probe: Vectors, gallery: Vectors, metric: Metric) -> DistanceBlocks:
    """The metric's own distances of (P, D) probes to a (G, D) gallery, by blocks of probes."""
    for block, squared in distance_blocks(*as_pair(probe, gallery, metric)):
        yield block, to_distance(squared, metric)


def _chosen(table: ReidTable, query: ReidQuery, own: ReidSettings | None) -> dict[str, Any]:
    """What was evaluated, as settings of the record; metric and level are there already.

    A record of one pair must not pass for a repeat of the run's own, while one that asks what the
    run asked is one: what is as in its settings keeps their spelling.
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
