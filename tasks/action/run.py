"""An action run from data to record: train, score, judge, write, and say it as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.training.engine import BEST
from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores, load_class_scores
from protocols.action.table import ClassTable
from protocols.action.text import render_classification
from protocols.records import ResultRecord
from tasks.action.adapter import ActionAdapter, ActionSettings
from tasks.run.adapter import Report
from tasks.run.environment import describe_environment
from tasks.run.folder import require_run
from tasks.run.networks import load_run
from tasks.run.pipeline import HowToTrain, train_and_judge
from tasks.run.records import RECORD, dataset_reference, recorded_seconds
from tasks.samples.open import open_data

SCORES = "scores.npz"
AdapterMaker = Callable[[ActionSettings, Store, Report | None], ActionAdapter]


@dataclass(frozen=True)
class ActionResult:
    """What an action run found: its record, and the same as text."""

    record: ResultRecord
    text: str


def train_and_evaluate(
    settings: ActionSettings,
    run: Path,
    cache: Path,
    *,
    make_adapter: AdapterMaker = ActionAdapter,
    **how: Unpack[HowToTrain],
) -> ActionResult | None:
    """The whole run (other arguments, result and errors: `tasks.run.pipeline.train_and_judge`).

    Args:
        settings: resolved settings.
        run: the run's folder.
        cache: folder for converted data.
        make_adapter: of settings, data and `report`; a study's may keep more of the training.
        how: see `HowToTrain`.
    """
    adapter = partial(make_adapter, settings)
    return train_and_judge(adapter, _judge, _division, settings, run, cache, **how)


def _judge(
    adapter: ActionAdapter,
    network: SkeletonNetwork,
    seconds: float,
    run: Path,
    command: str,
    report: Report | None,
) -> ActionResult:
    """Score and evaluate the test samples; write scores and record."""
    if report is not None:
        count = adapter.division.counts["test"]
        report(f"testing {count} recordings, {adapter.settings.test.clips} clips each")
    scores = adapter.test_scores(network)
    scores.save(run / SCORES)
    record, table = make_record(adapter, scores, command=command, seconds=seconds)
    record.write(run / RECORD)  # last: where it is, the run is complete
    return ActionResult(record, render(table, record))


def make_record(
    adapter: ActionAdapter,
    scores: ClassScores,
    *,
    command: str,
    seconds: float,
    objective: str | None = None,
    protocol: str | None = None,
    notes: tuple[str, ...] = (),
) -> tuple[ResultRecord, ClassTable]:
    """A record of class scores, with intervals over people, and the table that it is made from.

    Args:
        adapter: whose test samples were scored.
        scores: of them.
        command: the command line.
        seconds: of the training.
        objective: name of the objective; by default the settings'.
        protocol: name of the protocol; by default the split's.
        notes: sentences to stand beside the figures.
    """
    info, settings = adapter.store.info, adapter.settings
    table = evaluate_action(scores, protocol=protocol or Path(settings.split).stem)
    record = ResultRecord(
        task="action",
        dataset=dataset_reference(info),
        protocol=table.protocol,
        rule=_rule(adapter),
        objective=objective or settings.objective.name,
        stream="+".join(settings.clip.streams),
        seed=settings.train.seed,
        metrics=dict(table.metrics),
        intervals=table.intervals(np.random.default_rng(0)),
        counts={**adapter.counts(), **table.counts},
        settings=settings.model_dump(mode="json"),
        environment=describe_environment(),
        seconds=seconds,
        command=command,
        notes=(*table.notes, *notes),
        cells=table.record_cells(),
    )
    return record, table


def render(table: ClassTable, record: ResultRecord) -> str:
    """The table as text, with the intervals of the record."""
    return render_classification(table, record.objective, intervals=record.intervals)


def evaluate_run(
    run: Path, data: Path | None, clips: int | None, cache: Path, command: str, report: Report
) -> ActionResult:
    """Test a trained run again, on its own data or on others of the same joints and classes.

    Args:
        run: the run's folder; nothing in it is changed.
        data: other data, read and divided as the run's own; None: the run's.
        clips: test clips; None: as the run's settings say.
        cache: folder for converted data.
        command: the command line, for the record.
        report: takes sentences of progress.

    Raises:
        ValueError: the run is none or has not begun training, or the data do not fit it.
    """
    adapter, network = open_run(run, cache, report, data=data, clips=clips)
    record, table = make_record(
        adapter, adapter.test_scores(network), command=command, seconds=recorded_seconds(run)
    )
    return ActionResult(record, render(table, record))


def open_run(
    run: Path,
    cache: Path,
    report: Report | None = None,
    *,
    data: Path | None = None,
    clips: int | None = None,
) -> tuple[ActionAdapter, SkeletonNetwork]:
    """A trained run with its data: the adapter and the network that is tested.

    Raises:
        ValueError: as `evaluate_run`.
    """
    require_run(run)
    settings, info, network, _ = load_run(run, ActionSettings, best=(run / BEST).is_file())
    if data is not None:
        moved = settings.data.model_copy(update={"path": data})
        settings = settings.model_copy(update={"data": moved})
    if clips is not None:
        test = settings.test.model_copy(update={"clips": clips})
        settings = settings.model_copy(update={"test": test})
    adapter = ActionAdapter(settings, open_data(settings.data, cache, report), report)
    info.require(adapter.store, run)
    if adapter.classes != info.classes:
        raise ValueError(
            f"the data have the classes {', '.join(adapter.classes[:5])}, ... "
            f"({len(adapter.classes)}), and {run} was trained on {', '.join(info.classes[:5])}, "
            f"... ({len(info.classes)}): give data of the same classes"
        )
    return adapter, network


def run_scores(run: Path) -> ClassScores:
    """The test scores that a run saved; a scores file may be given instead of the run.

    Raises:
        ValueError: the run has not ended, or the file is damaged.
    """
    path = run if run.suffix == ".npz" else run / SCORES
    if not path.is_file():
        raise ValueError(
            f"{run} has no {SCORES}: give the folder of a run that has ended, or a scores file"
        )
    return load_class_scores(path)


def _rule(adapter: ActionAdapter) -> str:
    """How the test was made: clips, fold, and which epoch."""
    settings = adapter.settings
    epoch = "best epoch in validation" if adapter.selects_best else "last epoch"
    fold = "" if settings.fold is None else f", fold {settings.fold}"
    return f"{settings.test.clips} clips, {epoch}{fold}"


def _division(adapter: ActionAdapter) -> str:
    counts: dict[str, Any] = adapter.counts()
    info = adapter.store.info
    return (
        f"{info.name}: {counts['train']} recordings of {len(adapter.classes)} classes train, "
        f"{counts.get('validation', 0)} validate, {counts['test']} test"
    )
