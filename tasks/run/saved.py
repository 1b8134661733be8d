"""What a run saved of its test samples, and evaluating it again without the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS, read_run_info
from protocols.records import ResultRecord
from tasks.run.judged import RECORD, Origin, make_record, saved_by
from tasks.spec import TaskSpec


def require_task(spec: TaskSpec, run: Path) -> None:
    """Refuse a folder that is no run of a task.

    Raises:
        ValueError: it is none, or a run of another task.
    """
    of = read_run_info(run).task
    if of != spec.name:
        raise ValueError(
            f"{run} is a run of `{of}`, not of `{spec.name}`: see `aclnet-task {of} --help`"
        )


def read_saved(spec: TaskSpec, run: Path) -> Any:
    """What a run's network said of the test samples.

    Raises:
        ValueError: the folder is no run of this task, or its training has not ended.
    """
    require_task(spec, run)
    if not (run / spec.saved).is_file():
        raise ValueError(
            f"{run} has no {spec.saved}: its training has not ended; go on with "
            f"`aclnet-task {spec.name} train --run {run} --resume`"
        )
    return spec.read(run / spec.saved)


def usual_run(spec: TaskSpec) -> Path:
    """The run that is meant where none is named.

    It is that of the task's own recipe or, where there is none of it, the task's run below `runs`
    that ended last.

    Raises:
        ValueError: there is none.
    """
    if spec.recipe is not None and spec.run_folder(spec.recipe).is_dir():
        return spec.run_folder(spec.recipe)
    ended = [path.parent for path in Path("runs").glob(f"**/{RECORD}") if _is_of(spec, path.parent)]
    if not ended:
        raise ValueError(
            f"there is no run of `{spec.name}` below runs that has ended: name one with --run, or "
            f"give --{spec.saved_option} FILE"
        )
    return max(ended, key=lambda run: (run / RECORD).stat().st_mtime)


def _is_of(spec: TaskSpec, run: Path) -> bool:
    try:
        return read_run_info(run).task == spec.name
    except ValueError:
        return False


def evaluate_run(spec: TaskSpec, run: Path, query: Any, command: str) -> tuple[ResultRecord, str]:
    """Judge what a run saved, by its own settings unless the query has others.

    Args:
        spec: the task.
        run: a run that has ended.
        query: of class `spec.query`.
        command: the command line, for the record.

    Returns:
        The record, and the tables as text.

    Raises:
        ValueError: the run has not ended, or a choice is unknown.
    """
    tested = read_saved(spec, run)
    settings = load_settings(spec.settings, run / SETTINGS)
    origin = Origin.of_run(run)
    judged = spec.judge(tested, settings, query)
    record = make_record(spec.name, judged, origin, command)
    return record, judged.render(origin.objective, {})


def evaluate_file(spec: TaskSpec, path: Path, query: Any, command: str) -> tuple[ResultRecord, str]:
    """Judge anybody's file (see `TaskSpec.read`).

    What a run saved keeps the name of the run's data and is judged by its settings; of others a
    note says that nothing is known of them.

    Raises:
        ValueError: the file cannot be read, or does not fit the protocol.
    """
    tested, origin = spec.read(path), Origin.of_file(path)
    info = saved_by(path)
    own = info is not None and info.task == spec.name
    settings = load_settings(spec.settings, path.parent / SETTINGS) if own else None
    judged = spec.judge(tested, settings, query)
    text = judged.render(path.stem, {})
    notes = "".join(f"\nNote: {note}" for note in origin.notes)
    return make_record(spec.name, judged, origin, command), f"{text}{notes}"
