"""`aclnet-task reid biometrics`: verification and thresholds of every pair of sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aclnet.config import load_settings
from protocols.biometrics.evaluate import evaluate_trials
from protocols.biometrics.table import POOLED, BiometricsTable
from protocols.biometrics.text import render_biometrics
from protocols.biometrics.trials import Trials, check_apart, pair_trials
from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import ResultRecord
from protocols.reid.pairs import Pair, PairProtocol, load_pairs
from protocols.reid.rules import ReidRule, reid_rule
from protocols.text import render_notes
from tasks.reid.adapter import ReidAdapter
from tasks.reid.sequences import cut_sequences
from tasks.reid.settings import ReidSettings
from tasks.run.adapter import Report
from tasks.run.biometrics import (
    LEAST_PEOPLE,
    BiometricsQuery,
    Development,
    Measured,
    Origin,
    file_development,
    make_record,
    no_development,
    validation_development,
    with_acquisition,
)
from tasks.run.embeddings import on_best_device, run_embeddings
from tasks.run.folder import SETTINGS
from tasks.run.networks import load_run
from tasks.samples.open import open_data

Intervals = Mapping[str, tuple[float, float]]


def measure_run(
    run: Path, query: BiometricsQuery, cache: Path, command: str, report: Report | None = None
) -> tuple[ResultRecord, str]:
    """Biometric measures of a run's saved test embeddings, pair by pair.

    Args:
        run: a run that has ended.
        query: what to measure.
        cache: folder for converted and generated data, from which development people come.
        command: the command line, for the record.
        report: takes sentences of progress.

    Returns:
        The record, and the tables as text.

    Raises:
        ValueError: the run has not ended, its data are gone, or a choice is unknown.
    """
    embeddings = run_embeddings(run, "reid")
    settings = load_settings(ReidSettings, run / SETTINGS)
    own, pairs = settings.chosen_pairs()
    protocol = own if query.protocol is None else load_pairs(query.protocol)
    origin = Origin.of_run(run)
    development = _development(run, settings, query, origin, cache, report)
    wanted = pairs if protocol is own else protocol.pairs
    return _measure(embeddings, protocol, wanted, query, origin, development, command)


def measure_file(path: Path, query: BiometricsQuery, command: str) -> tuple[ResultRecord, str]:
    """The same of anybody's embeddings of sequences (see `protocols.embeddings` for the file).

    Raises:
        ValueError: the file cannot be read, or a set of a pair is not in it.
    """
    embeddings = load_embeddings(path)
    protocol = load_pairs(query.protocol or ReidSettings.model_fields["protocol"].default)
    development = (
        no_development("No development people were given")
        if query.development is None
        else file_development(query.development)
    )
    origin = Origin.of_file(path)
    return _measure(embeddings, protocol, protocol.pairs, query, origin, development, command)


def _measure(
    embeddings: Embeddings,
    protocol: PairProtocol,
    pairs: Sequence[Pair],
    query: BiometricsQuery,
    origin: Origin,
    development: Development,
    command: str,
) -> tuple[ResultRecord, str]:
    if development.embeddings is not None:
        check_apart(embeddings, None, development.embeddings, None)
    rule = reid_rule(query.rule or "clean")
    tables: dict[str, BiometricsTable] = {}
    notes: list[str] = []
    for pair in pairs:
        trials = pair_trials(embeddings, protocol, pair, rule, metric=query.metric)
        chosen_on, said = _chosen_on(development.embeddings, protocol, pair, rule, query)
        notes += said
        table = evaluate_trials(
            trials,
            chosen_on,
            targets=query.targets,
            rotations=query.rotations,
            generator=np.random.default_rng(query.seed),
        )
        tables[pair.name] = _alone(table)
    flattering = [pair.name for pair in pairs if pair.same_set]
    if rule.hidden == "self" and flattering:
        notes.append(
            f"{', '.join(flattering)}: sequences of one walk are compared with each other, which "
            "flatters; --rule cross-take leaves them out."
        )
    intervals = {name: _intervals(table) for name, table in tables.items()}
    measured = _joined(protocol.name, tables, intervals, (*notes, development.note))
    measured = with_acquisition(measured, origin.counts)
    asked = {
        **query.asked(),
        "protocol": protocol.name,
        "rule": rule.name,
        "development": development.source,
    }
    record = make_record("reid", measured, origin, asked, command)
    texts = [render_biometrics(table, intervals=intervals[n]) for n, table in tables.items()]
    closing = (*measured.notes[sum(len(t.notes) for t in tables.values()) :], *origin.notes)
    return record, "\n\n".join([*texts, render_notes(closing)])


def _chosen_on(
    development: Embeddings | None,
    protocol: PairProtocol,
    pair: Pair,
    rule: ReidRule,
    query: BiometricsQuery,
) -> tuple[Trials | None, list[str]]:
    """The pair's comparisons of the development people; None, and why, where they lack a set."""
    if development is None:
        return None, []
    try:
        return pair_trials(development, protocol, pair, rule, metric=query.metric), []
    except ValueError as error:
        return None, [f"{pair.name}: no threshold comes from the development people. {error}"]


