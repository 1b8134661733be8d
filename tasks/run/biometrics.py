"""Biometric measures of saved embeddings, for every task that compares people.

Thresholds chosen on the test people would be optimistic, so they are chosen on other people: the
run's validation people, embedded by its network, or those of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS
from protocols.embeddings import Embeddings, load_embeddings
from protocols.pair_scores import GIVEN, PairScores
from protocols.records import BIOMETRICS, ResultRecord
from protocols.statistics.intervals import wilson_interval
from protocols.text import render_notes
from tasks.run.judged import Judged, Origin, make_record
from tasks.run.queries import BiometricsQuery
from tasks.run.saved import file_settings, read_file, read_saved
from tasks.settings import TaskSettings, naming
from tasks.spec import Report, TaskSpec, silent

_LOST = re.compile(r"dropped_(short|(empty_)?(sequences|recordings|annotations)(_.*)?)")
"""Counts of whole recordings."""

LEAST_PEOPLE = 2
"""Fewer people give no impostor comparison."""


class _Development(NamedTuple):
    """People on whom thresholds are chosen: embeddings, a name for the record, and a note."""

    embeddings: Embeddings | None
    source: str | None
    note: str


def measure(
    spec: TaskSpec,
    query: BiometricsQuery,
    run: Path | None,
    file: Path | None,
    cache: Path,
    command: str,
    report: Report = silent,
    labels: Path | None = None,
) -> tuple[ResultRecord, str]:
    """Measure the saved test embeddings of a run, or embeddings from any system.

    Args:
        spec: the task.
        query: what to measure.
        run: a finished run; or None, with `file`.
        file: a file of embeddings or of scores of pairs (see `protocols.pair_scores`).
        cache: folder for converted and generated data, used to embed the validation people.
        command: command line, for the record.
        report: called with progress messages.
        labels: a table of the samples' labels, for a file that has none.

    Returns:
        The record, of its own kind so that it is not in the tables of ranks, and the tables as
        text.

    Raises:
        ValueError: the run is not finished, its data are missing, a file cannot be read, or a
            choice is unknown or has no comparisons.
    """
    settings: TaskSettings | None = None
    if run is not None:
        tested, origin = read_saved(spec, run), Origin.of_run(run)
        settings = load_settings(spec.settings, run / SETTINGS)
    elif file is not None:
        tested = read_file(spec, file, labels)
        origin = Origin.of_file(file, tested)
        settings = file_settings(spec, file)
    else:
        raise ValueError("give a run or a file of embeddings")
    if query.development is not None:
        development = _of_file(query.development)
    elif run is None:
        development = _nobody("No development people were given")
    else:
        development = _of_run(spec, run, settings, query, origin, cache, report)
    # If no recording was lost, every probe was acquired; otherwise it is not known which.
    acquired: dict[str, int] | None = {} if lost_recordings(origin.counts) == 0 else None
    with naming(str(run or file)):
        judged = spec.measure(tested, settings, query, development.embeddings, acquired)
    text = judged.render("", {})
    own_notes = judged.notes
    judged = _with_acquisition(replace(judged, notes=(*own_notes, development.note)), origin.counts)
    evaluation = {
        **query.choices(),
        "protocol": judged.protocol,
        **judged.evaluation,
        **({"metric": GIVEN} if isinstance(tested, PairScores) else {}),
        "development": development.source,
    }
    judged = replace(judged, evaluation=evaluation, tested=tested.fingerprint)
    record = make_record(spec.name, judged, replace(origin, rule=""), command, kind=BIOMETRICS)
    return record, f"{text}\n{render_notes(record.notes[len(own_notes) :])}"


def _of_file(path: Path) -> _Development:
    note = f"Thresholds under from_development were chosen on the people of {path.name}."
    return _Development(load_embeddings(path), path.name, note)


def _nobody(reason: str) -> _Development:
    note = f"{reason}: no thresholds come from other people; see --development FILE."
    return _Development(None, None, note)


def _of_run(
    spec: TaskSpec,
    run: Path,
    settings: Any,
    query: BiometricsQuery,
    origin: Origin,
    cache: Path,
    report: Report,
) -> _Development:
    """A run's validation people, embedded by its network, if there are any and they are wanted."""
    if settings.trains_test_people:
        return _nobody("All test people are also training people")
    if not query.development_run:
        return _nobody("The run's validation people were not used")
    if origin.counts.get("validation_subjects", 0) < LEAST_PEOPLE:
        return _nobody(f"The run has fewer than {LEAST_PEOPLE} validation people")
    from tasks.run.open import open_run

    try:
        adapter, network = open_run(spec, run, cache, report)
    except ValueError as error:
        raise ValueError(f"{error}; or give --development FILE, or --no-development-run") from None
    embeddings = adapter.embeddings(network, adapter.validation_samples(), report)
    note = (
        "Thresholds under from_development were chosen on the run's "
        f"{len(np.unique(embeddings.subject))} validation people, who are not test people."
    )
    return _Development(embeddings, "validation people of the run", note)


def lost_recordings(counts: Mapping[str, int]) -> int | None:
    """Number of recordings in the whole data set without an embedding; None if unknown.

    Dropped frames and people do not count: their recording remains.
    """
    if "dropped_short" not in counts:
        return None
    return sum(count for name, count in counts.items() if _LOST.fullmatch(name))


def _with_acquisition(judged: Judged, counts: Mapping[str, int]) -> Judged:
    """Add the share of recordings without an embedding, if there are any.

    A record counts them over the whole data set, with its training people: how many of them would
    have been probes, and in which condition, is unknown.
    """
    lost = lost_recordings(counts)
    if not lost:
        return judged
    tried = lost + sum(counts.get(name, 0) for name in ("train", "validation", "test"))
    low, high = wilson_interval(lost, tried)
    note = (
        f"{lost} of the {tried} recordings of the whole data set gave no embedding "
        "(fta_recordings); the record does not say which would have been probes, and the other "
        "rates exclude them."
    )
    return replace(
        judged,
        metrics={**judged.metrics, "fta_recordings": lost / tried},
        intervals={**judged.intervals, "fta_recordings": (float(low), float(high))},
        counts={**judged.counts, "not_acquired_recordings": lost},
        notes=(*judged.notes, note),
    )
