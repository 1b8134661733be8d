"""A gait run from data to record: train, embed, judge, write, and say it as a table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import embed
from protocols.embeddings import Embeddings
from protocols.gait.table import GaitTable
from protocols.gait.text import render_gait
from protocols.records import DatasetReference, ResultRecord
from tasks.gait.adapter import GaitAdapter, GaitSettings
from tasks.run.adapter import Report
from tasks.run.embeddings import (
    BASELINE,
    BASELINE_RECORD,
    EMBEDDINGS,
    labelled,
    on_best_device,
    read_alike,
)
from tasks.run.environment import describe_environment
from tasks.run.networks import load_run
from tasks.run.pipeline import HowToTrain, JudgedRun, train_and_judge
from tasks.run.records import RECORD, dataset_reference
from tasks.samples.open import open_data, without_short


def train_and_evaluate(
    settings: GaitSettings, run: Path, cache: Path, **how: Unpack[HowToTrain]
) -> JudgedRun | None:
    """The whole run (arguments, result and errors: `tasks.run.pipeline.train_and_judge`)."""
    make_adapter = partial(GaitAdapter, settings)
    return train_and_judge(make_adapter, _judge, _division, settings, run, cache, **how)


def _judge(
    adapter: GaitAdapter,
    network: SkeletonNetwork,
    seconds: float,
    run: Path,
    command: str,
    report: Report | None,
) -> JudgedRun:
    """Embed and evaluate the test people, the bone lengths beside them; write the records."""
    embeddings = adapter.embeddings(network, adapter.test_samples(), report)
    embeddings.save(run / EMBEDDINGS)
    table = adapter.evaluate(embeddings)
    floor = adapter.bone_length_table()
    own, base_own = _shared_fields(adapter, table), _shared_fields(adapter, floor)
    record = make_record(
        table,
        **own,
        objective=adapter.settings.objective.name,
        command=command,
        seconds=seconds,
    )
    baseline = make_record(floor, **base_own, objective=BASELINE, command=command, seconds=0.0)
    baseline.write(run / BASELINE_RECORD)
    record.write(run / RECORD)  # last: where it is, the run is complete
    text = render_gait(table, record.objective, baselines={BASELINE: floor})
    return JudgedRun(record, baseline, text)


def evaluation_settings(table: GaitTable, gallery_seed: int) -> dict[str, Any]:
    """How a table was made, beyond the recipe: the distance used, what drew `random N` takes."""
    return {"metric": table.metric, "gallery_seed": gallery_seed}


def _shared_fields(adapter: GaitAdapter, table: GaitTable) -> dict[str, Any]:
    """The parts of a record that follow from the adapter and the table."""
    info, settings = adapter.store.info, adapter.settings
    return {
        "dataset": dataset_reference(info),
        "stream": "+".join(settings.clip.streams),
        "seed": settings.train.seed,
        "counts": {**adapter.counts(), **table.counts},
        "settings": {
            **settings.model_dump(mode="json"),
            "evaluation": evaluation_settings(table, settings.train.seed),
        },
    }


def make_record(
    table: GaitTable,
    *,
    dataset: DatasetReference,
    objective: str,
    stream: str,
    seed: int | None,
    counts: dict[str, int],
    settings: dict[str, Any],
    command: str,
    seconds: float,
) -> ResultRecord:
    """A record of a table, with bootstrap intervals over people (2,000 draws, seed 0)."""
    return ResultRecord(
        task="gait",
        dataset=dataset,
        protocol=table.protocol,
        rule=table.rule.name,
        objective=objective,
        stream=stream,
        seed=seed,
        metrics=dict(table.metrics),
        intervals=table.intervals(np.random.default_rng(0)),
        counts=counts,
        settings=settings,
        environment=describe_environment(),
        seconds=seconds,
        command=command,
        notes=tuple(table.notes),
        cells=table.record_cells(),
    )


def embed_data(
    run: Path, data: Path | None, cache: Path, report: Report | None = None
) -> Embeddings:
    """Embed data with a run's network: the samples of `data`, or the run's own test samples.

    `data` are read as the run's data were (joints, least length; format and layout too, where the
    name ends alike).

    Args:
        run: a trained run's folder.
        data: a store, or anything that can be converted into one; None: the run's test people.
        cache: folder for converted and generated data.
        report: takes sentences of progress.

    Raises:
        ValueError: the run is none, or the data do not fit its network.
    """
    settings, info, network, clip_input = load_run(run, GaitSettings)
    if data is None:
        samples = GaitAdapter(
            settings, open_data(settings.data, cache, report), report
        ).test_samples()
    else:
        samples = open_data(read_alike(settings.data, data), cache, report)
        samples = without_short(samples, settings.data.min_frames, report)
    info.require(samples, run)
    on_best_device(network, settings.train)
    if report is not None:
        report(f"embedding {len(samples)} sequences")
    return labelled(embed(network, samples, clip_input, settings.embed), samples)


def _division(adapter: GaitAdapter) -> str:
    counts = adapter.counts()
    info = adapter.store.info
    return (
        f"{info.name}: {counts['train_subjects']} people train ({counts['train']} sequences), "
        f"{counts['validation_subjects']} validate, {counts['test_subjects']} test "
        f"({counts['test']} sequences)"
    )
