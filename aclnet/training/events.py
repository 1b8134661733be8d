"""A run's metrics as TensorBoard events, beside its log; of the package only the format is used."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aclnet.files import make_folder, naming, private
from aclnet.training.settings import TrainSettings

EVENTS = "tensorboard"
"""Folder of the events in a run."""

_PLACE = ("kind", "epoch", "step")
_FILE = re.compile(r"events\.out\.tfevents\.(\d+)")


def require_events(settings: TrainSettings) -> None:
    """Check that events can be written, if the settings ask for them.

    Raises:
        ValueError: TensorBoard is not installed.
    """
    if settings.tensorboard:
        _format()


def _format() -> tuple[Any, Any, Any]:
    """TensorBoard's classes of an event, of its scalars, and of a file."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        raise ValueError(
            "train.tensorboard needs TensorBoard, which is not installed: pip install "
            "'aclnet[tensorboard]', or leave train.tensorboard out"
        ) from None
    return Event, Summary, RecordWriter


def is_events_folder(path: Path) -> bool:
    """Whether this is a folder of events and nothing else."""
    return (
        path.name == EVENTS
        and path.is_dir()
        and not path.is_symlink()
        and all(_FILE.fullmatch(name) for name in os.listdir(path))
    )


class EventLog:
    """Writes the values of a run's log as scalars named KIND/NAME, such as `step/loss`.

    A resumed run writes the kept lines of its log anew, into a file that TensorBoard reads after
    the old one, which is removed. So no step appears twice, and the log and the events agree.

    Args:
        folder: of the events; created if needed.
        entries: lines of the run's log to begin with; None: continue with what is there.

    Raises:
        ValueError: TensorBoard is not installed.
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path, entries: Iterable[Mapping[str, Any]] | None) -> None:
        self._event, self._summary, writer = _format()
        make_folder(folder)
        old = sorted(name for name in os.listdir(folder) if _FILE.fullmatch(name))
        newest = _FILE.fullmatch(old[-1] if old else "")
        number = int(newest[1]) if newest else 0
        number += entries is not None or not old
        self._path = folder / f"events.out.tfevents.{number:06}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._records = writer(os.fdopen(private(str(self._path), flags), "ab"))
        self._seconds = 0.0
        if self._path.name not in old:
            self._write(file_version="brain.Event:2")
        if entries is None:
            return
        for entry in entries:
            self.write(entry["kind"], epoch=entry["epoch"], step=entry["step"], values=entry)
        for name in old:
            (folder / name).unlink()

    def write(
        self, kind: str, *, epoch: int, step: int, values: Mapping[str, float | None]
    ) -> None:
        """Append the values of one line of the log (see `RunLog.write`), and flush them.

        `epoch/seconds` is the time of this epoch; in the log it is that since the start. None, as
        the log has it, becomes NaN.
        """
        del epoch
        numbers = {
            name: float("nan") if value is None else float(value)
            for name, value in values.items()
            if name not in _PLACE
        }
        if kind == "epoch" and "seconds" in numbers:
            before, self._seconds = self._seconds, numbers["seconds"]
            numbers["seconds"] -= before
        if numbers:
            value = self._summary.Value
            scalars = [
                value(tag=f"{kind}/{name}", simple_value=number) for name, number in numbers.items()
            ]
            self._write(step=step, summary=self._summary(value=scalars))

    def _write(self, **content: Any) -> None:
        event = self._event(wall_time=time.time(), **content)
        with naming(self._path):
            self._records.write(event.SerializeToString())
            self._records.flush()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._records.close()
