"""Embeddings of walks judged by a gait protocol; no network is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.biometrics.text import render_biometrics
from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable
from protocols.gait.text import render_gait
from tasks.gait.settings import GaitSettings
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.gait.spec import GaitQuery
    from tasks.run.biometrics import Measured
    from tasks.run.queries import BiometricsQuery


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


def measure(
    embeddings: Embeddings,
    settings: GaitSettings | None,
    query: BiometricsQuery,
    development: Embeddings | None,
    acquired: Mapping[str, int] | None,
) -> Measured:
    """Biometric measures of a gait protocol's comparisons, with intervals over people.

    Args:
        embeddings: of the test people.
        settings: the run's; None: the defaults.
        query: what to measure, and how.
        development: people on whom thresholds are chosen.
        acquired: probes by condition that gave no embedding; None: that is not known.

    Raises:
        ValueError: there is no such protocol, or it does not fit the embeddings.
    """
    from tasks.run.biometrics import Measured

    own = settings or GaitSettings()
    if query.protocol is not None:
        own = own.model_copy(update={"protocol": query.protocol, "gallery_takes": None})
    table = evaluate_biometrics(
        embeddings,
        own.gallery_probe(),
        development=development,
        metric=query.metric,
        targets=query.targets,
        rotations=query.rotations,
        not_acquired=acquired,
        generator=np.random.default_rng(query.seed),
    )
    intervals = table.intervals(np.random.default_rng(0))

    def render(notes: tuple[str, ...]) -> str:
        return render_biometrics(replace(table, notes=notes), intervals=intervals)

    return Measured(
        protocol=table.protocol,
        metrics=table.metrics,
        intervals=intervals,
        counts=table.counts,
        notes=table.notes,
        cells=table.record_cells(),
        render=render,
        evaluation={},
    )
