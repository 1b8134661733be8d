"""Evaluates what a run saved, or a file of another system, without the network."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aclnet.config import load_settings
from aclnet.runs.finished import require_finished
from aclnet.runs.info import SETTINGS, read_run_info
from protocols.records import ResultRecord
from tasks.plugins import command_of
from tasks.run.judged import RECORD, UNNAMED, Names, Origin, make_record, saved_by
from tasks.settings import TaskSettings, naming
from tasks.spec import TaskSpec

if TYPE_CHECKING:
    from aclnet.data.store import Store


def require_task(spec: TaskSpec, run: Path, exported: bool = False) -> None:
    """Check that a folder is a run of a task.

    Args:
        spec: the task.
        run: the folder.
        exported: also accept an exported run.

    Raises:
        ValueError: it is not a run, or a run of another task.
    """
    from aclnet.runs.exported import is_exported, read_exported

    described = exported and is_exported(run)
    task = read_exported(run)[0].run.task if described else read_run_info(run).task
    if task != spec.name:
        raise ValueError(
            f"{run} is a run of `{task}`, not of `{spec.name}`: see `{command_of(task, '--help')}`"
        )


def read_saved(spec: TaskSpec, run: Path) -> Any:
    """Read a run's saved output on the test samples.

    Raises:
        ValueError: the folder is not a run of this task, or its training is not finished.
    """
    require_task(spec, run)
    require_finished(run)
    if not (run / spec.saved).is_file():
        raise ValueError(
            f"{run} has no {spec.saved}: its training is not finished; continue it with "
            f"`{command_of(spec.name, 'train', '--run', run, '--resume')}`"
        )
    return spec.read(run / spec.saved)


def require_tested(spec: TaskSpec, run: Path, samples: Store, tested: Any) -> None:
    """Check that test samples are those of a run's saved output, row by row.

    Raises:
        ValueError: they are not.
    """
    info = read_run_info(run)
    names = samples.index["sample"].to_numpy().astype(np.str_)
    same = np.array_equal(names, tested.sample)
    if not same or samples.info.fingerprint != info.fingerprint:
        raise ValueError(
            f"the data that {run / SETTINGS} names are not those that the run was tested on "
            f"({info.dataset}): restore them, or write its output again with "
            f"`{command_of(spec.name, 'train', '--run', run, '--resume')}`"
        )


def default_run(spec: TaskSpec) -> Path:
    """The run of the task's default recipe or, if there is none, its latest run in `runs`.

    Raises:
        ValueError: there is no such run.
    """
    if spec.recipe is not None and spec.run_folder(spec.recipe).is_dir():
        return spec.run_folder(spec.recipe)
    finished = [p.parent for p in Path("runs").glob(f"**/{RECORD}") if _is_of(spec, p.parent)]
    if not finished:
        raise ValueError(
            f"there is no finished run of `{spec.name}` in runs: give one with --run, or "
            f"--{spec.saved_option} FILE"
        )
    return max(finished, key=lambda run: (run / RECORD).stat().st_mtime)


def _is_of(spec: TaskSpec, run: Path) -> bool:
    try:
        return read_run_info(run).task == spec.name
    except ValueError:
        return False


def evaluate_run(spec: TaskSpec, run: Path, query: Any, command: str) -> tuple[ResultRecord, str]:
    """Evaluate a run's saved output, by its own settings unless the query overrides them.

    Args:
        spec: the task.
        run: a finished run.
        query: of class `spec.query`.
        command: command line, for the record.

    Returns:
        The record, and the tables as text.

    Raises:
        ValueError: the run is not finished, or a choice is unknown.
    """
    tested = read_saved(spec, run)
    settings = load_settings(spec.settings, run / SETTINGS)
    origin = Origin.of_run(run)
    judged = spec.judge(tested, settings, query)
    record = make_record(spec.name, judged, origin, command)
    return record, judged.render(origin.objective, {})


def file_settings(spec: TaskSpec, path: Path) -> TaskSettings | None:
    """The settings of the task's run that saved a file; None for a file of another system."""
    info = saved_by(path)
    if info is None or info.task != spec.name:
        return None
    return load_settings(spec.settings, path.parent / SETTINGS)


def read_file(spec: TaskSpec, path: Path, labels: Path | None = None) -> Any:
    """Read a file from any system.

    Raises:
        ValueError: it cannot be read, or has its own labels.
    """
    if labels is not None and len(signature(spec.read).parameters) < 2:
        raise ValueError(f"--labels: files of {spec.saved_option} hold their own labels")
    return spec.read(path) if labels is None else spec.read(path, labels)


def evaluate_file(
    spec: TaskSpec,
    path: Path,
    query: Any,
    command: str,
    names: Names = UNNAMED,
    labels: Path | None = None,
) -> tuple[ResultRecord, str]:
    """Evaluate a file from any system (see `TaskSpec.read`).

    A file saved by a run keeps the name of its data and is evaluated by its settings; for others a
    note says that the data are unknown.

    Args:
        spec: the task.
        path: the file.
        query: of class `spec.query`.
        command: command line, for the record.
        names: names of the system and the data.
        labels: a table of the samples' labels, for a file that has none.

    Returns:
        The record, and the tables as text.

    Raises:
        ValueError: the file cannot be read, or does not fit the protocol.
    """
    tested = read_file(spec, path, labels)
    origin = Origin.of_file(path, tested, names)
    with naming(str(path)):
        judged = spec.judge(tested, file_settings(spec, path), query)
    text = judged.render(names.system or path.stem, {})
    notes = "".join(f"\nNote: {note}" for note in origin.notes)
    return make_record(spec.name, judged, origin, command), f"{text}{notes}"
