"""Counts of every person in gait records: what is written, what is read, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable
from protocols.records import DatasetReference, ResultRecord
from protocols.statistics.intervals import spread_at_end
from protocols.statistics.people import compare_people
from protocols.statistics.person_counts import gait_person_counts, person_counts, sum_counts


def table(seed: int = 0, noise: float = 1.0, people: int = 5) -> GaitTable:
    """Random walks of a few people in CASIA-B's conditions, before three cameras."""
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(f"{s:03}", c, t, 18 * v) for s in range(people) for c, t in takes for v in range(3)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    generator = np.random.default_rng(seed)
    embedding = np.eye(people)[subject.astype(int)] + noise * generator.normal(
        size=(len(rows), people)
    )
    return evaluate_gait(Embeddings(embedding.astype(np.float32), subject, condition, take, view))


def record(cells: dict[str, Any] | None, task: Any = "gait", kind: str = "run") -> ResultRecord:
    return ResultRecord(
        task=task,
        dataset=DatasetReference(name="x", fingerprint="f", synthetic=True),
        protocol="casia_b",
        rule="exact",
        kind=kind,
        objective="acl",
        stream="j",
        seed=0,
        metrics={},
        intervals={},
        counts={},
        settings={},
        environment={},
        seconds=0.0,
        command="",
        cells=cells,
    )


def test_people_add_up_to_the_table() -> None:
    made = table()
    cells = json.loads(json.dumps(made.record_cells()))
    counts = person_counts(record(cells))
    assert list(counts) == ["nm", "bg", "cl"]
    for name, people in counts.items():
        assert sorted(people) == ["0", "1", "2", "3", "4"]
        # 2 takes x 3 views x 2 other views; identical views are in no mean.
        assert {tried for _, tried in people.values()} == {12}
        rate = sum(hits for hits, _ in people.values()) / 60
        assert rate == pytest.approx(made.metrics[f"rank1/{name}"])
    trials = np.array(cells["trials"])
    off_diagonal = trials[:, ~np.eye(3, dtype=bool)].sum(axis=1)
    assert off_diagonal.tolist() == [60, 60, 60]


def test_two_runs_are_compared_by_people() -> None:
    good, bad = (
        gait_person_counts(table(seed, noise, 12).record_cells())
        for seed, noise in ((1, 0.2), (2, 2.0))
    )
    found = compare_people(good, bad, names=("good", "bad"), draws=300)
    assert found.verdict == "better"
    assert found.people == 12
    again = compare_people(sum_counts([good, good]), sum_counts([bad, bad]), draws=300)
    assert again.difference == pytest.approx(found.difference)


@pytest.mark.parametrize(
    ("cells", "task", "kind", "words"),
    [
        (None, "gait", "run", "gait eval"),
        ({"trials": [[1]]}, "gait", "run", "gait eval"),
        ({"people": {"names": ["a"], "trials": {"nm": [1]}}}, "gait", "run", "damaged"),
        (
            {"people": {"names": ["a"], "trials": {"nm": [1, 2]}, "rank1_hits": {"nm": [1]}}},
            "gait",
            "run",
            "damaged",
        ),
        (
            {"people": {"names": 3, "trials": {"nm": None}, "rank1_hits": {"nm": [1]}}},
            "gait",
            "run",
            "damaged",
        ),
        ({"people": {"names": []}}, "gait", "biometrics", "biometric"),
        ({}, "reid", "run", "cells.pairs"),
        ({"main": {"pairs": {"C-N": {"people": 3}}}}, "reid", "run", "C-N"),
        ({}, "action", "run", "outcomes"),
    ],
)
def test_records_without_counts_are_refused(
    cells: dict[str, Any] | None, task: str, kind: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        person_counts(record(cells, task, kind))


def test_a_perfect_table_is_not_certain() -> None:
    ends = table(noise=0.0).intervals(np.random.default_rng(0), draws=50)
    # Five people without an error: Wilson, 5 / (5 + 1.96^2).
    for name in ("rank1", "rank1/nm", "rank1/bg", "rank1/cl"):
        assert ends[name] == pytest.approx((0.5655, 1.0), abs=1e-4)
    assert spread_at_end((0.2, 0.4), 0.3, 9, 0.95) == (0.2, 0.4)
    assert spread_at_end((0.0, 0.0), 1e-17, 5, 0.95) == pytest.approx((0.0, 0.4345), abs=1e-4)
