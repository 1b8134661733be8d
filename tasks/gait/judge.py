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
from tasks.gait.settings import GaitSettings
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.gait.spec import GaitQuery


def gait_table(
    embeddings: Embeddings,
    settings: GaitSettings,
    metric: Metric | None = None,
    seed: int | None = None,
) -> GaitTable:
    """Evaluate the protocol of the settings; by default with their seed and the rule's metric.

    Raises:
        ValueError: there is no such protocol or rule, or it does not fit the embeddings.
    """
    generator = np.random.default_rng(settings.train.seed if seed is None else seed)
    protocol = settings.gallery_probe()
    return evaluate_gait(embeddings, protocol, settings.rule, metric=metric, generator=generator)


def judge(embeddings: Embeddings, settings: GaitSettings | None, query: GaitQuery | None) -> Judged:
    """Evaluate a gait protocol, with bootstrap intervals over people (2,000 draws, seed 0).

    Args:
        embeddings: embeddings of the test people.
        settings: settings of the run; None: the defaults.
        query: overrides of the settings.

    Raises:
        ValueError: as `gait_table`.
    """
    chosen = {} if query is None else query.chosen()
    own = (settings or GaitSettings()).model_copy(update=chosen)
    seed = own.train.seed if query is None or query.seed is None else query.seed
    table = gait_table(embeddings, own, None if query is None else query.metric, seed)

    intervals = table.intervals(np.random.default_rng(0))

    def render(name: str, baselines: Mapping[str, Judged]) -> str:
        others = {other: judged.tables[0] for other, judged in baselines.items()}
        return render_gait(table, name, baselines=others, intervals=intervals)

    return Judged.of_table(
        table,
        table.rule.name,
        intervals,
        render,
        evaluation={"metric": table.metric, "gallery_seed": seed},
        chosen=own.model_dump(mode="json", include={"protocol", "gallery_takes", "rule"}),
        tables=(table,),
        tested=embeddings.fingerprint,
    )
