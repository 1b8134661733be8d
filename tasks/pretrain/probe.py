"""Probes: classes found from the features of labelled training samples; no network library."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from protocols.ranking.votes import neighbour_votes
from tasks.pretrain.settings import ProbeSettings

Features = npt.NDArray[np.float32]
_LEAST = 1e-6


def probabilities(
    train: Features, labels: Rows, test: Features, classes: int, settings: ProbeSettings
) -> Features:
    """The probe's class probabilities of test samples.

    Args:
        train: (G, D) features of the labelled samples.
        labels: (G,) their classes.
        test: (P, D).
        classes: K; a class without a labelled sample has the probability 0.
        settings: the probe.

    Returns:
        (P, K).
    """
    if settings.kind != "linear":
        votes = neighbour_votes(
            train,
            labels,
            test,
            classes=classes,
            neighbours=settings.neighbours if settings.kind == "knn" else 1,
            temperature=settings.temperature,
        )
        shares: Features = (votes / votes.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares
    known = np.unique(labels)
    found = np.zeros((len(test), classes), dtype=np.float32)
    if len(known) == 1:
        found[:, known] = 1
        return found
    from sklearn.linear_model import LogisticRegression

    centre, spread = train.mean(axis=0), np.maximum(train.std(axis=0), _LEAST)
    model = LogisticRegression(C=settings.strength, max_iter=1000)
    model.fit((train - centre) / spread, labels)
    found[:, known] = model.predict_proba((test - centre) / spread)
    return found
