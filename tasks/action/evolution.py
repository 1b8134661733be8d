"""The embeddings of some classes over the training: a map and a measure an epoch (Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray
from protocols.ranking.distances import FloatArray
from protocols.records import ResultRecord
from tasks.action.kept import (
    KeepingAdapter,
    class_rows,
    kept_file,
    read_kept,
    require_kept,
)
from tasks.run.environment import describe_environment
from tasks.run.judged import read_record
from tasks.run.study import (
    Records,
    StudyPlan,
    TrainedArm,
    chosen_arms,
    run_arms,
    summary_table,
)
from tasks.settings import TaskSettings

_MAPS = 4  # the paper shows as many epochs
_PERPLEXITY = 30.0
_DECIMALS = 2
_NOTES = (
    "The embeddings are of test samples; they were looked at alone, and chose nothing.",
    "The silhouette is measured on the whole embeddings by cosine distance; each map is made for "
    "itself, so that its axes and the distances between its clusters are not comparable.",
)


def evolution(
    plan: StudyPlan,
    arms: Sequence[str] | None,
    epochs: Sequence[int] | None,
    classes: Sequence[str] | None,
) -> str:
    """Train every arm with every seed, and map the test embeddings at some epochs.

    A run that has ended is only read, one that was interrupted continues; a run that has passed one
    of the epochs without keeping its embeddings is refused. A record an arm and seed goes into the
    results, `evolution-<arm>-seed<seed>.json`.

    Args:
        plan: recipe, seeds and folders.
        arms: names in `tasks.settings.ARMS`; None: the usual ones.
        epochs: 1-based; None: four, evenly from the first to the last.
        classes: what is mapped and measured; None: all classes, where they are few.

    Returns:
        The silhouettes by arm and epoch, as text.

    Raises:
        ValueError: an unknown arm, epoch or class, a run that has ended with other settings or
            without the embeddings, or what `train_and_evaluate` raises.
    """
    recipe = plan.make_settings([])
    chosen = _chosen_epochs(epochs, recipe.train.epochs)

    def train_one(settings: TaskSettings, run: Path) -> None:
        require_kept(run, chosen)
        keeping = partial(KeepingAdapter, epochs=chosen, classes=classes, run=run)
        plan.train(settings, run, make_adapter=keeping)

    records: Records = {}
    for trained in run_arms(plan, chosen_arms(recipe, arms), train_one=train_one):
        record = evolution_record(trained, chosen, classes, plan.command)
        record.write(plan.results / f"evolution-{trained.arm}-seed{trained.seed}.json")
        records[trained.arm, trained.seed] = record
    table = summary_table(records, [_metric(epoch) for epoch in chosen])
    return f"silhouette x 100 of the test embeddings (100: apart, 0: mixed), by epoch\n{table}"


def evolution_record(
    trained: TrainedArm, epochs: Sequence[int], classes: Sequence[str] | None, command: str
) -> ResultRecord:
    """The maps and silhouettes of one run that has ended.

    Args:
        trained: the run.
        epochs: whose embeddings it kept.
        classes: what is mapped and measured; None: all.
        command: the command line.

    Returns:
        A record with `silhouette/<epoch>` among the metrics; its cells hold the class names, the
        class number of each point, and for each epoch its silhouette and points (N, 2).

    Raises:
        ValueError: an epoch is missing or damaged, or a class does not fit.
    """
    (run,) = trained.runs
    require_kept(run, epochs)
    metrics: dict[str, float] = {}
    maps: list[dict[str, Any]] = []
    names: list[str] = []
    numbers: list[int] = []
    for epoch in epochs:
        kept = read_kept(run, epoch)
        names, rows = class_rows(kept.label, classes, str(kept_file(run, epoch)))
        label, embedding = kept.label[rows], kept.embedding[rows]
        numbers = [names.index(name) for name in label.tolist()]
        metrics[_metric(epoch)] = silhouette(embedding, label)
        points = np.round(embedding_map(embedding, trained.seed), _DECIMALS).tolist()
        maps.append({"epoch": epoch, "silhouette": metrics[_metric(epoch)], "points": points})
    record = read_record(run)
    return record.model_copy(
        update={
            "kind": "evolution",
            "rule": "",
            "metrics": metrics,
            "intervals": {},
            "counts": {"classes": len(names), "points": len(numbers), "epochs": len(epochs)},
            "environment": describe_environment(),
            "command": command,
            "notes": _NOTES,
            "cells": {"classes": names, "class": numbers, "maps": maps},
        }
    )


def silhouette(embedding: npt.NDArray[np.float32], label: TextArray) -> float:
    """How far the classes of embeddings (N, D) are apart: -1 to 1, by cosine distance."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(embedding, label, metric="cosine"))


def embedding_map(embedding: npt.NDArray[np.float32], seed: int) -> FloatArray:
    """t-SNE of embeddings (N, D) of unit length: points (N, 2).

    The perplexity is 30, or a third of the other samples where these are fewer than 91.
    """
    from sklearn.manifold import TSNE

    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    unit = embedding / np.maximum(length, np.finfo(np.float32).tiny)
    perplexity = min(_PERPLEXITY, (len(unit) - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(unit)
    return np.asarray(points, dtype=np.float64)


def _chosen_epochs(given: Sequence[int] | None, last: int) -> list[int]:
    if given is None:
        return sorted({round(float(epoch)) for epoch in np.linspace(1, last, _MAPS)})
    outside = [epoch for epoch in given if not 1 <= epoch <= last]
    if outside:
        raise ValueError(
            f"--epochs: the training has the epochs 1 to {last}, and {outside[0]} is none of them"
        )
    return sorted(set(given))


def _metric(epoch: int) -> str:
    return f"silhouette/{epoch}"
