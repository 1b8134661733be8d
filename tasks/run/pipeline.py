"""A run of any task: open and divide the data, train, test, evaluate, write the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from aclnet.data.left_out import notes_in_words
from aclnet.data.store import Store
from aclnet.distributed import every_rank, in_agreement
from aclnet.models import SkeletonNetwork
from aclnet.progress import counting
from aclnet.runs.finished import require_finished
from aclnet.runs.info import RUN_INFO, read_run_info
from aclnet.training.engine import CHECKPOINT, LOG
from aclnet.training.events import EVENTS, EventLog, require_events
from aclnet.training.log import read_log
from aclnet.training.machine.instructions import pin_instructions
from aclnet.training.machine.interrupts import Interrupted
from aclnet.training.machine.launch import make_fabric
from protocols.records import DatasetReference, ResultRecord
from tasks.run.adapter import TaskAdapter, require_room, train
from tasks.run.folder import owned_run, start_run_folder
from tasks.run.judged import (
    BASELINE,
    BASELINE_RECORD,
    RECORD,
    Judged,
    Origin,
    make_record,
    recorded_seconds,
    training_environment,
)
from tasks.run.open import open_run, trained_so_far
from tasks.run.trained_data import changed_since, require_unchanged
from tasks.samples.open import open_data
from tasks.settings import TaskSettings, naming_data
from tasks.spec import Report, Represented, TaskSpec, silent

MakeAdapter = Callable[[TaskSettings, Store, Report], TaskAdapter[Any]]


class RunResult(NamedTuple):
    """The result of a run: its record, and the tables as text."""

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
    report: Report = silent,
    make_adapter: MakeAdapter | None = None,
) -> RunResult | None:
    """Train and evaluate a run; with several ranks, all train and embed, and rank 0 writes.

    Args:
        spec: the task.
        settings: resolved settings.
        run: the run's folder.
        cache: folder for converted and generated data.
        command: command line, for the record.
        resume: resume from the folder's checkpoint; a finished training is only evaluated.
        overwrite: delete a run in the folder and start again.
        report: called with progress messages.
        make_adapter: replaces the task's adapter; a study may save more of the training.

    Returns:
        The result; None on other ranks, or if rank 0 failed.

    Raises:
        ValueError: settings, data and folder do not fit, another process is writing the run, or
            the instruction set was not pinned before torch was imported; see
            `tasks.run.adapter.train` for other exceptions.
    """
    pin_instructions(settings.train.instruction_set)
    with _resumable(run), ExitStack() as ownership:
        fabric = make_fabric(settings.train)
        first = fabric.is_global_zero
        if not first:
            report = silent

        def opened() -> TaskAdapter[Any]:
            store = open_data(settings.data, cache, report)
            with naming_data(settings.data):
                return (make_adapter or spec.adapter)(settings, store, report)

        adapter: TaskAdapter[Any] | None = None
        try:
            if first:
                ownership.enter_context(owned_run(run, resume, overwrite))
                adapter = opened()
                require_room(adapter)
                require_events(settings.train)
                require_unchanged(adapter.store, run if resume else None)
                if not (resume and (run / CHECKPOINT).is_file()):
                    adapter.check_start()
                # An older run is deleted only now that settings and data are known to be valid.
                start_run_folder(run, overwrite)
        finally:
            # Rank 0 converts the data; the others then open the result, or leave the error to it.
            ready = fabric.broadcast(adapter is not None)
        if not ready:
            return None
        own = adapter
        try:
            adapter = in_agreement(lambda: own or opened())
        except ValueError:
            if first:
                raise
            return None
        for sentence in (adapter.describe(), *adapter.notes()):
            report(sentence)
        network, fitted = train(
            spec.name, adapter, run, resume=resume, fabric=fabric, report=report
        )
        with every_rank():
            tested = output_of(adapter, network, report)
        if not first:
            return None
        with counting(report, "evaluating"):
            result = judge_run(spec, adapter, network, tested, fitted.seconds, run, command)
        _add_events(run, settings, result.record)
        return result


def _add_events(run: Path, settings: TaskSettings, record: ResultRecord) -> None:
    """Add the test's metrics to a run's events, if it has any, at its last step."""
    if not settings.train.tensorboard:
        return
    last = read_log(run / LOG)[-1]
    with EventLog(run / EVENTS, None) as events:
        events.write("test", epoch=last["epoch"], step=last["step"], values=record.metrics)


def output_of(adapter: TaskAdapter[Any], network: SkeletonNetwork, report: Report) -> Represented:
    """The network's output on the test samples."""
    message = adapter.testing()
    if message:
        report(message)
    return adapter.represent(network, adapter.test_samples(), report)


