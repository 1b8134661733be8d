"""A re-identification run from data to record: train, embed, judge, write, say it as a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from aclnet.config import load_settings
from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import embed
from protocols.embeddings import Embeddings
from protocols.records import DatasetReference, ResultRecord
from protocols.reid.pairs import load_pairs
from protocols.reid.table import ReidTable
from protocols.reid.text import render_reid
from tasks.reid.adapter import ReidAdapter, in_sets
from tasks.reid.sequences import cut_sequences, without_border
from tasks.reid.settings import ReidSettings
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
from tasks.run.folder import SETTINGS, require_run
from tasks.run.networks import load_run
from tasks.run.pipeline import HowToTrain, JudgedRun, train_and_judge
from tasks.run.records import RECORD, dataset_reference
from tasks.samples.open import open_data, without_short


def train_and_evaluate(
    settings: ReidSettings, run: Path, cache: Path, **how: Unpack[HowToTrain]
) -> JudgedRun | None:
    """The whole run (arguments, result and errors: `tasks.run.pipeline.train_and_judge`)."""
    make_adapter = partial(ReidAdapter, settings)
    return train_and_judge(make_adapter, _judge, _division, settings, run, cache, **how)


def _judge(
    adapter: ReidAdapter,
    network: SkeletonNetwork,
    seconds: float,
    run: Path,
    command: str,
    report: Report | None,
) -> JudgedRun:
    """Embed and evaluate the test sequences, the bone lengths beside them; write the records."""
    settings = adapter.settings
    embeddings = adapter.embeddings(network, adapter.test_sequences, report)
    embeddings.save(run / EMBEDDINGS)
    if report is not None:
        report(f"ranking under {', '.join((settings.rule, *settings.beside))}")
    own = all_tables(adapter, embeddings)
    bones = adapter.evaluate(adapter.bone_length_embeddings(), metric="euclidean")
    floor: dict[str, ReidTable] = {settings.rule: bones}
    shared: dict[str, Any] = {
        "dataset": dataset_reference(adapter.store.info),
        "stream": "+".join(settings.clip.streams),
        "seed": settings.train.seed,
        "counts": adapter.counts(),
        "settings": settings.model_dump(mode="json"),
        "command": command,
    }
    record = make_record(own, objective=settings.objective_name, seconds=seconds, **shared)
    baseline = make_record(floor, objective=BASELINE, seconds=0.0, **shared)
    baseline.write(run / BASELINE_RECORD)
    record.write(run / RECORD)  # last: where it is, the run is complete
    main = settings.rule
    text = render_reid(own[main], record.objective, baselines={BASELINE: bones})
    beside = [render_reid(t, record.objective) for name, t in own.items() if name != main]
    return JudgedRun(record, baseline, "\n\n".join([text, *beside]))


def all_tables(adapter: ReidAdapter, embeddings: Embeddings) -> dict[str, ReidTable]:
    """The tables under the settings' rule, then under those beside it, then of whole walks.

    `cross-take` says nothing new where no set is looked for in itself, and whole walks nothing
    where there are no takes; both are left out there.
    """
    settings, pairs = adapter.settings, adapter.settings.chosen_pairs()[1]
    rules = [settings.rule]
    known = bool((embeddings.take != "").all())
    for rule in settings.beside:
        useless = rule == "cross-take" and (not known or not any(pair.same_set for pair in pairs))
        if rule not in rules and not useless:
            rules.append(rule)
    tables: dict[str, ReidTable] = {rule: adapter.evaluate(embeddings, rule) for rule in rules}
    if known:
        tables["walk"] = adapter.evaluate(embeddings, level="walk")
    return tables


def make_record(
    tables: Mapping[str, ReidTable],
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
    """A record of tables: the first one's figures by name, the others' after their own name.

    Intervals are bootstrapped over people (2,000 draws, seed 0).
    """
    (_, main), *others = tables.items()
    metrics, intervals = dict(main.metrics), main.intervals(np.random.default_rng(0))
    notes, cells = list(main.notes), {"main": main.record_cells()}
    for name, table in others:
        metrics |= {f"{name}/{key}": value for key, value in table.metrics.items()}
        said = table.intervals(np.random.default_rng(0))
        intervals |= {f"{name}/{key}": ends for key, ends in said.items()}
        notes += [f"{name}: {note}" for note in table.notes]
    return ResultRecord(
        task="reid",
        dataset=dataset,
        protocol=main.protocol,
        rule=main.rule.name,
        objective=objective,
        stream=stream,
        seed=seed,
        metrics=metrics,
        intervals=intervals,
        counts={**counts, **main.counts},
        settings={**settings, "evaluation": {"metric": main.metric, "level": main.level}},
        environment=describe_environment(),
        seconds=seconds,
        command=command,
        notes=tuple(notes),
        cells=cells,
    )


def embed_data(
    run: Path, data: Path | None, cache: Path, report: Report | None = None
) -> Embeddings:
    """Embed data with a run's network: the sequences of `data`, or the run's own test sequences.

    Args:
        run: a trained run's folder.
        data: a store, or anything that can be converted into one; None: the run's test recordings.
        cache: folder for converted and generated data.
        report: takes sentences of progress.

    Raises:
        ValueError: the run is none, or the data do not fit its network.
    """
    settings, info, network, clip_input = load_run(run, ReidSettings, best=_tests_best(run))
    if data is None:
        adapter = ReidAdapter(settings, open_data(settings.data, cache, report), report)
        sequences = adapter.test_sequences
    else:
        samples = open_data(read_alike(settings.data, data), cache, report)
        samples = without_border(samples, settings.sequences.border_frames)
        samples = without_short(samples, max(settings.data.min_frames, 1), report)
        sequences = cut_sequences(samples, settings.clip, settings.sequences).store
    info.require(sequences, run)
    if report is not None:
        report(f"embedding {len(sequences)} sequences")
    on_best_device(network, settings.train)
    vectors = embed(network, sequences, clip_input, settings.embed)
    return in_sets(labelled(vectors, sequences), sequences, load_pairs(settings.protocol))


def _tests_best(run: Path) -> bool:
    """Whether the run tests its best epoch."""
    require_run(run)
    return load_settings(ReidSettings, run / SETTINGS).select == "best"


def _division(adapter: ReidAdapter) -> str:
    counts, info = adapter.counts(), adapter.store.info
    return (
        f"{info.name}: {counts['train_subjects']} people train ({counts['train']} recordings), "
        f"{counts['validation_subjects']} validate, {counts['test_subjects']} are tested "
        f"({counts['test_sequences']} sequences of {adapter.settings.clip.frames} frames)"
    )
