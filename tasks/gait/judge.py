"""Embeddings of walks judged by a gait protocol; no network is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable
from protocols.gait.text import render_gait
from tasks.gait.settings import GaitSettings
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.gait.spec import GaitQuery


def gait_table(
    embeddings: Embeddings, settings: GaitSettings, query: GaitQuery | None = None
) -> GaitTable:
    """The table of a protocol under the settings, or what a query has instead of them.

    Raises:
        ValueError: there is no such protocol or rule, or it does not fit the embeddings.
    """
    seed = settings.train.seed if query is None or query.seed is None else query.seed
    return evaluate_gait(
        embeddings,
        settings.gallery_probe(),
        settings.rule,
        metric=None if query is None else query.metric,
        generator=np.random.default_rng(seed),
    )


def judge(embeddings: Embeddings, settings: GaitSettings | None, query: GaitQuery | None) -> Judged:
    """A protocol's table, with bootstrap intervals over people (2,000 draws, seed 0).

    Args:
        embeddings: of the test people.
        settings: the run's; None: the defaults.
        query: what was chosen instead of the settings.

    Raises:
        ValueError: as `gait_table`.
    """
    chosen = {} if query is None else query.chosen()
    own = (settings or GaitSettings()).model_copy(update=chosen)
    table = gait_table(embeddings, own, query)
    seed = own.train.seed if query is None or query.seed is None else query.seed

    def render(name: str, baselines: Mapping[str, Judged]) -> str:
        others = {other: judged.tables[0] for other, judged in baselines.items()}
        return render_gait(table, name, baselines=others)

    return Judged(
        protocol=table.protocol,
        rule=table.rule.name,
        metrics=table.metrics,
        intervals=table.intervals(np.random.default_rng(0)),
        counts=table.counts,
        notes=table.notes,
        cells=table.record_cells(),
        render=render,
        evaluation={"metric": table.metric, "gallery_seed": seed},
        chosen=own.model_dump(mode="json", include={"protocol", "gallery_takes", "rule"}),
        tables=(table,),
    )
