"""Evaluates embeddings of walks by a gait protocol, without the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable
from protocols.gait.text import render_gait
from protocols.ranking.distances import Metric
from protocols.ranking.engines import Device
from tasks.gait.settings import GaitSettings
from tasks.run.device import TorchEngine, ranking_device
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.gait.spec import GaitQuery


def gait_table(
    embeddings: Embeddings,
    settings: GaitSettings,
    metric: Metric | None = None,
    seed: int | None = None,
    rerank: tuple[int, int, float] | None = None,
    device: Device = "auto",
) -> GaitTable:
    """Evaluate the protocol of the settings; by default with their seed and the rule's metric.

    `rerank` has k1, k2 and weight of re-ranking; by default the protocol's own, if any. `device` is
    where to rank (`tasks.run.device.ranking_device`).

    Raises:
        ValueError: there is no such protocol or rule, or it does not fit the embeddings.
    """
    generator = np.random.default_rng(settings.train.seed if seed is None else seed)
    protocol = settings.gallery_probe()
    return evaluate_gait(
        embeddings,
        protocol,
        settings.rule,
        metric=metric,
        device=ranking_device(settings.train, device),
        engine=TorchEngine(),
        rerank=rerank,
        generator=generator,
    )


def judge(embeddings: Embeddings, settings: GaitSettings | None, query: GaitQuery | None) -> Judged:
    """Evaluate a gait protocol, with bootstrap intervals over people (2,000 draws, seed 0).

    Args:
        embeddings: embeddings of the test people.
        settings: settings of the run; None: the defaults.
        query: overrides of the settings.

    Raises:
        ValueError: as `gait_table`.
    """
    own = _chosen(settings, query)
    seed = own.train.seed if query is None or query.seed is None else query.seed
    metric, rerank = (None, None) if query is None else (query.metric, query.reranking())
    device: Device = "auto" if query is None else query.device
    table = gait_table(embeddings, own, metric, seed, rerank, device)

    intervals = table.intervals(np.random.default_rng(0))

    def render(name: str, baselines: Mapping[str, Judged]) -> str:
        others = {other: judged.tables[0] for other, judged in baselines.items()}
        return render_gait(table, name, baselines=others, intervals=intervals)

    names = {"protocol", "gallery_takes", "rule", *(["probes"] if own.probes else [])}

    return Judged.of_table(
        table,
        table.rule.name,
        intervals,
        render,
        evaluation={
            "metric": table.metric,
            "gallery_seed": seed,
            **({"rerank": table.rerank} if table.rerank else {}),
        },
        chosen=own.model_dump(mode="json", include=names),
        tables=(table,),
        tested=embeddings.fingerprint,
        sample_counts=table.sample_counts,
    )


def _chosen(settings: GaitSettings | None, query: GaitQuery | None) -> GaitSettings:
    """The settings with the overrides of a query.

    Where the protocol is not that of a run, neither is the list of its probes, and the rule is the
    protocol's own, if it has one.
    """
    own = settings or GaitSettings()
    chosen = {} if query is None else query.chosen()
    if settings is None or "protocol" in chosen:
        own = own.model_copy(update={"probes": None, **chosen})
        return own.model_copy(update={"rule": own.gallery_probe().rule or own.rule, **chosen})
    return own.model_copy(update=chosen)
