"""The motion families that a training has gathered, beside the mistakes in the test (Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from aclnet.config import load_settings
from aclnet.losses.inter import InterClassLoss
from aclnet.runs.info import SETTINGS
from aclnet.runs.model import load
from aclnet.runs.networks import build_objective, fill_part, weight_generator
from aclnet.training.engine import CHECKPOINT
from protocols.action.division import TRAIN
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.records import ResultRecord
from protocols.text import align_columns, render_notes
from tasks.action.adapter import ActionAdapter
from tasks.action.bodies import class_bodies
from tasks.action.settings import ActionSettings
from tasks.run.adapter import Report
from tasks.run.environment import describe_environment
from tasks.run.judged import read_record
from tasks.run.open import open_run
from tasks.spec import TaskSpec


def families(
    spec: TaskSpec,
    run: Path,
    command: str,
    cache: Path | None = None,
    report: Report | None = None,
) -> tuple[ResultRecord, str]:
    """The motion families at the end of a training, beside the mistakes in the test (Fig. 3).

    The families are the last epoch's, as they gather the training's mistakes; the mistakes are
    those of the epoch that was tested. Where the run's data can be read, the record's cells also
    hold under `bodies` a pose and joint weights of each class (`tasks.action.bodies`), of the
    training recordings.

    Args:
        spec: action recognition.
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
        bodies, missing = _bodies(spec, run, cache, report)
        cells, notes = {**cells, **bodies}, (*notes, *missing)
    found = record.model_copy(
        update={
            "kind": "families",
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
    spec: TaskSpec, run: Path, cache: Path, report: Report | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bodies of the classes for the cells; or none, and why, as families need no data."""
    try:
        adapter, _ = open_run(spec, run, cache, report)
        samples = cast(ActionAdapter, adapter).samples(TRAIN)
        return {"bodies": class_bodies(samples, adapter.classes)}, ()
    except (OSError, ValueError) as error:
        return {}, (f"Without bodies: {' '.join(str(error).split())}",)


def read_families(run: Path) -> tuple[BoolArray, tuple[str, ...]]:
    """The families (K, K) in a run's checkpoint, row i those of class i, and the K class names.

    Raises:
        ValueError: the folder is no trained run, or its objective has no inter-class term.
    """
    model = load(run)
    settings = load_settings(ActionSettings, run / SETTINGS)
    objective = build_objective(
        settings.objective, settings.network.encoder, model.network, weight_generator(0)
    )
    if "inter" not in objective.terms:
        raise ValueError(
            f"{run} was trained with {settings.objective.name}, which keeps no motion "
            "families: give a run with objective.inter_weight above 0"
        )
    fill_part(run / CHECKPOINT, objective, "objective")
    members: BoolArray = cast(InterClassLoss, objective.terms["inter"]).families.members.numpy()
    return members, model.classes


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
