"""Biometric measures of walks: verification, thresholds that travel, open-set identification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.biometrics.text import render_biometrics
from protocols.embeddings import Embeddings
from tasks.gait.settings import GaitSettings
from tasks.run.biometrics import Measured
from tasks.run.queries import BiometricsQuery


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
