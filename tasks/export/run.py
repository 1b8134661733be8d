"""Exporting a run of any task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aclnet.data.store import Store
from aclnet.export.write import Written, export, first_recordings
from aclnet.runs.averages import Predictor
from aclnet.runs.exported import Kind, Loss, is_exported
from aclnet.runs.model import Model, load
from protocols.records import ResultRecord
from tasks.export.accuracy import calibration_samples, losses
from tasks.export.card import model_card
from tasks.run.judged import RECORD
from tasks.run.open import open_run
from tasks.samples.open import open_data
from tasks.spec import Report, find_task, silent


def export_run(
    run: Path,
    kind: Kind,
    out: Path,
    *,
    data: Path | None = None,
    cache: Path,
    named: bool | None = None,
    integer: bool = False,
    report: Report = silent,
) -> Written:
    """Export a finished run.

    Args:
        run: the run's folder.
        kind: of the exported file.
        out: the new folder.
        data: recordings on which the exported network is compared with the run's; by default
            those of the run.
        cache: folder of generated data.
        named: whether the names of the classes are exported; by default unless they are people.
        integer: weights and activations of 8 bits, for onnx; the run is tested with them on its
            own data, or on those given.
        report: called with progress messages.

    Raises:
        ValueError: the folder is not a finished run, there are no recordings, or see
            `aclnet.export.write.export`.
        OSError: the files cannot be written.
    """
    if is_exported(run):
        raise ValueError(f"{run} is exported already: give the run's folder")
    if integer and kind != "onnx":
        raise ValueError(f"8 bits are for onnx, not for {kind}: leave out --int8, or set --to onnx")
    model = load(run)
    spec = find_task(model.info.task)
    report(f"reading recordings of {data or model.info.dataset}")
    store = _recordings(model, data, cache, report)
    opened = open_run(spec, run, cache, report, data=data) if integer else None
    file = run / RECORD
    record = ResultRecord.read(file) if file.is_file() else None

    def tested(exported: Predictor) -> Iterator[Loss]:
        if opened is not None:
            report("testing the run again, and with 8 bits")
            yield from losses(spec, *opened, exported, report)

    return export(
        model,
        store,
        kind,
        out,
        lambda written: model_card(written, spec, record),
        named=not spec.classes_are_people if named is None else named,
        calibration=None if opened is None else calibration_samples(opened[0]),
        test=tested,
        report=report,
    )


def _recordings(model: Model, data: Path | None, cache: Path, report: Report) -> Store:
    """The first recordings of the given data or of the run's own."""
    own = model.settings.data
    place = data or own.path
    if place is None:
        place = open_data(own, cache, report).path
    if place is None or not place.exists():
        raise ValueError(
            f"{place}: the data of {model.run} are not there, and the exported network is to be "
            "compared on recordings: give some with --data"
        )
    return first_recordings(model, place)
