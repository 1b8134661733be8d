"""The paper's studies of trained runs: parts of the body hidden, and motion families."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.models import SkeletonNetwork
from aclnet.training.engine import CHECKPOINT
from protocols.action.division import TRAIN
from protocols.action.evaluate import evaluate_action
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.records import ResultRecord
from protocols.text import align_columns, format_mean, format_rate, render_notes
from tasks.action.adapter import ActionAdapter, ActionSettings
from tasks.action.bodies import class_bodies
from tasks.action.run import make_record, open_run
from tasks.run.adapter import Report
from tasks.run.environment import describe_environment
from tasks.run.networks import build_objective, fill_part, load_run, weight_generator
from tasks.run.records import read_record, recorded_seconds

OCCLUDED = ("left_arm", "right_arm", "two_hands", "two_legs", "trunk")
"""The parts of Table IX; `Layout.part_index` says of which joints they are."""

_ZEROED = (
    "Hidden joints are set to zero as if they had not been seen, before the clip is normalised and "
    "before bones and motion are made of it; the network was trained on whole bodies."
)


def occlusion(
    runs: Sequence[Path], results: Path, cache: Path, command: str, report: Report
) -> tuple[list[ResultRecord], str]:
    """Test runs that were trained on whole bodies with parts of the body hidden (Table IX).

    Args:
        runs: folders of trained runs, such as the seeds of one objective.
        results: a record a run goes here, `occlusion-<run>.json`.
        cache: folder for converted data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        The records and the table, mean and standard deviation over runs, as text.

    Raises:
        ValueError: two runs share a name, a run has no checkpoint, or its joints lack a part.
    """
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(names) or not runs:
        raise ValueError("name each run once, in folders of different names: records carry theirs")
    records = []
    for run, name in zip(runs, names, strict=True):
        adapter, network = open_run(run, cache, report)
        record = occlusion_record(adapter, network, command, recorded_seconds(run), report)
        record.write(results / f"occlusion-{name}.json")
        records.append(record)
    return records, _occlusion_table(records)


def occlusion_record(
    adapter: ActionAdapter, network: SkeletonNetwork, command: str, seconds: float, report: Report
) -> ResultRecord:
    """One run whole and without each part: `top1` and `top1/<part>`, with intervals over people."""
    layout = adapter.clip_input.layout
    hidden = {part: layout.part_index(part) for part in OCCLUDED}
    report("testing whole bodies")
    whole, _ = make_record(adapter, adapter.test_scores(network), command=command, seconds=seconds)
    kept = ("top1", "mean_class", "majority", "chance")
    metrics = {key: whole.metrics[key] for key in kept}
    intervals = {key: ends for key, ends in whole.intervals.items() if key in kept}
    occluded: dict[str, Any] = {}
    for part, joints in hidden.items():
        report(f"testing without {part.replace('_', ' ')}")
        table = evaluate_action(adapter.test_scores(network, hidden=joints))
        metrics[f"top1/{part}"] = table.metrics["top1"]
        intervals[f"top1/{part}"] = table.intervals(np.random.default_rng(0))["top1"]
        names = [layout.joints[joint] for joint in joints]
        occluded[part] = {"joints": names, "correct": table.correct.tolist()}
    return whole.model_copy(
        update={
            "rule": f"{whole.rule}; occlusion",
            "metrics": metrics,
            "intervals": intervals,
            "notes": (*whole.notes, _ZEROED),
            "cells": {**(whole.cells or {}), "occluded": occluded},
        }
    )


def _occlusion_table(records: Sequence[ResultRecord]) -> str:
    whole = np.array([record.metrics["top1"] for record in records])
    rows = [["hidden", "top-1", "change"]]
    for part in ("", *OCCLUDED):
        values = np.array([r.metrics[f"top1/{part}" if part else "top1"] for r in records])
        change = format_rate(float((values - whole).mean()), sign="+") if part else ""
        rows.append([part.replace("_", " ") or "nothing", format_mean(values.tolist()), change])
    return f"{align_columns(rows)}\n{render_notes([_ZEROED])}"


def families(
    run: Path, command: str, cache: Path | None = None, report: Report | None = None
) -> tuple[ResultRecord, str]:
    """The motion families at the end of a training, beside the mistakes in the test (Fig. 3).

    The families are the last epoch's, as they gather the training's mistakes; the mistakes are
    those of the epoch that was tested. Where the run's data can be read, the record's cells also
    hold under `bodies` a pose and joint weights of each class (`tasks.action.bodies`), of the
    training recordings.

    Args:
        run: folder of a run that has ended.
        command: the command line, for the record.
        cache: folder for converted data; None: without bodies.
        report: takes sentences of progress.

    Raises:
        ValueError: the run has not ended, or its objective has no inter-class term.
    """
    record = read_record(run)
    members, classes = read_families(run)
    counts = _dense_confusion(record, len(classes))
    off = ~np.eye(len(classes), dtype=np.bool_)
    inside, mistakes = members & off, counts * off
    metrics = {"family_size": float(inside.sum(axis=1).mean())}
    total = int(mistakes.sum())
    if total:
        # A family of s of the K-1 other classes would hold s / (K-1) of the mistakes by chance.
        chance = inside.sum(axis=1) / max(len(classes) - 1, 1)
        metrics["mistakes_in_family"] = float(mistakes[inside].sum() / total)
        metrics["mistakes_in_family/chance"] = float(mistakes.sum(axis=1) @ chance / total)
    rows: dict[str, list[list[Any]]] = {
        name: [
            [classes[j], int(counts[i, j]), int(counts[j, i])] for j in np.flatnonzero(inside[i])
        ]
        for i, name in enumerate(classes)
    }
    notes = () if inside.any() else ("No family has been built: the inter-class term never acted.",)
    cells: dict[str, Any] = {"axes": ["member", "taken for it", "it taken for"], "families": rows}
    if cache is not None:
        bodies, missing = _bodies(run, cache, report)
        cells, notes = {**cells, **bodies}, (*notes, *missing)
    found = record.model_copy(
        update={
            "rule": f"{record.rule}; families of the last epoch",
            "metrics": metrics,
            "intervals": {},
            "counts": {"classes": len(classes), "mistakes": total},
            "environment": describe_environment(),
            "command": command,
            "notes": notes,
            "cells": cells,
        }
    )
    return found, _families_table(rows, metrics, notes)


def _bodies(
    run: Path, cache: Path, report: Report | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bodies of the classes for the cells; or none, and why, as families need no data."""
    try:
        adapter, _ = open_run(run, cache, report)
        return {"bodies": class_bodies(adapter.samples(TRAIN), adapter.classes)}, ()
    except (OSError, ValueError) as error:
        return {}, (f"Without bodies: {' '.join(str(error).split())}",)


