"""Results of an evaluation, and the record made of them in a run's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aclnet.runs.finished import require_finished
from aclnet.runs.info import RUN_INFO, parse_run_info
from protocols.foreign import read_text
from protocols.labels import is_own_objective
from protocols.records import FOREIGN, RUN, DatasetReference, ResultRecord, now
from tasks.plugins import command_of
from tasks.run.environment import describe_environment

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aclnet.runs.info import RunInfo
    from protocols.action.table import ClassTable
    from protocols.biometrics.table import BiometricsTable
    from protocols.gait.table import GaitTable

Intervals = Mapping[str, tuple[float, float]]

RECORD = "record.json"
"""Written last: if it exists, the run is finished."""

BASELINE, BASELINE_RECORD = "bone-length", "record-bone-length.json"
"""The baseline that a learned embedding must beat, and its record in the run's folder."""


@dataclass(frozen=True)
class Judged:
    """Results of an evaluation for one record, of one table or of several.

    Attributes:
        protocol: name of the protocol.
        rule: name of the rule; empty if `Origin.rule` describes the test.
        metrics: values by name; rates 0..1.
        intervals: lower and upper bounds by the name of a metric.
        counts: by name.
        notes: sentences that belong to the values.
        cells: the tables' cells, for the record.
        render: function of (title, other results by name to show as baselines) that returns the
            tables as text.
        evaluation: how it was evaluated, for the record's settings.
        chosen: settings that were overridden, for the record's settings.
        tables: what `render` needs of a baseline.
        tested: fingerprint of the tested samples' keys and labels; empty if unknown.
        sample_counts: (N, 2) int64 of every tested sample: comparisons in which it is right, and
            all that count; None if the task does not say.
    """

    protocol: str
    rule: str
    metrics: Mapping[str, float]
    intervals: Intervals
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    cells: dict[str, Any] | None
    render: Callable[[str, Mapping[str, Judged]], str]
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Any, ...] = ()
    tested: str = ""
    sample_counts: npt.NDArray[np.int64] | None = None

    @classmethod
    def of_table(
        cls,
        table: ClassTable | GaitTable | BiometricsTable,
        rule: str,
        intervals: Intervals,
        render: Callable[[str, Mapping[str, Judged]], str],
        **more: Any,
    ) -> Judged:
        """The results of a single table; `more` are further attributes."""
        return cls(
            table.protocol,
            rule,
            table.metrics,
            intervals,
            table.counts,
            table.notes,
            table.record_cells(),
            render,
            **more,
        )


class Names(NamedTuple):
    """Names for the record of a file of another program.

    Attributes:
        system: the system, a row of the report; None: unnamed.
        dataset: the data, a table of the report; None: named after what they hold, so that systems
            tested on the same samples share a table.
    """

    system: str | None = None
    dataset: str | None = None


UNNAMED = Names()


