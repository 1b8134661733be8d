"""From data to a trained network in a run folder, the same for every task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from aclnet.interrupts import Interrupted
from aclnet.launch import make_fabric
from aclnet.models import SkeletonNetwork
from aclnet.train_settings import TrainSettings
from tasks.base import Report, TaskAdapter, train
from tasks.run_folder import check_run_folder, start_run_folder

AdapterT = TypeVar("AdapterT", bound=TaskAdapter[Any])


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
        ValueError: settings, data and folder do not fit; see `tasks.base.train` for the others.
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
