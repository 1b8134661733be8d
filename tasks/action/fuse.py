"""Fusing the saved scores of several runs, such as one a stream, into one result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from protocols.action.evaluate import evaluate_action
from protocols.action.fusion import FUSION_RECIPES, FuseOn, fuse, recipe_weights
from protocols.action.scores import ClassScores, load_class_scores
from protocols.action.text import render_classification
from protocols.records import DatasetReference, ResultRecord
from tasks.run.environment import describe_environment
from tasks.run.judged import RECORD, read_record

SCORES = "scores.npz"


def fuse_runs(
    runs: Sequence[Path], weights: str | None, on: str, out: Path | None, command: str
) -> tuple[ResultRecord, str]:
    """Fuse runs by sample key and evaluate what comes out.

    Args:
        runs: folders of runs that have ended, or scores files.
        weights: numbers by commas, a name of `FUSION_RECIPES`, or None for equal ones.
        on: what is averaged: probabilities, logits or log-probabilities.
        out: where to save the fused scores, if anywhere.
        command: the command line, for the record.

    Returns:
        The record (which says what was fused, and how), and the table as text.

    Raises:
        ValueError: a run has no scores, or runs, weights, samples, classes or labels do not fit.
    """
    if on not in get_args(FuseOn):
        raise ValueError(f"--on {on!r}: choose one of {', '.join(get_args(FuseOn))}")
    scores = [run_scores(run) for run in runs]
    records = [read_record(run) if (run / RECORD).is_file() else None for run in runs]
    shares = _weights(weights, runs, records)
    fused = fuse(scores, shares, _way(on), names=[str(run) for run in runs])
    if out is not None:
        fused.save(out)
    parts = [
        {"run": str(run), "weight": share, "stream": record.stream if record else ""}
        for run, share, record in zip(runs, shares, records, strict=True)
    ]
    record = _record(fused, records, {"fused": parts, "on": on}, command)
    table = evaluate_action(fused, protocol=record.protocol)
    return record, render_classification(table, record.stream, intervals=record.intervals)


def _way(on: str) -> FuseOn:
    return next(way for way in get_args(FuseOn) if way == on)


def _weights(
    given: str | None, runs: Sequence[Path], records: Sequence[ResultRecord | None]
) -> tuple[float, ...]:
    if given is None:
        return (1.0,) * len(runs)
    if given in FUSION_RECIPES:
        streams = [
            record.stream if record else stream
            for record, stream in zip(records, _streams(given, runs), strict=True)
        ]
        return recipe_weights(given, streams)
    try:
        return tuple(float(part) for part in given.split(","))
    except ValueError:
        raise ValueError(
            f"--weights {given!r}: give a number a run by commas, or one of "
            f"{', '.join(FUSION_RECIPES)}"
        ) from None


def _streams(recipe: str, runs: Sequence[Path]) -> list[str]:
    """The streams that a recipe fuses, for scores files, which do not say theirs."""
    streams = list(FUSION_RECIPES[recipe])
    if len(streams) != len(runs):
        raise ValueError(
            f"--weights {recipe} fuses the {len(streams)} streams {', '.join(streams)}, and "
            f"{len(runs)} runs are given"
        )
    return streams


def _record(
    fused: ClassScores,
    records: Sequence[ResultRecord | None],
    settings: dict[str, object],
    command: str,
) -> ResultRecord:
    known = [record for record in records if record is not None]
    unknown = DatasetReference(name="scores", fingerprint="", synthetic=False)
    dataset = known[0].dataset if known else unknown
    if any(record.dataset.fingerprint != dataset.fingerprint for record in known):
        raise ValueError(
            "the runs were tested on different data: fuse runs of one data set and one split"
        )
    table = evaluate_action(fused, protocol=known[0].protocol if known else "scores")
    objectives = {record.objective for record in known}
    return ResultRecord(
        task="action",
        dataset=dataset,
        protocol=table.protocol,
        rule=known[0].rule if known else "",
        fold=known[0].fold if known else None,
        objective=objectives.pop() if len(objectives) == 1 else "fused",
        stream="fused " + ",".join(record.stream if record else "?" for record in records),
        seed=known[0].seed if len({record.seed for record in known}) == 1 else None,
        metrics=dict(table.metrics),
        intervals=table.intervals(np.random.default_rng(0)),
        counts=dict(table.counts),
        settings=settings,
        environment=describe_environment(),
        seconds=sum(record.seconds for record in known),
        command=command,
        notes=tuple(table.notes),
        cells=table.record_cells(),
    )


def run_scores(run: Path) -> ClassScores:
    """The test scores that a run saved; a scores file may be given instead of the run.

    Raises:
        ValueError: the run has not ended, or the file is damaged.
    """
    path = run if run.suffix == ".npz" else run / SCORES
    if not path.is_file():
        raise ValueError(
            f"{run} has no {SCORES}: give the folder of a run that has ended, or a scores file"
        )
    return load_class_scores(path)