@dataclass(frozen=True)
class Origin:
    """Where the tested embeddings or scores come from, for the record.

    Attributes:
        dataset: the data set.
        objective: objective of the network, or `embeddings`.
        stream: stream of the network.
        seed: seed of the run.
        settings: settings of the run.
        counts: training samples and dropped samples of the run.
        seconds: duration of the training.
        notes: sentences on the data and their division, for the record.
        rule: how the test was done, if the task describes it.
        fold: name of the fold.
        variant: how labels were used; see `tasks.settings.TaskSettings.variant`.
        trained: environment of the training, if another process trained.
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
    variant: str = ""
    trained: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_run(cls, run: Path) -> Origin:
        """The origin that a run's record states.

        Raises:
            ValueError: the record is missing or damaged.
        """
        record = read_record(run)
        return cls(
            dataset=record.dataset,
            objective=record.objective,
            stream=record.stream,
            seed=record.seed,
            settings=record.settings,
            counts=_run_counts(record),
            seconds=record.seconds,
            notes=record.data_notes,
            rule=record.rule,
            fold=record.fold,
            variant=record.variant,
            trained=training_environment(run),
        )

    @classmethod
    def of_file(cls, path: Path, tested: Any, names: Names = UNNAMED) -> Origin:
        """The origin of a file of embeddings or scores; the data are known if a run saved it.

        The run's record beside the file says what its training left out.

        Args:
            path: the file.
            tested: its content.
            names: names of the system and of the data, for a file of another program.

        Raises:
            ValueError: the training of the run that saved it is not finished, its record is
                damaged, or the system has the name of an objective of this program.
        """
        info = saved_by(path)
        objective = names.system or (path.stem if names.dataset else "embeddings")
        if info is not None:
            require_finished(path.parent)
            dataset = DatasetReference(
                name=info.dataset, fingerprint=info.fingerprint, synthetic=info.synthetic
            )
            known = (path.parent / RECORD).is_file()
            counts = _run_counts(read_record(path.parent)) if known else {}
            return cls(dataset, objective, counts=counts)
        if names.system is not None and is_own_objective(names.system):
            raise ValueError(
                f"--name {names.system}: it is an objective of this program; give the system of "
                f"{path} another name"
            )
        digest = getattr(tested, "fingerprint", "") or hashlib.sha256(path.read_bytes()).hexdigest()
        unnamed = f"data {digest[:8]}" if names.system else path.stem
        dataset = DatasetReference(
            name=names.dataset or unnamed, fingerprint=digest, synthetic=False
        )
        return cls(dataset, objective, notes=(FOREIGN,))


def _run_counts(record: ResultRecord) -> dict[str, int]:
    """The counts of a run; those of parts, such as "probes/nm", come from the new table."""
    return {name: count for name, count in record.counts.items() if "/" not in name}


def make_record(
    task: str, judged: Judged, origin: Origin, command: str, *, kind: str = RUN
) -> ResultRecord:
    """Make the record of an evaluation.

    Args:
        task: name of the task.
        judged: the results.
        origin: where the tested embeddings or scores come from.
        command: the command line.
        kind: kind of the record.
    """
    evaluation = {"evaluation": dict(judged.evaluation)} if judged.evaluation else {}
    trained = {"training": dict(origin.trained)} if origin.trained else {}
    return ResultRecord(
        task=task,
        kind=kind,
        variant=origin.variant if kind == RUN else "",
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
        environment={**describe_environment(), **trained},
        seconds=origin.seconds,
        command=command,
        notes=(*judged.notes, *origin.notes),
        data_notes=tuple(note for note in origin.notes if note != FOREIGN),
        cells=judged.cells,
        tested=judged.tested,
        created=now(),
    )


def shared_by(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries that all mappings have alike, such as settings of several runs.

    >>> shared_by([{"train": {"epochs": 3, "seed": 0}}, {"train": {"epochs": 3, "seed": 1}}])
    {'train': {'epochs': 3}}
    """
    found: dict[str, Any] = {}
    for name, first in values[0].items():
        each = [value.get(name) for value in values]
        if all(isinstance(value, Mapping) for value in each):
            found[name] = shared_by(cast(list[Mapping[str, Any]], each))
        elif all(value == first for value in each) and all(name in value for value in values):
            found[name] = first
    return found


def agreed(records: Sequence[ResultRecord], field: str, other: Any) -> Any:
    """The value of a field that all records share, or another where they differ or are none."""
    values = [getattr(record, field) for record in records]
    return values[0] if values and all(value == values[0] for value in values) else other


def saved_by(path: Path) -> RunInfo | None:
    """The run that saved a file of embeddings or scores; None if unknown.

    It is the run in whose folder the file lies, if the file has a name that runs use. A file of
    another name may hold embeddings of other data.
    """
    from tasks.spec import all_tasks

    info = path.parent / RUN_INFO
    if not info.is_file() or path.name not in {task.saved for task in all_tasks().values()}:
        return None
    return parse_run_info(info)


def read_record(run: Path, name: str = RECORD) -> ResultRecord:
    """Read a record from a run's folder.

    Args:
        run: a finished run.
        name: name of the file: the run's own record by default.

    Raises:
        ValueError: it is missing or damaged, or the training is not finished.
    """
    require_finished(run)
    path = run / name
    try:
        return ResultRecord.from_json(read_text(path))
    except (ValueError, OSError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged: {error}"
        info = run / RUN_INFO
        task = parse_run_info(info).task if info.is_file() else "..."
        command = command_of(task, "train", "--run", run, "--resume")
        raise ValueError(f"{path} {reason}; write it again with `{command}`") from None


def read_any(path: Path) -> ResultRecord:
    """Read the record of a run's folder, or a record file.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    if path.is_dir():
        if not (path / RECORD).exists() and not (path / RUN_INFO).exists():
            raise ValueError(
                f"{path} is not a run: it has no {RECORD}; give a run's folder, or a record file "
                "such as those in results"
            )
        return read_record(path)
    if not path.exists():
        raise ValueError(f"{path}: there is no such run folder or record file")
    try:
        return ResultRecord.from_json(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def recorded_seconds(run: Path) -> float:
    """Duration of a run's training in seconds, from its record; 0 if there is none.

    Raises:
        ValueError: the record is damaged.
    """
    return read_record(run).seconds if (run / RECORD).is_file() else 0.0


def training_environment(run: Path) -> Mapping[str, Any]:
    """Environment in which a run was trained, from its record; empty if there is none.

    Raises:
        ValueError: the record is damaged.
    """
    return read_record(run).environment if (run / RECORD).is_file() else {}
