"""The runs below a folder, told by their small files: without data or the network library."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from aclnet.config import load_settings
from aclnet.files import is_held
from aclnet.runs.finished import require_finished
from aclnet.runs.info import LOCK, RUN_INFO, SETTINGS, read_run_info
from aclnet.skeleton.names import nearest_name
from aclnet.training.log import read_log
from protocols.records import ResultRecord
from tasks.run.judged import RECORD
from tasks.spec import find_task

State = Literal["finished", "running", "interrupted", "untested"]

_CHECKPOINT, _LOG = "checkpoint.pt", "log.jsonl"
_MARKS = {RUN_INFO, _CHECKPOINT, _LOG}
"""Files of which every run has one as soon as it trains."""
_STORE = "store.json"

FIELDS = ("run", "task", "data", "objective", "stream", "seed", "epoch", "epochs", "state")
"""What runs may be sorted and kept by, beside their metrics."""


@dataclass(frozen=True)
class ListedRun:
    """A run.

    Attributes:
        run: its folder.
        task: name of its task.
        data: name of its data set.
        synthetic: whether the data were generated.
        objective: what it was trained with.
        stream: its input streams.
        seed: of the training.
        epoch: epochs done.
        epochs: epochs of the whole training.
        state: "running" if a process of this machine, or of one that shares its locks, writes it;
            "untested" if the training is finished and there is no record.
        main: names of the task's main metrics, the headline first.
        metrics: of its record, rates 0..1; empty without one.
    """

    run: str
    task: str
    data: str
    synthetic: bool
    objective: str
    stream: str
    seed: int
    epoch: int
    epochs: int
    state: State
    main: tuple[str, ...] = ()
    metrics: Mapping[str, float] | None = None

    def value(self, key: str) -> Any:
        """The value of a field or a metric; None without one."""
        return getattr(self, key) if key in FIELDS else (self.metrics or {}).get(key)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return asdict(self) | {"main": list(self.main), "metrics": dict(self.metrics or {})}


def list_runs(folder: Path) -> tuple[list[ListedRun], dict[str, str]]:
    """Describe all runs below a folder, in the order of their paths.

    Args:
        folder: a folder of runs, or a run.

    Returns:
        The runs, and why others cannot be described, by their folders.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: give the folder that holds the runs")
    runs: list[ListedRun] = []
    damaged: dict[str, str] = {}
    for run in _folders(folder, damaged):
        try:
            runs.append(_described(run))
        except (ValueError, OSError) as error:
            damaged[str(run)] = " ".join(str(error).split())
    return runs, damaged


def kept_runs(runs: Sequence[ListedRun], wanted: Mapping[str, Sequence[str]]) -> list[ListedRun]:
    """The runs that have one of the wanted values in every field.

    Raises:
        ValueError: there is no such field or state.
    """
    for field, values in wanted.items():
        _require_known("--keep", field, FIELDS)
        for value in values:
            if field == "state":
                _require_known("--keep state", value, get_args(State))
    return [
        run
        for run in runs
        if all(str(run.value(field)) in values for field, values in wanted.items())
    ]


def sorted_runs(runs: Sequence[ListedRun], key: str, reverse: bool = False) -> list[ListedRun]:
    """Sort runs by a field, or by a metric with the greatest value first.

    Args:
        runs: to sort; those of equal values stay in their order.
        key: one of `FIELDS`, or the name of a metric.
        reverse: the other way round; runs without a value still come last.

    Raises:
        ValueError: it is neither a field nor a metric of any run.
    """
    if runs:
        _require_known("--sort", key, (*FIELDS, *_metrics(runs)))
    known = [run for run in runs if run.value(key) is not None]
    rest = [run for run in runs if run.value(key) is None]
    downwards = (key not in FIELDS) != reverse
    return sorted(known, key=lambda run: run.value(key), reverse=downwards) + rest


def require_metrics(runs: Sequence[ListedRun], names: Sequence[str]) -> None:
    """Refuse names that are no metric of any run.

    Raises:
        ValueError: there is one.
    """
    for name in names:
        _require_known("--metric", name, _metrics(runs))


def _metrics(runs: Sequence[ListedRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.metrics or {}))


def _require_known(option: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        shown = ", ".join(one for one in known if "/" not in one)
        raise ValueError(f"{option} {name!r}{nearest_name(name, known)}: known are {shown}")


def _folders(folder: Path, damaged: dict[str, str]) -> Iterator[Path]:
    """The folders that hold a run; below a run or a store, and behind links, nobody looks."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        damaged[str(folder)] = str(error.strerror)
        return
    if _MARKS.intersection(names):
        yield folder
    elif _STORE not in names:
        for below in (folder / name for name in names if not name.startswith(".")):
            linked = below.is_symlink() and not any((below / mark).exists() for mark in _MARKS)
            if below.is_dir() and not linked:
                yield from _folders(below, damaged)


def _described(run: Path) -> ListedRun:
    """Describe one run.

    Raises:
        ValueError: a file of it is missing or damaged, or its task is not loaded.
        OSError: one cannot be read.
    """
    info = read_run_info(run)
    spec = find_task(info.task)
    # Light: the encoder's settings would import torch.
    settings = load_settings(spec.settings, run / SETTINGS, light=True)
    epochs = [line.get("epoch") for line in _logged(run) if line.get("kind") == "epoch"]
    finished = require_finished(run, unfinished=True)
    described = ListedRun(
        run=str(run),
        task=info.task,
        data=info.dataset,
        synthetic=info.synthetic,
        objective=settings.objective_name,
        stream="+".join(settings.clip.streams),
        seed=settings.train.seed,
        epoch=max((int(epoch) for epoch in epochs if epoch is not None), default=0),
        epochs=settings.train.epochs,
        state="finished" if finished else "interrupted",
        main=spec.measures,
    )
    if is_held(run / LOCK):
        return replace(described, state="running")
    if not finished or not (run / RECORD).is_file():
        return replace(described, state="untested" if finished else "interrupted")
    return replace(described, metrics=ResultRecord.read(run / RECORD).metrics)


def _logged(run: Path) -> list[dict[str, Any]]:
    return read_log(run / _LOG) if (run / _LOG).is_file() else []
