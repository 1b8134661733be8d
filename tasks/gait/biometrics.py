"""Biometric measures of walks: verification, thresholds from other people, open-set rates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.biometrics.text import render_biometrics
from protocols.embeddings import Embeddings
from protocols.pair_scores import PairScores
from tasks.gait.settings import GaitSettings
from tasks.run.judged import Judged
from tasks.run.queries import BiometricsQuery


def measure(
    embeddings: Embeddings | PairScores,
    settings: GaitSettings | None,
    query: BiometricsQuery,
    development: Embeddings | None,
    acquired: Mapping[str, int] | None,
) -> Judged:
    """Biometric measures of a gait protocol's comparisons, with intervals over people.

    Args:
        embeddings: embeddings of the test people, or scores of pairs: without a protocol of the
            query they are taken as they are.
        settings: settings of the run; None: the defaults.
        query: what to measure.
        development: embeddings of the people on whom thresholds are chosen.
        acquired: number of probes without an embedding by condition; None: unknown.

    Raises:
        ValueError: there is no such protocol, or it does not fit the embeddings.
    """
    own = settings or GaitSettings()
    if query.protocol is not None:
        changed = {"protocol": query.protocol, "gallery_takes": None, "probes": None}
        own = own.model_copy(update=changed)
    as_given = isinstance(embeddings, PairScores) and query.protocol is None
    table = evaluate_biometrics(
        embeddings,
        None if as_given else own.gallery_probe(),
        development=development,
        metric=query.metric,
        targets=query.targets,
        rotations=query.rotations,
        not_acquired=acquired,
        generator=np.random.default_rng(query.seed),
    )
    intervals = table.intervals(np.random.default_rng(0))

    def render(_title: str, _baselines: Mapping[str, Judged]) -> str:
        return render_biometrics(table, intervals=intervals)

    return Judged.of_table(table, "", intervals, render)
