"""The record in a run's folder, and what the records of every task share."""

from __future__ import annotations

from pathlib import Path

from aclnet.data.sample import StoreInfo
from protocols.records import DatasetReference, ResultRecord
from tasks.run.folder import RUN_INFO, parse_run_info

RECORD = "record.json"
"""Written last: where it is, the run is complete."""


def read_record(run: Path, name: str = RECORD, task: str | None = None) -> ResultRecord:
    """The record that a run wrote.

    Args:
        run: a run that has ended.
        name: file name: of the run's own record, or of another beside it.
        task: whose train command writes it again; by default the run's own.

    Raises:
        ValueError: it is missing or damaged.
    """
    path = run / name
    try:
        return ResultRecord.from_json(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged: {error}"
        command = f"aclnet-task {task or _task_name(run)} train --run {run} --resume"
        raise ValueError(f"{path} {reason}; write it again with `{command}`") from None


def recorded_seconds(run: Path) -> float:
    """Seconds of a run's training as its record tells them; 0 where it has none.

    Raises:
        ValueError: the record is damaged.
    """
    return read_record(run).seconds if (run / RECORD).is_file() else 0.0


def dataset_reference(info: StoreInfo) -> DatasetReference:
    """What a record says of the data that it was measured on."""
    return DatasetReference(name=info.name, fingerprint=info.fingerprint, synthetic=info.synthetic)


def _task_name(run: Path) -> str:
    beside = run / RUN_INFO
    return parse_run_info(beside).task if beside.is_file() else "..."
