"""A run of any task: open, divide, train, represent, judge, record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.training.interrupts import Interrupted
from aclnet.training.launch import make_fabric
from protocols.records import ResultRecord
from tasks.run.adapter import Report, TaskAdapter, train
from tasks.run.folder import check_run_folder, start_run_folder
from tasks.run.judged import (
    BASELINE,
    BASELINE_RECORD,
    RECORD,
    Judged,
    Origin,
    dataset_reference,
    make_record,
    recorded_seconds,
)
from tasks.run.open import open_run
from tasks.samples.open import open_data
from tasks.settings import TaskSettings
from tasks.spec import TaskSpec

MakeAdapter = Callable[[TaskSettings, Store, Report | None], TaskAdapter[Any]]


@dataclass(frozen=True)
class RunResult:
    """What a run found.

    Attributes:
        record: of what its network says.
        text: the tables.
    """

    record: ResultRecord
    text: str


def train_and_evaluate(
    spec: TaskSpec,
    settings: TaskSettings,
    run: Path,
    cache: Path,
    *,
    command: str,
    resume: bool = False,
    overwrite: bool = False,
    report: Report | None = None,
    make_adapter: MakeAdapter | None = None,
) -> RunResult | None:
    """A whole run; with several ranks, rank 0 judges.

    Args:
        spec: the task.
        settings: resolved settings.
        run: the run's folder.
        cache: folder for converted and generated data.
        command: the command line, for the record.
        resume: go on from the folder's checkpoint; a finished training is only evaluated.
        overwrite: begin anew in a folder that holds a run.
        report: takes sentences of progress.
        make_adapter: instead of the task's own adapter; a study's may keep more of the training.

    Returns:
        What was found; None on other ranks, or where rank 0 failed.

    Raises:
        ValueError: settings, data and folder do not fit; see `tasks.run.adapter.train` for the
            others.
    """
    with _going_on(run):
        fabric = make_fabric(settings.train)
        first = fabric.is_global_zero
        if not first:
            report = None

        def opened() -> TaskAdapter[Any]:
            store = open_data(settings.data, cache, report)
            return (make_adapter or spec.adapter)(settings, store, report)

        adapter: TaskAdapter[Any] | None = None
        try:
            if first:
                check_run_folder(run, resume, overwrite)
                adapter = opened()
                # Only now, with sound settings and data, may an older run be deleted.
                start_run_folder(run, resume, overwrite)
        finally:
            # Data are converted by one; the others open what it made, or leave the error to it.
            ready = fabric.broadcast(adapter is not None)
        if not ready:
            return None
        adapter = adapter or opened()
        if report is not None:
            report(adapter.describe())
        network, fitted = train(
            spec.name, adapter, run, resume=resume, fabric=fabric, report=report
        )
        if not first:
            return None
        return judge_run(spec, adapter, network, fitted.seconds, run, command, report)


def judge_run(
    spec: TaskSpec,
    adapter: TaskAdapter[Any],
    network: SkeletonNetwork,
    seconds: float,
    run: Path,
    command: str,
    report: Report | None = None,
    **told: Any,
) -> RunResult:
    """Test a run's network, judge what it says, the floor beside it, and write the records.

    Args:
        spec: the task.
        adapter: of the run's data.
        network: trained.
        seconds: of the training.
        run: the run's folder, which gets what the network says and the records.
        command: the command line, for the records.
        report: takes sentences of progress.
        **told: fields of the origin (`tasks.run.judged.Origin`) other than the adapter's.
    """
    if report is not None and adapter.testing():
        report(adapter.testing())
    tested = adapter.represent(network, report)
    tested.save(run / spec.saved)
    origin = replace(origin_of(adapter, seconds), **told)
    floors: dict[str, Judged] = {}
    floor = adapter.floor()
    judged = spec.judge(tested, adapter.settings, None)
    if floor is not None:
        below = spec.judge(floor, adapter.settings, spec.query(metric="euclidean"))
        floors[BASELINE] = below
        lengths = replace(origin, objective=BASELINE, seconds=0.0)
        make_record(spec.name, below, lengths, command).write(run / BASELINE_RECORD)
    record = make_record(spec.name, judged, origin, command)
    record.write(run / RECORD)  # last: where it is, the run is complete
    return RunResult(record, judged.render(record.objective, floors))


def evaluate_again(
    spec: TaskSpec,
    run: Path,
    query: Any,
    cache: Path,
    command: str,
    report: Report,
) -> RunResult:
    """Test a trained run with its network: on other data, or with other test settings.

    Args:
        spec: the task.
        run: the run's folder; nothing in it is changed.
        query: of class `spec.query`, with `data`, other data or None, and `changes`, a function of
            the run's settings that gives those to replace, by name.
        cache: folder for converted data.
        command: the command line, for the record.
        report: takes sentences of progress.

    Raises:
        ValueError: the run is none or has not begun training, or the data do not fit it.
    """
    adapter, network = open_run(spec, run, cache, report, data=query.data, changes=query.changes)
    judged = spec.judge(adapter.represent(network, report), adapter.settings, None)
    origin = origin_of(adapter, recorded_seconds(run))
    record = make_record(spec.name, judged, origin, command)
    return RunResult(record, judged.render(record.objective, {}))


def origin_of(adapter: TaskAdapter[Any], seconds: float) -> Origin:
    """What a record says of a run, before it is judged."""
    settings = adapter.settings
    return Origin(
        dataset=dataset_reference(adapter.store.info),
        objective=settings.objective_name,
        stream="+".join(settings.clip.streams),
        seed=settings.train.seed,
        settings=settings.model_dump(mode="json"),
        counts=adapter.counts(),
        seconds=seconds,
        rule=adapter.tested_how(),
        fold=getattr(settings, "fold", None),
    )


@contextmanager
def _going_on(run: Path) -> Iterator[None]:
    """Ctrl-C outside the training loop (which has its own) says how to go on as well."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; what was trained is saved in {run}: give the same command again with "
            "--resume to go on"
        ) from None
