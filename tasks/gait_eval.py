"""Evaluation without a network: saved embeddings in, table and record out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protocols.embeddings import Embeddings, load_embeddings
from protocols.gait import evaluate_gait
from protocols.records import DatasetReference, ResultRecord
from protocols.tables import render_gait
from protocols.view_table import GaitTable
from tasks.gait import GaitSettings
from tasks.gait_run import RECORD, make_record, run_embeddings

Choice = Mapping[str, str | None]
"""Settings of the protocol that the user gave: protocol, gallery_takes, rule; None if not."""


def evaluate_run(
    run: Path, choice: Choice, metric: str | None, command: str
) -> tuple[ResultRecord, str]:
    """Evaluate a run's saved test embeddings, under its own protocol unless told otherwise.

    Args:
        run: a run that has ended.
        choice: what replaces the run's protocol, gallery takes or rule.
        metric: cosine or euclidean; None: the rule's.
        command: the command line, for the record.

    Returns:
        The record, and the table as text.

    Raises:
        ValueError: the run has not ended, or a choice is unknown.
    """
    from aclnet.config import load_settings
    from tasks.base import SETTINGS

    embeddings = run_embeddings(run)
    settings = load_settings(GaitSettings, run / SETTINGS, _overrides(choice))
    table = _table(embeddings, settings, metric, settings.train.seed)
    before = ResultRecord.from_json((run / RECORD).read_text("utf-8"))
    known = {key: count for key, count in before.counts.items() if key not in table.counts}
    record = make_record(
        table,
        dataset=before.dataset,
        objective=before.objective,
        stream=before.stream,
        seed=before.seed,
        counts={**known, **table.counts},
        settings=settings.model_dump(mode="json"),
        command=command,
        seconds=before.seconds,
    )
    return record, render_gait(table, record.objective)


def evaluate_file(
    path: Path, choice: Choice, metric: str | None, seed: int, command: str
) -> tuple[ResultRecord, str]:
    """Evaluate anybody's embeddings (see `protocols.embeddings` for the file).

    Args:
        path: .npz or CSV.
        choice: protocol (by default casia_b), gallery takes, rule.
        metric: cosine or euclidean; None: the rule's.
        seed: draws the gallery takes where the protocol says `random N`.
        command: the command line, for the record.

    Returns:
        The record (objective `embeddings`), and the table as text.

    Raises:
        ValueError: the file cannot be read, or the protocol finds no gallery or no probe in it.
    """
    from aclnet.config import load_settings

    embeddings = load_embeddings(path)
    settings = load_settings(GaitSettings, None, _overrides(choice))
    table = _table(embeddings, settings, metric, seed)
    record = make_record(
        table,
        dataset=DatasetReference(
            name=path.stem,
            fingerprint=hashlib.sha256(path.read_bytes()).hexdigest(),
            synthetic=False,
        ),
        objective="embeddings",
        stream="",
        seed=None,
        counts=dict(table.counts),
        settings={key: value for key, value in choice.items() if value is not None},
        command=command,
        seconds=0.0,
    )
    return record, render_gait(table, path.stem)


def _overrides(choice: Choice) -> list[str]:
    return [f"{name}={value}" for name, value in choice.items() if value is not None]


def _table(embeddings: Embeddings, settings: GaitSettings, metric: Any, seed: int) -> GaitTable:
    return evaluate_gait(
        embeddings,
        settings.gallery_probe(),
        settings.rule,
        metric=metric,
        generator=np.random.default_rng(seed),
    )
