"""Evaluation without a network: saved embeddings in, table and record out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.config import load_settings
from protocols.embeddings import Embeddings, load_embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable
from protocols.gait.text import render_gait
from protocols.records import ResultRecord
from tasks.gait.adapter import GaitSettings
from tasks.gait.run import (
    evaluation_settings,
    make_record,
)
from tasks.run.embeddings import FOREIGN, embeddings_dataset, run_embeddings
from tasks.run.folder import SETTINGS
from tasks.run.records import read_record

Choice = Mapping[str, str | None]
"""Settings of the protocol that the user gave: protocol, gallery_takes, rule; None if not."""


def evaluate_run(
    run: Path, choice: Choice, metric: str | None, seed: int | None, command: str
) -> tuple[ResultRecord, str]:
    """Evaluate a run's saved test embeddings, under its own protocol unless told otherwise.

    Args:
        run: a run that has ended.
        choice: what replaces the run's protocol, gallery takes or rule.
        metric: cosine or euclidean; None: the rule's.
        seed: draws the gallery takes where the protocol says `random N`; None: the run's.
        command: the command line, for the record.

    Returns:
        The record, and the table as text.

    Raises:
        ValueError: the run has not ended, or a choice is unknown.
    """
    embeddings = run_embeddings(run, "gait")
    settings = _chosen(load_settings(GaitSettings, run / SETTINGS), choice)
    before = read_record(run)
    seed = settings.train.seed if seed is None else seed
    table = _table(embeddings, settings, metric, seed)
    known = {key: count for key, count in before.counts.items() if key not in table.counts}
    record = make_record(
        table,
        dataset=before.dataset,
        objective=before.objective,
        stream=before.stream,
        seed=before.seed,
        counts={**known, **table.counts},
        settings={
            **settings.model_dump(mode="json"),
            "evaluation": evaluation_settings(table, seed),
        },
        command=command,
        seconds=before.seconds,
    )
    return record, render_gait(table, record.objective)


def evaluate_file(
    path: Path, choice: Choice, metric: str | None, seed: int, command: str
) -> tuple[ResultRecord, str]:
    """Evaluate anybody's embeddings (see `protocols.embeddings` for the file).

    The embeddings that a run saved keep the name of the run's data; for others a note says that
    nothing is known of theirs.

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
    embeddings = load_embeddings(path)
    settings = _chosen(GaitSettings(), choice)
    table = _table(embeddings, settings, metric, seed)
    dataset, known = embeddings_dataset(path)
    if not known:
        table = dataclasses.replace(table, notes=(*table.notes, FOREIGN))
    record = make_record(
        table,
        dataset=dataset,
        objective="embeddings",
        stream="",
        seed=None,
        counts=dict(table.counts),
        settings={
            **settings.model_dump(mode="json", include=set(choice)),
            **evaluation_settings(table, seed),
        },
        command=command,
        seconds=0.0,
    )
    return record, render_gait(table, path.stem)


def _chosen(settings: GaitSettings, choice: Choice) -> GaitSettings:
    # Not by overrides, which are YAML: a take `1` would be a number there.
    given = {name: value for name, value in choice.items() if value is not None}
    return settings.model_copy(update=given)


def _table(embeddings: Embeddings, settings: GaitSettings, metric: Any, seed: int) -> GaitTable:
    return evaluate_gait(
        embeddings,
        settings.gallery_probe(),
        settings.rule,
        metric=metric,
        generator=np.random.default_rng(seed),
    )
