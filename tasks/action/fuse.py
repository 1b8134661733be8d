"""Fuses the saved scores of several runs, such as one per stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aclnet.runs.finished import require_finished
from protocols.action.evaluate import evaluate_action
from protocols.action.fusion import (
    EQUAL,
    FUSION_RECIPES,
    TUNED_RECIPES,
    FuseOn,
    fuse,
    recipe_weights,
)
from protocols.action.scores import ClassScores, load_class_scores
from protocols.action.table import ClassTable
from protocols.action.text import render_classification
from protocols.records import DatasetReference, ResultRecord, now
from tasks.action.judge import pooled
from tasks.run.environment import describe_environment
from tasks.run.judged import RECORD, agreed, shared_by
from tasks.run.study import joined
from tasks.samples.left_out import lost_data
from tasks.spec import find_task

SCORES = "scores.npz"


def fuse_runs(
    runs: Sequence[Path], weights: str | None, on: FuseOn, out: Path | None, command: str
) -> tuple[ResultRecord, str]:
    """Fuse runs by sample key and evaluate the result.

    Args:
        runs: folders of finished runs, or scores files; of a study with folds the folders'
            common name, without `-fold1`, for all its folds together.
        weights: comma-separated numbers, a name of `FUSION_RECIPES`, or None for equal weights.
        on: what is averaged.
        out: file for the fused scores; None: not saved.
        command: command line, for the record.

    Returns:
        The record, whose settings hold what was fused and how, beside what the runs have in
        common, and the table as text. With weights that look tuned on test data both also have
        the values of equal weights, in the record's metrics as `equal/top1`.

    Raises:
        ValueError: a run has no scores, or runs, folds, weights, samples, classes or labels do not
            fit.
    """
    folds = [_folds(run) for run in runs]
    for run, own in zip(runs, folds, strict=True):
        if own.keys() != folds[0].keys():
            raise ValueError(
                f"{run} has the folds {', '.join(own) or '(none)'} and {runs[0]} "
                f"{', '.join(folds[0]) or '(none)'}: fuse runs of the same folds"
            )
    scores = [_read_scores([*own.values()]) for own in folds]
    records = [_read_record([*own.values()]) for own in folds]
    shares = _weights(weights, runs, records)
    names = [str(run) for run in runs]
    fused = fuse(scores, shares, on, names)
    if out is not None:
        fused.save(out)
    parts = [
        {"run": str(run), "weight": share, "stream": record.stream if record else ""}
        for run, share, record in zip(runs, shares, records, strict=True)
    ]
    protocol = next((record.protocol for record in records if record), "scores")
    table = evaluate_action(fused, protocol=protocol)
    record = _record(table, records, {"fused": parts, "on": on}, command)
    text = render_classification(table, record.stream, intervals=record.intervals)
    if weights not in TUNED_RECIPES:
        return record, text
    equal = evaluate_action(fuse(scores, (1.0,) * len(runs), on, names), protocol=protocol)
    note = (
        f"The weights of {weights} look tuned on test data; equal weights give top-1 "
        f"{100 * equal.metrics['top1']:.1f}."
    )
    ends = equal.intervals(np.random.default_rng(0))
    record = record.model_copy(
        update={
            "metrics": record.metrics | {f"{EQUAL}/{k}": v for k, v in equal.metrics.items()},
            "intervals": record.intervals | {f"{EQUAL}/{k}": v for k, v in ends.items()},
            "settings": {**record.settings, "weights": weights},
            "notes": (*record.notes, note),
        }
    )
    return record, f"{text}\n{note}"


def _folds(run: Path) -> dict[str, Path]:
    """The runs of a study's folds by fold; a single run, or a scores file, has the fold ""."""
    mark = f"{run.name}-fold"
    found = {} if run.exists() else {path.name: path for path in run.parent.glob(f"{mark}*")}
    return {name.removeprefix(mark): found[name] for name in sorted(found)} or {"": run}


def _read_record(runs: Sequence[Path]) -> ResultRecord | None:
    """The record of a run, or of all folds together; None where one has none."""
    if not all((run / RECORD).is_file() for run in runs):
        return None
    return joined(find_task("action"), runs)


def _weights(
    text: str | None, runs: Sequence[Path], records: Sequence[ResultRecord | None]
) -> tuple[float, ...]:
    if text is None:
        return (1.0,) * len(runs)
    if text in FUSION_RECIPES:
        streams = list(FUSION_RECIPES[text])
        if len(streams) != len(runs):
            raise ValueError(
                f"--weights {text} fuses the {len(streams)} streams {', '.join(streams)}, but "
                f"{len(runs)} runs are given"
            )
        # Scores files do not name their stream.
        named = zip(records, streams, strict=True)
        return recipe_weights(text, [record.stream if record else other for record, other in named])
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"--weights {text!r}: give a comma-separated number per run, or one of "
            f"{', '.join(FUSION_RECIPES)}"
        ) from None


def _record(
    table: ClassTable,
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

    # What all runs have in common says what they are; of scores files nothing is known.
    whole = len(known) == len(records)
    trained = shared_by([record.counts for record in known]) if whole else {}
    common = shared_by([record.settings for record in known]) if whole else {}
    return ResultRecord(
        task=agreed(known, "task", "action"),
        variant=agreed(known, "variant", ""),
        dataset=dataset,
        protocol=table.protocol,
        rule=known[0].rule if known else "",
        fold=known[0].fold if known else None,
        objective=agreed(known, "objective", "fused"),
        stream="fused " + ",".join(record.stream if record else "?" for record in records),
        seed=agreed(known, "seed", None),
        metrics=dict(table.metrics),
        intervals=table.intervals(np.random.default_rng(0)),
        counts={**(lost_data(known[0].counts) if known else {}), **trained, **table.counts},
        settings={**common, **settings},
        environment=describe_environment(),
        seconds=sum(record.seconds for record in known),
        command=command,
        notes=tuple(table.notes),
        cells=table.record_cells(),
        created=now(),
    )


def _read_scores(runs: Sequence[Path]) -> ClassScores:
    """The test scores of a run's folder, of a scores file, or of all folds together."""
    parts = [_scores_of(run) for run in runs]
    return parts[0] if len(parts) == 1 else pooled(parts)


def _scores_of(run: Path) -> ClassScores:
    path = run if run.suffix == ".npz" else run / SCORES
    require_finished(path.parent)
    if not path.is_file():
        raise ValueError(
            f"{run} has no {SCORES}: give the folder of a finished run, or a scores file"
        )
    return load_class_scores(path)
