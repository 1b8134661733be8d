"""Tests runs trained on whole bodies with parts of the body hidden (Table IX)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from aclnet.models import SkeletonNetwork
from protocols.action.evaluate import evaluate_action
from protocols.records import ResultRecord
from protocols.text import align_columns, format_mean, format_rate, render_notes
from tasks.action.adapter import ActionAdapter
from tasks.action.judge import judge
from tasks.run.judged import make_record, recorded_seconds
from tasks.run.open import open_run
from tasks.run.pipeline import origin_of
from tasks.spec import Report, find_task

OCCLUDED = ("left_arm", "right_arm", "two_hands", "two_legs", "trunk")
"""The parts of Table IX; `Layout.part_index` gives their joints."""

_ZEROED = (
    "Hidden joints are set to zero like undetected ones, before the clip is normalised and before "
    "bones and motion are computed; the network was trained on whole bodies."
)


def occlusion(
    runs: Sequence[Path], results: Path, cache: Path, command: str, report: Report
) -> str:
    """Test runs that were trained on whole bodies with parts of the body hidden (Table IX).

    Args:
        runs: folders of trained runs, such as the seeds of one objective.
        results: folder for the records, `occlusion-<run>.json`.
        cache: folder for converted data.
        command: command line, for the records.
        report: called with progress messages.

    Returns:
        The table, mean and standard deviation over runs, as text.

    Raises:
        ValueError: two runs share a name, a run has no checkpoint, or its joints lack a part.
    """
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(names) or not runs:
        raise ValueError("give distinct runs in folders of different names, which name the records")
    records = []
    for run, name in zip(runs, names, strict=True):
        adapter, network = open_run(find_task("action"), run, cache, report)
        seconds, own = recorded_seconds(run), cast(ActionAdapter, adapter)
        record = _occlusion_record(own, network, command, seconds, report)
        record.write(results / f"occlusion-{name}.json")
        records.append(record)
    return _occlusion_table(records)


def _occlusion_record(
    adapter: ActionAdapter, network: SkeletonNetwork, command: str, seconds: float, report: Report
) -> ResultRecord:
    """The record of a run: `top1` and, without each part, `top1/<part>`."""
    layout = adapter.clip_input.layout
    hidden = {part: layout.part_index(part) for part in OCCLUDED}
    report("testing whole bodies")
    judged = judge(adapter.test_scores(network, report=report), adapter.settings, None)
    whole = make_record("action", judged, origin_of(adapter, seconds), command)
    kept = ("top1", "mean_class", "majority", "chance")
    metrics = {key: whole.metrics[key] for key in kept}
    intervals = {key: ends for key, ends in whole.intervals.items() if key in kept}
    occluded: dict[str, Any] = {}
    for part, joints in hidden.items():
        report(f"testing without {part.replace('_', ' ')}")
        table = evaluate_action(adapter.test_scores(network, joints, report))
        metrics[f"top1/{part}"] = table.metrics["top1"]
        intervals[f"top1/{part}"] = table.intervals(np.random.default_rng(0))["top1"]
        names = [layout.joints[joint] for joint in joints]
        occluded[part] = {"joints": names, "correct": table.correct.tolist()}
    return whole.model_copy(
        update={
            "kind": "occlusion",
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
