"""`aclnet-task gait biometrics`: verification, thresholds that travel, open-set identification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from aclnet.config import load_settings
from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.biometrics.text import render_biometrics
from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import ResultRecord
from tasks.gait.adapter import GaitAdapter, GaitSettings
from tasks.run.adapter import Report
from tasks.run.biometrics import (
    LEAST_PEOPLE,
    BiometricsQuery,
    Development,
    Measured,
    Origin,
    file_development,
    lost_recordings,
    make_record,
    no_development,
    validation_development,
    with_acquisition,
)
from tasks.run.embeddings import on_best_device, run_embeddings
from tasks.run.folder import SETTINGS
from tasks.run.networks import load_run
from tasks.samples.open import open_data


def measure_run(
    run: Path, query: BiometricsQuery, cache: Path, command: str, report: Report | None = None
) -> tuple[ResultRecord, str]:
    """Biometric measures of a run's saved test embeddings.

    Args:
        run: a run that has ended.
        query: what to measure.
        cache: folder for converted and generated data, from which development people come.
        command: the command line, for the record.
        report: takes sentences of progress.

    Returns:
        The record, and the tables as text.

    Raises:
        ValueError: the run has not ended, its data are gone, or a choice is unknown.
    """
    embeddings = run_embeddings(run, "gait")
    settings = load_settings(GaitSettings, run / SETTINGS)
    if query.protocol is not None:
        settings = settings.model_copy(update={"protocol": query.protocol, "gallery_takes": None})
    origin = Origin.of_run(run)
    development = _development(run, query, origin, cache, report)
    return _measure(embeddings, settings, query, origin, development, command)


def measure_file(path: Path, query: BiometricsQuery, command: str) -> tuple[ResultRecord, str]:
    """The same of anybody's embeddings (see `protocols.embeddings` for the file).

    Raises:
        ValueError: the file cannot be read, or the protocol finds no gallery or no probe in it.
    """
    embeddings = load_embeddings(path)
    settings = GaitSettings()
    if query.protocol is not None:
        settings = settings.model_copy(update={"protocol": query.protocol})
    development = (
        no_development("No development people were given")
        if query.development is None
        else file_development(query.development)
    )
    return _measure(embeddings, settings, query, Origin.of_file(path), development, command)


def _measure(
    embeddings: Embeddings,
    settings: GaitSettings,
    query: BiometricsQuery,
    origin: Origin,
    development: Development,
    command: str,
) -> tuple[ResultRecord, str]:
    # Where not one recording was lost, every probe was acquired; otherwise it is not known which.
    acquired: dict[str, int] | None = {} if lost_recordings(origin.counts) == 0 else None
    table = evaluate_biometrics(
        embeddings,
        settings.gallery_probe(),
        development=development.embeddings,
        metric=query.metric,
        targets=query.targets,
        rotations=query.rotations,
        not_acquired=acquired,
        generator=np.random.default_rng(query.seed),
    )
    intervals = table.intervals(np.random.default_rng(0))
    measured = with_acquisition(
        Measured(
            protocol=table.protocol,
            metrics=table.metrics,
            intervals=intervals,
            counts=table.counts,
            notes=(*table.notes, development.note),
            cells=table.record_cells(),
        ),
        origin.counts,
    )
    asked = {**query.asked(), "protocol": table.protocol, "development": development.source}
    record = make_record("gait", measured, origin, asked, command)
    return record, render_biometrics(replace(table, notes=record.notes), intervals=intervals)


def _development(
    run: Path, query: BiometricsQuery, origin: Origin, cache: Path, report: Report | None
) -> Development:
    """A file's people, or those who watched the run's training."""
    if query.development is not None:
        return file_development(query.development)
    if not query.own_development:
        return no_development("The run's validation people were left out")
    if origin.counts.get("validation_subjects", 0) < LEAST_PEOPLE:
        return no_development(f"The run has fewer than {LEAST_PEOPLE} validation people")
    return validation_development(_embed_validation(run, cache, report))


def _embed_validation(run: Path, cache: Path, report: Report | None) -> Embeddings:
    """Embed a run's validation people with its network."""
    settings, info, network, _ = load_run(run, GaitSettings)
    adapter = GaitAdapter(settings, open_data(settings.data, cache, report), report)
    info.require(adapter.store, run)
    if adapter.classes != info.classes:
        raise ValueError(
            f"the data of {run} have changed since its training, and with them who validates: give "
            "--development FILE, or --no-development-run"
        )
    held = np.isin(adapter.store.index["identity"].to_numpy(), adapter.groups.validation)
    on_best_device(network, settings.train)
    return adapter.embeddings(network, adapter.store.select(held), report)
