"""What weights of 8 bits cost, on the run's own test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.averages import Predictor
from aclnet.runs.exported import Loss
from tasks.run.adapter import TaskAdapter
from tasks.spec import Report, TaskSpec, silent

_CALIBRATION = 64
"""Training recordings; their activations' ranges give the scales."""


def losses(
    spec: TaskSpec,
    adapter: TaskAdapter[Any],
    network: SkeletonNetwork,
    exported: Predictor,
    report: Report = silent,
) -> Iterator[Loss]:
    """Test both networks and compare the metrics of a study's table.

    Args:
        spec: the task.
        adapter: with the run's data.
        network: the run's.
        exported: the exported one.
        report: called with progress messages.
    """
    # What a task does with a network in a test is to embed and to score, which take both.
    samples = adapter.test_samples()
    before, after = (
        spec.judge(
            adapter.represent(cast(SkeletonNetwork, one), samples, report), adapter.settings, None
        ).metrics
        for one in (network, exported)
    )
    headline = spec.measures[0]
    for name, value in before.items():
        if name in spec.measures or name.startswith(f"{headline}/"):
            yield Loss(metric=name, before=value, after=after[name])


def calibration_samples(adapter: TaskAdapter[Any]) -> Store:
    """Training recordings from all over the training set."""
    store, _ = adapter.training_samples()
    count = min(_CALIBRATION, len(store))
    return store.select(np.linspace(0, len(store) - 1, count).astype(np.int64))
