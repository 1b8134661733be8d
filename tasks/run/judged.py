"""From a judgement to a record: what was found, of what, and the record in a run's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aclnet.runs.info import RUN_INFO, parse_run_info
from protocols.records import RUN, DatasetReference, ResultRecord
from tasks.run.environment import describe_environment

if TYPE_CHECKING:
    from aclnet.data.sample import StoreInfo
    from aclnet.runs.info import RunInfo

RECORD = "record.json"
"""Written last: where it is, the run is complete."""

BASELINE, BASELINE_RECORD = "bone-length", "record-bone-length.json"
"""The floor that a learned embedding must beat, and its record beside the run's."""

FOREIGN = "Foreign embeddings: whether the data were generated is not known."
"""Stands beside every table of embeddings of unknown data."""


@dataclass(frozen=True)
class Judged:
    """What an evaluation found; one record's worth, of one table or of several.

    Attributes:
        protocol: name of the protocol.
        rule: name of the rule; empty where how it was tested (`Origin.rule`) tells all.
        metrics: by name; rates 0..1.
        intervals: low and high end by the name of a metric.
        counts: by name.
        notes: sentences that must stand beside the figures.
        cells: the tables' cells, for the record.
        render: the tables as text; told what is shown, and other judgements by name that stand
            beside it as baselines.
        evaluation: how it was judged, for the record's settings.
        chosen: settings that were replaced, as the record has them.
        tables: what `render` of another judgement needs of this one.
    """

    protocol: str
    rule: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    cells: dict[str, Any] | None
    render: Callable[[str, Mapping[str, Judged]], str]
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Origin:
    """Where what was tested comes from, as a record says it.

    Attributes:
        dataset: what it was made of.
        objective: of its network, or `embeddings`.
        stream: of its network.
        seed: of its run.
        settings: of its run.
        counts: of its run: who trained, what was left out; those of parts only a new table knows.
        seconds: of its training.
        notes: sentences on it.
        rule: how the test was made, where the task says so.
        fold: name of the fold.
    """

    dataset: DatasetReference
    objective: str = "embeddings"
    stream: str = ""
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    rule: str = ""
    fold: str | None = None

    @classmethod
    def of_run(cls, run: Path) -> Origin:
        """What a run's record tells.

        Raises:
            ValueError: the run has none yet, or it is damaged.
        """
        before = read_record(run)
        return cls(
            dataset=before.dataset,
            objective=before.objective,
            stream=before.stream,
            seed=before.seed,
            settings=before.settings,
            counts={name: n for name, n in before.counts.items() if "/" not in name},
            seconds=before.seconds,
            rule=before.rule,
            fold=before.fold,
        )

    @classmethod
    def of_file(cls, path: Path) -> Origin:
        """What is known of a file of embeddings or scores: all of it, if a run saved it."""
        info = saved_by(path)
        if info is None:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            unknown = DatasetReference(name=path.stem, fingerprint=digest, synthetic=False)
            return cls(unknown, notes=(FOREIGN,))
        return cls(
            DatasetReference(
                name=info.dataset, fingerprint=info.fingerprint, synthetic=info.synthetic
            )
        )


def make_record(
    task: str,
    judged: Judged,
    origin: Origin,
    command: str,
    *,
    kind: str = RUN,
) -> ResultRecord:
    """The record of a judgement.

    Args:
        task: name of the task.
        judged: what was found.
        origin: of what was tested.
        command: the command line.
        kind: of the record.
    """
    evaluation = {"evaluation": dict(judged.evaluation)} if judged.evaluation else {}
    return ResultRecord(
        task=task,
        kind=kind,
        fold=origin.fold,
        dataset=origin.dataset,
        protocol=judged.protocol,
        rule=judged.rule or origin.rule,
        objective=origin.objective,
        stream=origin.stream,
        seed=origin.seed,
        metrics=dict(judged.metrics),
        intervals=dict(judged.intervals),
        counts={**origin.counts, **judged.counts},
        settings={**origin.settings, **judged.chosen, **evaluation},
        environment=describe_environment(),
        seconds=origin.seconds,
        command=command,
        notes=(*judged.notes, *origin.notes),
        cells=judged.cells,
    )


def saved_by(path: Path) -> RunInfo | None:
    """The run that saved a file; None where nothing is known of it.

    It is the run beside which the file lies, if the file has a name that runs give: one of any
    other name may be an embedding of other data, put into the run's folder.
    """
    from tasks.spec import all_tasks

    beside = path.parent / RUN_INFO
    if not beside.is_file() or path.name not in {task.saved for task in all_tasks().values()}:
        return None
    return parse_run_info(beside)


def read_record(run: Path, name: str = RECORD) -> ResultRecord:
    """The record that a run wrote.

    Args:
        run: a run that has ended.
        name: file name: of the run's own record, or of another beside it.

    Raises:
        ValueError: it is missing or damaged.
    """
    path = run / name
    try:
        return ResultRecord.from_json(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged: {error}"
        beside = run / RUN_INFO
        task = parse_run_info(beside).task if beside.is_file() else "..."
        command = f"aclnet-task {task} train --run {run} --resume"
        raise ValueError(f"{path} {reason}; write it again with `{command}`") from None


def read_any(path: Path) -> ResultRecord:
    """The record of a run's folder, or a record file, such as a study writes.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    if path.is_dir():
        if not (path / RECORD).exists() and not (path / RUN_INFO).exists():
            raise ValueError(
                f"{path} is not a run: it has no {RECORD}; give a run's folder, or a record file "
                "such as those under results"
            )
        return read_record(path)
    if not path.exists():
        raise ValueError(f"{path}: there is no such run folder or record file")
    try:
        return ResultRecord.from_json(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def recorded_seconds(run: Path) -> float:
    """Seconds of a run's training as its record tells them; 0 where it has none.

    Raises:
        ValueError: the record is damaged.
    """
    return read_record(run).seconds if (run / RECORD).is_file() else 0.0


def dataset_reference(info: StoreInfo) -> DatasetReference:
    """What a record says of the data that it was measured on."""
    return DatasetReference(name=info.name, fingerprint=info.fingerprint, synthetic=info.synthetic)
