"""From data to a trained network in a run folder, the same for every task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Required, TypedDict, TypeVar, Unpack

from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.training.interrupts import Interrupted
from aclnet.training.launch import make_fabric
from aclnet.training.settings import TrainSettings
from protocols.records import ResultRecord
from tasks.run.adapter import Report, TaskAdapter, train
from tasks.run.folder import check_run_folder, start_run_folder
from tasks.samples.open import open_data
from tasks.settings import TaskSettings

AdapterT = TypeVar("AdapterT", bound=TaskAdapter[Any])
ResultT = TypeVar("ResultT")


@contextmanager
def going_on(run: Path) -> Iterator[None]:
    """Ctrl-C outside the training loop (which has its own) says how to go on as well."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; what was trained is saved in {run}: give the same command again with "
            "--resume to go on"
        ) from None


class HowToTrain(TypedDict, total=False):
    """What every task's `train_and_evaluate` is told beside settings and folders.

    Attributes:
        command: the command line, for the record.
        resume: go on from the folder's checkpoint; a finished training is only evaluated.
        overwrite: begin anew in a folder that holds a run.
        report: takes sentences of progress.
    """

    command: Required[str]
    resume: bool
    overwrite: bool
    report: Report | None


@dataclass(frozen=True)
class JudgedRun:
    """What a run found that compares embeddings.

    Attributes:
        record: of the learned embedding.
        baseline: of the bone lengths, on the same samples.
        text: the tables.
    """

    record: ResultRecord
    baseline: ResultRecord
    text: str


def train_and_judge(
    make_adapter: Callable[[Store, Report | None], AdapterT],
    judge: Callable[[AdapterT, SkeletonNetwork, float, Path, str, Report | None], ResultT],
    describe: Callable[[AdapterT], str],
    settings: TaskSettings,
    run: Path,
    cache: Path,
    **how: Unpack[HowToTrain],
) -> ResultT | None:
    """A whole run: open the data, train, judge; with several ranks, rank 0 judges.

    Args:
        make_adapter: the task's adapter of the data; told where to report to.
        judge: evaluates adapter and trained network after so many seconds of training, and leaves
            its records in the run's folder; told the command line and where to report to.
        describe: says in a sentence who trains and who is tested.
        settings: resolved settings.
        run: the run's folder.
        cache: folder for converted and generated data.
        how: see `HowToTrain`.

    Returns:
        What `judge` gives; None on the other ranks.

    Raises:
        ValueError: settings, data and folder do not fit; see `tasks.run.adapter.train` for the
            others.
    """
    report = how.get("report")
    with going_on(run):
        trained = train_on_data(
            lambda say: make_adapter(open_data(settings.data, cache, say), say),
            run,
            settings.train,
            resume=how.get("resume", False),
            overwrite=how.get("overwrite", False),
            describe=describe,
            report=report,
        )
        return None if trained is None else judge(*trained, run, how["command"], report)


def train_on_data(
    make_adapter: Callable[[Report | None], AdapterT],
    run: Path,
    settings: TrainSettings,
    *,
    resume: bool,
    overwrite: bool,
    describe: Callable[[AdapterT], str],
    report: Report | None,
) -> tuple[AdapterT, SkeletonNetwork, float] | None:
    """Open the data, prepare the run's folder and train.

    Args:
        make_adapter: opens the data and makes the task's adapter; told where to report to.
        run: the run's folder.
        settings: of the training.
        resume: go on from the folder's checkpoint; a finished training is not repeated.
        overwrite: begin anew in a folder that holds a run.
        describe: says in a sentence who trains and who is tested.
        report: takes sentences of progress.

    Returns:
        Adapter, trained network and seconds on rank 0; None on other ranks, or where rank 0 failed.

    Raises:
        ValueError: settings, data and folder do not fit; see `tasks.run.adapter.train` for the
            others.
    """
    fabric = make_fabric(settings)
    first = fabric.is_global_zero
    if not first:
        report = None
    adapter: AdapterT | None = None
    try:
        if first:
            check_run_folder(run, resume, overwrite)
            adapter = make_adapter(report)
            # Only now, with sound settings and data, may an older run be deleted.
            start_run_folder(run, resume, overwrite)
    finally:
        # Data are converted by one; the others open what it made, or leave the error to it.
        ready = fabric.broadcast(adapter is not None)
    if not ready:
        return None
    adapter = adapter or make_adapter(None)
    if report is not None:
        report(describe(adapter))
    network, fitted = train(adapter, run, resume=resume, fabric=fabric, report=report)
    return (adapter, network, fitted.seconds) if first else None