def _alone(table: BiometricsTable) -> BiometricsTable:
    """A table of one pair without what all conditions together would repeat."""
    (name,) = table.conditions
    mark = f"/{name}"
    return replace(
        table,
        metrics={key: value for key, value in table.metrics.items() if key.endswith(mark)},
        applied=tuple(row for row in table.applied if row.condition != POOLED),
        notes=tuple(note for note in table.notes if " all conditions " not in f"{note} "),
        tallies={name: table.tallies[name]},
    )


def _intervals(table: BiometricsTable) -> Intervals:
    """Intervals of the pair's figures (2,000 draws, seed 0)."""
    found = table.intervals(np.random.default_rng(0))
    return {key: ends for key, ends in found.items() if key in table.metrics}


def _joined(
    protocol: str,
    tables: Mapping[str, BiometricsTable],
    intervals: Mapping[str, Intervals],
    notes: tuple[str, ...],
) -> Measured:
    """The figures of all pairs; each name ends in its pair already."""
    counts: dict[str, int] = {}
    own: list[str] = []
    for name, table in tables.items():
        plain = {key: n for key, n in table.counts.items() if "/" not in key}
        counts |= {f"{key}/{name}": n for key, n in plain.items()}
        own += [f"{name}: {note}" for note in table.notes]
    return Measured(
        protocol=protocol,
        metrics={key: value for table in tables.values() for key, value in table.metrics.items()},
        intervals={key: ends for each in intervals.values() for key, ends in each.items()},
        counts=counts,
        notes=(*own, *notes),
        cells={"pairs": {name: table.record_cells() for name, table in tables.items()}},
    )


def _development(
    run: Path,
    settings: ReidSettings,
    query: BiometricsQuery,
    origin: Origin,
    cache: Path,
    report: Report | None,
) -> Development:
    """A file's people, or those who watched the run's training."""
    if query.development is not None:
        return file_development(query.development)
    if settings.people == "same":
        return no_development("The tested people trained too, and nobody else is in the data")
    if not query.own_development:
        return no_development("The run's validation people were left out")
    if origin.counts.get("validation_subjects", 0) < LEAST_PEOPLE:
        return no_development(f"The run has fewer than {LEAST_PEOPLE} validation people")
    return validation_development(_embed_validation(run, settings, cache, report))


def _embed_validation(
    run: Path, settings: ReidSettings, cache: Path, report: Report | None
) -> Embeddings:
    """Embed the sequences of a run's validation people with its network."""
    best = settings.select == "best"  # the weights that were tested
    _, info, network, _ = load_run(run, ReidSettings, best=best)
    adapter = ReidAdapter(settings, open_data(settings.data, cache, report), report)
    info.require(adapter.store, run)
    if adapter.classes != info.classes:
        raise ValueError(
            f"the data of {run} have changed since its training, and with them who validates: give "
            "--development FILE, or --no-development-run"
        )
    held = adapter.store.select(adapter.division.validation)
    sequences = cut_sequences(held, settings.clip, settings.sequences).store
    on_best_device(network, settings.train)
    return adapter.embeddings(network, sequences, report)
