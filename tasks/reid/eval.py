"""Re-identification without a network: saved embeddings in, table and record out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.config import load_settings
from protocols.embeddings import Embeddings, load_embeddings
from protocols.ranking.distances import Metric, as_pair, distance_blocks, to_distance
from protocols.ranking.expansion import expand
from protocols.ranking.reranking import DistanceBlocks, rerank
from protocols.records import ResultRecord
from protocols.reid.evaluate import Measuring, evaluate_reid
from protocols.reid.pairs import Pair, PairProtocol, load_pairs
from protocols.reid.table import Level, ReidTable
from protocols.reid.text import render_reid
from tasks.reid.run import make_record
from tasks.reid.settings import ReidSettings
from tasks.run.embeddings import FOREIGN, embeddings_dataset, run_embeddings, saved_by
from tasks.run.folder import SETTINGS
from tasks.run.records import read_record

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ReidQuery:
    """What to evaluate, and how; None where the run's settings, or the defaults, hold.

    Attributes:
        probe: letter or name of the probe set; with `gallery`.
        gallery: letter or name of the gallery set.
        all_pairs: all pairs of the protocol whose sets are there, also of a run for one pair.
        protocol: the pair protocol.
        rule: how a ranking is judged.
        metric: cosine or euclidean.
        level: sequence or walk.
        rerank: k1, k2 and the weight of the plain distance for k-reciprocal re-ranking.
        expand: neighbours and exponent of query expansion.
    """

    probe: str | None = None
    gallery: str | None = None
    all_pairs: bool = False
    protocol: str | None = None
    rule: str | None = None
    metric: Metric | None = None
    level: Level = "sequence"
    rerank: tuple[int, int, float] | None = None
    expand: tuple[int, float] | None = None

    def pairs(self, protocol: PairProtocol, default: Sequence[Pair] | None) -> list[Pair] | None:
        """The pairs meant.

        Raises:
            ValueError: only one end is given, both and all pairs, or there is no such set.
        """
        if self.all_pairs and (self.probe or self.gallery):
            raise ValueError("give either --all-pairs or --probe and --gallery")
        if (self.probe is None) != (self.gallery is None):
            raise ValueError(
                "give both --probe and --gallery, such as --probe C --gallery N, or --all-pairs"
            )
        if self.probe is not None and self.gallery is not None:
            return [protocol.pair(self.probe, self.gallery)]
        return None if default is None or self.all_pairs else list(default)


def evaluate_run(run: Path, query: ReidQuery, command: str) -> tuple[ResultRecord, str]:
    """Evaluate a run's saved test embeddings, under its own protocol unless told otherwise.

    Returns:
        The record, and the table as text.

    Raises:
        ValueError: the run has not ended, or something asked for is unknown.
    """
    embeddings = run_embeddings(run, "reid")
    settings = load_settings(ReidSettings, run / SETTINGS)
    before = read_record(run)
    own, chosen = settings.chosen_pairs()
    protocol = own if query.protocol is None else load_pairs(query.protocol)
    table = _table(embeddings, protocol, query, settings.rule, chosen if protocol is own else None)
    record = make_record(
        {table.rule.name: table},
        dataset=before.dataset,
        objective=before.objective,
        stream=before.stream,
        seed=before.seed,
        counts={k: n for k, n in before.counts.items() if k.startswith(("train", "dropped_"))},
        settings={**settings.model_dump(mode="json"), **_judged(table, query, settings)},
        command=command,
        seconds=before.seconds,
    )
    return record, render_reid(table, _name(record.objective, query))


def evaluate_file(path: Path, query: ReidQuery, command: str) -> tuple[ResultRecord, str]:
    """Evaluate anybody's embeddings of sequences (see `protocols.embeddings` for the file).

    The embeddings that a run saved are judged by its protocol unless told otherwise.

    Returns:
        The record (objective `embeddings`), and the table as text.

    Raises:
        ValueError: the file cannot be read, or a set of a pair is not in it.
    """
    embeddings = load_embeddings(path)
    protocol = load_pairs(query.protocol or _usual_protocol(path))
    table = _table(embeddings, protocol, query, "clean", None)
    dataset, known = embeddings_dataset(path)
    if not known:
        table = replace(table, notes=(*table.notes, FOREIGN))
    record = make_record(
        {table.rule.name: table},
        dataset=dataset,
        objective="embeddings",
        stream="",
        seed=None,
        counts={},
        settings=_judged(table, query),
        command=command,
        seconds=0.0,
    )
    return record, render_reid(table, _name(path.stem, query))


def _table(
    embeddings: Embeddings,
    protocol: PairProtocol,
    query: ReidQuery,
    rule: str,
    pairs: Sequence[Pair] | None,
) -> ReidTable:
    return evaluate_reid(
        embeddings,
        protocol,
        query.pairs(protocol, pairs),
        query.rule or rule,
        metric=query.metric,
        level=query.level,
        measuring=_measuring(query),
    )


def _measuring(query: ReidQuery) -> Measuring | None:
    """Distances after query expansion and re-ranking, where they are asked for."""
    if query.rerank is None and query.expand is None:
        return None

    def measure(probe: Vectors, gallery: Vectors | None, metric: Metric) -> DistanceBlocks:
        if query.expand is not None:
            neighbours, exponent = query.expand
            probe, stored = expand(probe, gallery, k=neighbours, alpha=exponent)
            gallery = None if gallery is None else stored
        if query.rerank is None:
            return plain_distances(probe, probe if gallery is None else gallery, metric)
        k1, k2, weight = query.rerank
        return rerank(probe, gallery, k1=k1, k2=k2, weight=weight, metric=metric)

    return measure


def plain_distances(probe: Vectors, gallery: Vectors, metric: Metric) -> DistanceBlocks:
    """The metric's own distances of (P, D) probes to a (G, D) gallery, by blocks of probes."""
    for block, squared in distance_blocks(*as_pair(probe, gallery, metric)):
        yield block, to_distance(squared, metric)


def _usual_protocol(path: Path) -> str:
    """The protocol of the re-identification run that saved the file, or the default."""
    info = saved_by(path)
    if info is not None and info.task == "reid":
        return load_settings(ReidSettings, path.parent / SETTINGS).protocol
    return str(ReidSettings.model_fields["protocol"].default)


def _judged(table: ReidTable, query: ReidQuery, own: ReidSettings | None = None) -> dict[str, Any]:
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
        "rerank": query.rerank,
        "expand": query.expand,
    }


def _name(objective: str, query: ReidQuery) -> str:
    """What is shown, with what was done to its distances."""
    done = [f"expanded {query.expand}"] if query.expand else []
    done += [f"re-ranked {query.rerank}"] if query.rerank else []
    return ", ".join([objective, *done])
