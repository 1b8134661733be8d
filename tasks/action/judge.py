"""Evaluates class scores, without the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from protocols.action.evaluate import evaluate_action
from protocols.action.scores import UNKNOWN, ClassScores
from protocols.action.text import render_classification
from tasks.run.judged import Judged

if TYPE_CHECKING:
    from tasks.action.settings import ActionSettings
    from tasks.action.spec import ActionQuery


def judge(
    scores: ClassScores, settings: ActionSettings | None, query: ActionQuery | None = None
) -> Judged:
    """Accuracies, with intervals over people (2,000 draws, seed 0).

    Args:
        scores: scores of the test samples.
        settings: settings of the run, whose split is the protocol; None: unknown.
        query: not used.

    Raises:
        ValueError: no sample has a label.
    """
    del query
    protocol = "scores" if settings is None else Path(settings.benchmark).stem
    table = evaluate_action(scores, protocol=protocol)
    intervals = table.intervals(np.random.default_rng(0))

    def render(name: str, _baselines: Mapping[str, Judged]) -> str:
        return render_classification(table, name, intervals=intervals)

    known = scores.label != UNKNOWN
    counts = np.stack([known & (scores.predicted == scores.label), known], axis=1).astype(np.int64)
    return Judged.of_table(
        table, "", intervals, render, tested=scores.fingerprint, sample_counts=counts
    )


def pooled(scores: Sequence[ClassScores]) -> ClassScores:
    """Concatenate the scores of several folds; samples tested in more than one stay distinct.

    Raises:
        ValueError: the folds have different classes.
    """
    classes = scores[0].classes
    if any(not np.array_equal(part.classes, classes) for part in scores):
        raise ValueError("the folds of the study have different classes and cannot be joined")
    keys = np.concatenate([part.sample for part in scores])
    if len(np.unique(keys)) < len(keys):
        # The folds overlap: the fold becomes part of the key, as every test counts.
        keys = np.concatenate(
            [[f"{key}@{i}" for key in part.sample.tolist()] for i, part in enumerate(scores)]
        )
    return ClassScores(
        sample=keys,
        label=np.concatenate([part.label for part in scores]),
        classes=classes,
        probabilities=np.concatenate([part.probabilities for part in scores]),
        logits=None,
        subject=np.concatenate([part.subject for part in scores]),
        subset=np.concatenate([part.subset for part in scores]),
    )
