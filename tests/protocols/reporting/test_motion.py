"""Shape, posture and movement apart in the report, from made-up records."""

from __future__ import annotations

from typing import Any

import numpy as np

from protocols.embeddings import Embeddings
from protocols.figures.motion import plan
from protocols.gait.evaluate import evaluate_gait
from protocols.groups import RunEntry
from protocols.records import ResultRecord
from protocols.reporting.tables.motion import motion_tables


def run(arm: str, right: int, seed: int = 0, kind: str = "motion") -> RunEntry:
    """Ten people, of whom the first `right` are told by one walk from another."""
    place = np.arange(10)
    probes = np.where(place < right, place, (place + 1) % 10)
    table = evaluate_gait(
        Embeddings(
            np.eye(10, dtype=np.float32)[np.concatenate([place, probes])],
            subject=np.tile(place, 2),
            take=np.repeat([1, 2], 10),
        ),
        "own",
    )
    fields: dict[str, Any] = {
        "task": "gait",
        "kind": kind,
        "variant": arm,
        "dataset": {"name": "kgbd", "fingerprint": "ab", "synthetic": False},
        "protocol": "own",
        "rule": "exact",
        "objective": "bone-length" if arm.startswith("bones") else "acl",
        "stream": "j",
        "seed": seed,
        "metrics": {**table.metrics, "eer": 0.2, "fnir@fpir0.1": 0.4},
        "intervals": {"rank1": (0.1, 0.9), "eer": (0.1, 0.3)},
        "counts": dict(table.counts),
        "settings": {},
        "environment": {},
        "seconds": 1.0,
        "command": "",
        "cells": table.record_cells(),
    }
    return RunEntry(f"{arm}-seed{seed}.json", ResultRecord.model_validate(fields))


RUNS = [
    *(run(arm, right, seed) for arm, right in (("common", 4), ("own", 9)) for seed in (0, 1)),
    *(run("bones", 6, seed) for seed in (0, 1)),
    run("own", 10, kind="run"),
]


def test_a_row_an_arm_against_bone_lengths() -> None:
    (table,) = motion_tables(RUNS)
    assert [row.label for row in table.rows] == [
        "Shape: bone lengths",
        "Shape, posture and movement: whole walks",
        "One body, posture and movement: whole walks",
    ]
    assert {row.group for row in table.rows} == {"KGBD, own, random pick 10.0"}
    shown = [[cell.text for cell in row.cells] for row in table.rows]
    assert [row[0] for row in shown] == ["60.0", "90.0", "40.0"]
    assert [row[2] for row in shown] == ["–", "+30.0", "-20.0"]  # noqa: RUF001
    assert shown[2][3:] == ["20.0", "10.0 to 30.0", "40.0", "2"]
    assert motion_tables(RUNS[-1:]) == ()


def test_the_figure_has_a_bar_an_arm_and_the_random_pick() -> None:
    (planned,) = plan(RUNS)
    figure, caption = planned.draw()
    (plot,) = figure.axes
    assert [bar.get_width() for bar in plot.patches] == [60, 90, 40]
    assert plot.get_yticklabels()[0].get_text() == "Shape: bone lengths"
    assert any(line.get_xdata()[0] == 10 for line in plot.lines)
    assert "own-seed0" in caption
