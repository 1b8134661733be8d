"""The motion families of a training, compared with the mistakes in the test (Fig. 3)."""

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
from tasks.run.environment import describe_environment
from tasks.run.judged import read_record
from tasks.run.open import open_run
from tasks.spec import Report, find_task, silent


def families(
    run: Path, command: str, cache: Path | None = None, report: Report = silent
) -> tuple[ResultRecord, str]:
    """The motion families at the end of a training, and the mistakes in the test (Fig. 3).

    The families accumulate the training's mistakes up to the last epoch; the test's mistakes are
    those of the tested epoch. If the run's data can be read, the record's cells also hold under
    `bodies` a pose and joint weights of each class, from the training recordings
    (`tasks.action.bodies`).

    Args:
        run: folder of a finished run.
        command: command line, for the record.
        cache: folder for converted data; None: without bodies.
        report: called with progress messages.

    Raises:
        ValueError: the run is not finished, or its objective has no inter-class term.
    """
    record = read_record(run)
    members, classes = read_families(run)
    counts = _dense_confusion(record, len(classes))
    off = ~np.eye(len(classes), dtype=np.bool_)
    inside, mistakes = members & off, counts * off
    metrics = {"family_size": float(inside.sum(axis=1).mean())}
    total = int(mistakes.sum())
    if total:
        # By chance a family with s of the K-1 other classes holds s / (K-1) of the mistakes.
        chance = inside.sum(axis=1) / max(len(classes) - 1, 1)
        metrics["mistakes_in_family"] = float(mistakes[inside].sum() / total)
        metrics["mistakes_in_family/chance"] = float(mistakes.sum(axis=1) @ chance / total)
    rows: dict[str, list[list[Any]]] = {
        name: [
            [classes[j], int(counts[i, j]), int(counts[j, i])] for j in np.flatnonzero(inside[i])
        ]
        for i, name in enumerate(classes)
    }
    none = "There are no families: the inter-class loss was never applied."
    notes = () if inside.any() else (none,)
    cells: dict[str, Any] = {"axes": ["member", "taken for it", "it taken for"], "families": rows}
    if cache is not None:
        bodies, missing = _bodies(run, cache, report)
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


def _bodies(run: Path, cache: Path, report: Report) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bodies of the classes for the cells; or none, and why: families need no data."""
    try:
        adapter, _ = open_run(find_task("action"), run, cache, report)
        samples = cast(ActionAdapter, adapter).samples(TRAIN)
        return {"bodies": class_bodies(samples, adapter.classes)}, ()
    except (OSError, ValueError) as error:
        return {}, (f"Without bodies: {' '.join(str(error).split())}",)


def read_families(run: Path) -> tuple[BoolArray, tuple[str, ...]]:
    """Read the families (K, K) of a run's checkpoint, row i that of class i, and K class names.

    Raises:
        ValueError: the folder is not a trained run, or its objective has no inter-class term.
    """
    model, clips = load(run), read_record(run).counts["train"]
    settings = load_settings(ActionSettings, run / SETTINGS)
    objective = build_objective(
        settings.objective.for_data(model.network.classifier.out_features, clips),
        settings.network.encoder,
        model.network,
        settings.clip.frames,
        weight_generator(0),
    )
    if "inter" not in objective.terms:
        raise ValueError(
            f"{run} was trained with {settings.objective.name}, which has no motion families: give "
            "a run with objective.inter_weight above 0"
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
    """Each class with its family; in brackets the mistakes from it to the member and back."""
    table = [["class", "family (mistaken for it, and vice versa)"]]
    for name, family in rows.items():
        family = sorted(family, key=lambda row: -row[1])
        table.append([name, ", ".join(f"{m} ({a}, {b})" for m, a, b in family) or "-"])
    lines = [align_columns(table, names=2)]
    if "mistakes_in_family" in metrics:
        lines.append(
            f"{100 * metrics['mistakes_in_family']:.1f} % of the test's mistakes are within the "
            f"family, {100 * metrics['mistakes_in_family/chance']:.1f} % are expected by chance"
        )
    return "\n".join([*lines, *([render_notes(notes)] if notes else [])])
