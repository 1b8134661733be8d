"""Biometric measures of saved embeddings, for every task that compares people.

A threshold that was chosen on the tested people tells too good a story, so that it comes from
other people: those who watched the run's training, embedded by its network, or a file's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS
from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import BIOMETRICS, ResultRecord
from protocols.statistics.intervals import wilson_interval
from tasks.run.judged import Judged, Origin, make_record
from tasks.run.queries import BiometricsQuery
from tasks.run.saved import read_saved
from tasks.spec import TaskSpec

Report = Callable[[str], None]

LEAST_PEOPLE = 2
"""Fewer people make no impostor comparison."""


@dataclass(frozen=True)
class Measured:
    """What was measured, by protocol and not yet by whom.

    Attributes:
        protocol: name of the protocol.
        metrics: by name.
        intervals: by name.
        counts: by name.
        notes: sentences.
        cells: curves and tables.
        render: the tables as text, with the record's notes below.
        evaluation: how it was measured, beyond the query, for the record's settings.
    """

    protocol: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    cells: dict[str, Any]
    render: Callable[[tuple[str, ...]], str]
    evaluation: Mapping[str, Any]


@dataclass(frozen=True)
class _Development:
    """People on whom thresholds are chosen.

    Attributes:
        embeddings: of theirs; None where there are no such people.
        source: what they are, for the record.
        note: a sentence on them.
    """

    embeddings: Embeddings | None
    source: str | None
    note: str


def measure(
    spec: TaskSpec,
    query: BiometricsQuery,
    *,
    run: Path | None,
    file: Path | None,
    cache: Path,
    command: str,
    report: Report | None = None,
) -> tuple[ResultRecord, str]:
    """Biometric measures of a run's saved test embeddings, or of anybody's.

    Args:
        spec: the task.
        query: what to measure.
        run: a run that has ended; or None, with `file`.
        file: anybody's embeddings (see `protocols.embeddings` for the file).
        cache: folder for converted and generated data, from which development people come.
        command: the command line, for the record.
        report: takes sentences of progress.

    Returns:
        The record, of a kind of its own so that it stands in no table of ranks, and the tables as
        text.

    Raises:
        ValueError: the run has not ended, its data are gone, a file cannot be read, or a choice is
            unknown or finds no comparison.
    """
    if run is not None:
        tested, origin = read_saved(spec, run), Origin.of_run(run)
        settings = load_settings(spec.settings, run / SETTINGS)
        development = _of_run(spec, run, settings, query, origin, cache, report)
    else:
        path = Path(str(file))
        tested, origin, settings = spec.read(path), Origin.of_file(path), None
        development = _none("No development people were given")
    if query.development is not None:
        development = _of_file(query.development)
    # Where not one recording was lost, every probe was acquired; otherwise it is not known which.
    acquired: dict[str, int] | None = {} if lost_recordings(origin.counts) == 0 else None
    found = spec.measure(tested, settings, query, development.embeddings, acquired)
    found = replace(found, notes=(*found.notes, development.note))
    found = _with_acquisition(found, origin.counts)
    judged = Judged(
        protocol=found.protocol,
        rule="",
        metrics=found.metrics,
        intervals=found.intervals,
        counts=found.counts,
        notes=found.notes,
        cells=found.cells,
        render=lambda _name, _baselines: found.render((*found.notes, *origin.notes)),
        evaluation={
            **query.asked(),
            "protocol": found.protocol,
            **found.evaluation,
            "development": development.source,
        },
    )
    record = make_record(spec.name, judged, replace(origin, rule=""), command, kind=BIOMETRICS)
    return record, judged.render("", {})


def _of_file(path: Path) -> _Development:
    """Development people from a file of embeddings."""
    note = f"Thresholds under from_development were chosen on the people of {path.name}."
    return _Development(load_embeddings(path), path.name, note)


def _none(why: str) -> _Development:
    """No development people; `why` begins the note."""
    note = f"{why}, so that no threshold comes from other people: see --development FILE."
    return _Development(None, None, note)


def _of_run(
    spec: TaskSpec,
    run: Path,
    settings: Any,
    query: BiometricsQuery,
    origin: Origin,
    cache: Path,
    report: Report | None,
) -> _Development:
    """A run's validation people, embedded by its network, where it has some and they are wanted."""
    if query.development is not None:
        return _none("")  # a file's people come instead
    if getattr(settings, "people", "strangers") == "same":
        return _none("The tested people trained too, and nobody else is in the data")
    if not query.development_run:
        return _none("The run's validation people were left out")
    if origin.counts.get("validation_subjects", 0) < LEAST_PEOPLE:
        return _none(f"The run has fewer than {LEAST_PEOPLE} validation people")
    from tasks.run.open import open_run

    try:
        adapter, network = open_run(spec, run, cache, report)
    except ValueError as error:
        raise ValueError(f"{error}; or give --development FILE, or --no-development-run") from None
    embeddings = adapter.embeddings(network, adapter.validation_samples(), report)
    note = (
        "Thresholds under from_development were chosen on the run's "
        f"{len(np.unique(embeddings.subject))} validation people, who watched its training and are "
        "not tested."
    )
    return _Development(embeddings, "validation people of the run", note)


def lost_recordings(counts: Mapping[str, int]) -> int | None:
    """Recordings of the whole data set that gave no embedding; None where that is not known.

    Readers drop frames and people too, which leaves the recording.
    """
    if "dropped_short" not in counts:
        return None
    return sum(
        count
        for name, count in counts.items()
        if name == "dropped_short"
        or (name.startswith("dropped_") and ("sequences" in name or "recordings" in name))
    )


def _with_acquisition(measured: Measured, counts: Mapping[str, int]) -> Measured:
    """Add the share of recordings that gave no embedding, where some did not.

    A record counts them over the whole data set, training people included: which of them would
    have been probes, and under which condition, it does not know.
    """
    lost = lost_recordings(counts)
    if not lost:
        return measured
    tried = lost + sum(counts.get(name, 0) for name in ("train", "validation", "test"))
    low, high = wilson_interval(lost, tried)
    note = (
        f"{lost} of the {tried} recordings of the whole data set gave no embedding "
        "(fta_recordings); which would have been probes is not recorded, and the other rates do "
        "not hold them."
    )
    return replace(
        measured,
        metrics={**measured.metrics, "fta_recordings": lost / tried},
        intervals={**measured.intervals, "fta_recordings": (float(low), float(high))},
        counts={**measured.counts, "not_acquired_recordings": lost},
        notes=(*measured.notes, note),
    )