def read_families(run: Path) -> tuple[BoolArray, tuple[str, ...]]:
    """The families (K, K) in a run's checkpoint, row i those of class i, and the K class names.

    Raises:
        ValueError: the folder is no trained run, or its objective has no inter-class term.
    """
    settings, info, network, _ = load_run(run, ActionSettings)
    objective = build_objective(settings, network, weight_generator(settings.train.seed))
    if objective.inter_loss is None:
        raise ValueError(
            f"{run} was trained with {objective.name}, which keeps no motion families: give a run "
            "with objective.inter_weight above 0"
        )
    fill_part(run / CHECKPOINT, objective, "objective")
    return objective.inter_loss.motion_families().cpu().numpy(), info.classes


def _dense_confusion(record: ResultRecord, size: int) -> IntArray:
    counts = np.zeros((size, size), dtype=np.int64)
    for true, predicted, count in (record.cells or {}).get("confusion", ()):
        counts[true, predicted] = count
    return counts


def _families_table(
    rows: dict[str, list[list[Any]]], metrics: dict[str, float], notes: Sequence[str]
) -> str:
    """Each class with its family; in brackets how often it is taken for the member and back."""
    table = [["class", "family (taken for it, it taken for)"]]
    for name, family in rows.items():
        family = sorted(family, key=lambda row: -row[1])
        table.append([name, ", ".join(f"{m} ({a}, {b})" for m, a, b in family) or "-"])
    lines = [align_columns(table, names=2)]
    if "mistakes_in_family" in metrics:
        lines.append(
            f"{100 * metrics['mistakes_in_family']:.1f} % of the test's mistakes stay in the "
            f"family, {100 * metrics['mistakes_in_family/chance']:.1f} % would by chance"
        )
    return "\n".join([*lines, *([render_notes(notes)] if notes else [])])
