"""A gait run from data to record: train, embed, judge, write, and say it as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aclnet.models import SkeletonNetwork
from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import DatasetReference, ResultRecord
from protocols.tables import render_gait
from protocols.view_table import GaitTable
from tasks.base import Report, load_run
from tasks.data_sources import open_data, without_short
from tasks.embedding import embed
from tasks.environment import describe_environment
from tasks.gait import GaitAdapter, GaitSettings, labelled
from tasks.run_folder import require_run
from tasks.settings import DataSettings
from tasks.training_run import going_on, train_on_data

EMBEDDINGS, RECORD, BASELINE_RECORD = "embeddings.npz", "record.json", "record-bone-length.json"
BASELINE = "bone-length"


@dataclass(frozen=True)
class GaitResult:
    """What a gait run found.

    Attributes:
        record: of the learned embedding.
        baseline: of the bone lengths, on the same samples.
        text: the table, the baseline below it.
    """

    record: ResultRecord
    baseline: ResultRecord
    text: str


def train_and_evaluate(
    settings: GaitSettings,
    run: Path,
    cache: Path,
    *,
    command: str,
    resume: bool = False,
    overwrite: bool = False,
    report: Report | None = None,
) -> GaitResult | None:
    """The whole run; with several ranks, rank 0 evaluates and the others return None.

    Args:
        settings: resolved settings.
        run: the run's folder.
        cache: folder for converted and generated data.
        command: the command line, for the record.
        resume: go on from the folder's checkpoint; a finished training is only evaluated.
        overwrite: begin anew in a folder that holds a run.
        report: takes sentences of progress.

    Raises:
        ValueError: settings, data and folder do not fit; see `tasks.base.train` for the others.
    """
    with going_on(run):
        trained = train_on_data(
            lambda say: GaitAdapter(settings, open_data(settings.data, cache, say), say),
            run,
            settings.train,
            resume=resume,
            overwrite=overwrite,
            describe=_division,
            report=report,
        )
        return None if trained is None else _judge(*trained, run, command, report)


def _judge(
    adapter: GaitAdapter,
    network: SkeletonNetwork,
    seconds: float,
    run: Path,
    command: str,
    report: Report | None,
) -> GaitResult:
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
    return GaitResult(record, baseline, text)


def evaluation_settings(table: GaitTable, gallery_seed: int) -> dict[str, Any]:
    """How a table was made, beyond the recipe: the distance used, what drew `random N` takes."""
    return {"metric": table.metric, "gallery_seed": gallery_seed}


def _shared_fields(adapter: GaitAdapter, table: GaitTable) -> dict[str, Any]:
    """The parts of a record that follow from the adapter and the table."""
    info, settings = adapter.store.info, adapter.settings
    return {
        "dataset": DatasetReference(
            name=info.name, fingerprint=info.fingerprint, synthetic=info.synthetic
        ),
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
        samples = open_data(_read_alike(settings.data, data), cache, report)
        samples = without_short(samples, settings.data.min_frames, report)
    info.require(samples, run)
    if settings.train.accelerator != "cpu" and torch.cuda.is_available():
        network.to("cuda")
    if report is not None:
        report(f"embedding {len(samples)} sequences")
    return labelled(embed(network, samples, clip_input, settings.embed), samples)


def _read_alike(own: DataSettings, data: Path) -> DataSettings:
    """Settings that read other data as a run's own.

    Format and layout speak of files of one kind: another kind must tell its own, since a layout
    that is given overrules the joint names in a file.
    """
    alike = own.path is not None and own.path.suffix == data.suffix
    unsaid = {} if alike else {"format": None, "layout": None}
    return own.model_copy(update={"path": data, **unsaid})


def run_embeddings(run: Path) -> Embeddings:
    """The test embeddings that a run saved.

    Raises:
        ValueError: the folder is no run, or has none yet.
    """
    require_run(run)
    if not (run / EMBEDDINGS).is_file():
        raise ValueError(
            f"{run} has no {EMBEDDINGS}: its training has not ended; go on with "
            f"`aclnet-task gait train --run {run} --resume`"
        )
    return load_embeddings(run / EMBEDDINGS)


def read_record(run: Path, name: str = RECORD) -> ResultRecord:
    """The record that a run wrote.

    Args:
        run: a run that has ended.
        name: file name: of the run's own record, or of the baseline's.

    Raises:
        ValueError: it is missing or damaged.
    """
    path = run / name
    try:
        return ResultRecord.from_json(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged: {error}"
        raise ValueError(
            f"{path} {reason}; write it again with `aclnet-task gait train --run {run} --resume`"
        ) from None


def _division(adapter: GaitAdapter) -> str:
    counts = adapter.counts()
    info = adapter.store.info
    return (
        f"{info.name}: {counts['train_subjects']} people train ({counts['train']} sequences), "
        f"{counts['validation_subjects']} validate, {counts['test_subjects']} test "
        f"({counts['test']} sequences)"
    )