def judge_run(
    spec: TaskSpec,
    adapter: TaskAdapter[Any],
    network: SkeletonNetwork,
    tested: Represented,
    seconds: float,
    run: Path,
    command: str,
    **changes: Any,
) -> RunResult:
    """Evaluate a run's tested network and the baseline, and write the records.

    Args:
        spec: the task.
        adapter: adapter of the run's data.
        network: the trained network.
        tested: its output on the test samples.
        seconds: duration of the training.
        run: the run's folder, to which the network's output and the records are written.
        command: command line, for the records.
        **changes: overrides of the origin's fields (`tasks.run.judged.Origin`).
    """
    tested.save(run / spec.saved)
    adapter.save_more(network, run)
    origin = replace(origin_of(adapter, seconds), **changes)
    baselines: dict[str, Judged] = {}
    floor = adapter.floor()
    judged = spec.judge(tested, adapter.settings, None)
    if floor is not None:
        baselines[BASELINE] = spec.judge(floor, adapter.settings, spec.floor_query())
        plain = {name: one for name, one in origin.settings.items() if name != "initial"}
        lengths = replace(origin, objective=BASELINE, variant="", settings=plain, seconds=0.0)
        record = make_record(spec.name, baselines[BASELINE], lengths, command)
        record.write(run / BASELINE_RECORD)
    record = make_record(spec.name, judged, origin, command)
    record.write(run / RECORD)  # last: if it exists, the run is finished
    return RunResult(record, judged.render(record.objective, baselines))


def evaluate_again(
    spec: TaskSpec,
    run: Path,
    query: Any,
    cache: Path,
    command: str,
    report: Report,
    *,
    unfinished: bool = False,
) -> RunResult:
    """Test a trained run's network again, on other data or with other test settings.

    Args:
        spec: the task.
        run: the run's folder; it is not changed.
        query: of class `spec.query`; it may have `data`, other data or None, and `changes`, a
            function of the run's settings that returns overrides by name.
        cache: folder for converted data.
        command: command line, for the record.
        report: called with progress messages.
        unfinished: also test a run whose training is not finished; the record says so, and counts
            the epochs under `trained_epochs`.

    Raises:
        ValueError: the folder is not a run, its training is not finished, it has no checkpoint, or
            the data do not fit it.
    """
    finished = require_finished(run, unfinished)
    data, changes = getattr(query, "data", None), getattr(query, "changes", None)
    adapter, network = open_run(
        spec, run, cache, report, data=data, changes=changes, unfinished=unfinished
    )
    tested = adapter.represent(network, adapter.test_samples(), report)
    with counting(report, "evaluating"):
        judged = spec.judge(tested, adapter.settings, query)
    if finished:
        origin = origin_of(adapter, recorded_seconds(run))
    else:
        state, note = trained_so_far(run)
        origin = origin_of(adapter, state.seconds)
        counts = {**origin.counts, "trained_epochs": state.epoch - 1}
        origin = replace(origin, counts=counts, notes=(*origin.notes, note))
        report(note)
    origin = replace(origin, trained=training_environment(run))
    if data is None and (note := changed_since(adapter.store, read_run_info(run), run)):
        origin = replace(origin, notes=(*origin.notes, note))
    record = make_record(spec.name, judged, origin, command)
    return RunResult(record, judged.render(record.objective, {}))


def origin_of(adapter: TaskAdapter[Any], seconds: float) -> Origin:
    """The origin of a run's results, from its adapter and the duration of its training."""
    settings, info, initial = adapter.settings, adapter.store.info, adapter.initial
    began: dict[str, Any] = {}
    counts = adapter.counts()
    if initial is not None:
        began["initial"] = initial.model_dump(mode="json", exclude={"loaded", "left"})
        left = sum(initial.left.values())
        counts |= {"initial_tensors": initial.loaded, "initial_tensors_left": left}
    return Origin(
        DatasetReference(name=info.name, fingerprint=info.fingerprint, synthetic=info.synthetic),
        objective=settings.objective_name,
        stream="+".join(settings.clip.streams),
        seed=settings.train.seed,
        settings={**settings.model_dump(mode="json"), **began},
        counts=counts,
        seconds=seconds,
        notes=(
            *adapter.notes(),
            *(() if initial is None else (str(initial),)),
            *notes_in_words(info.notes),
        ),
        variant=settings.variant,
        rule=adapter.tested_how(),
        fold=getattr(settings, "fold", None),
    )


@contextmanager
def _resumable(run: Path) -> Iterator[None]:
    """Make a signal outside the training loop, which handles its own, say how to resume."""
    try:
        yield
    except KeyboardInterrupt as signal:
        trained = (run / CHECKPOINT).is_file()
        if not trained and not (run / RUN_INFO).is_file():
            raise Interrupted(
                f"stopped before anything was saved in {run}: run the same command again", signal
            ) from None
        saved = "the training so far is saved" if trained else "no checkpoint is saved yet"
        raise Interrupted(
            f"stopped; {saved} in {run}: resume with the same command and --resume, without "
            "--overwrite",
            signal,
        ) from None
