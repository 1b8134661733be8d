"""Embeddings of some classes over the training: a map and a silhouette per epoch (Fig. 5).

The runs are those of `aclnet-task action train`, which also save their test embeddings at some
epochs. This draws no random numbers and has no effect on the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from aclnet.files import whole_file
from aclnet.foreign.arrays import read_arrays
from aclnet.models import SkeletonNetwork
from aclnet.runs.inference import score
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import CHECKPOINT
from aclnet.training.settings import TrainSettings
from aclnet.training.state import RunState
from protocols.action.division import TEST
from protocols.embeddings import TextArray
from protocols.ranking.distances import FloatArray
from protocols.records import ResultRecord
from tasks.action.adapter import ActionAdapter
from tasks.action.settings import ActionSettings
from tasks.run.environment import describe_environment
from tasks.run.judged import read_record
from tasks.run.study import Records, StudyPlan, TrainedArm, chosen_arms, run_arms, summary_table
from tasks.settings import TaskSettings
from tasks.spec import Report, silent

MOST_CLASSES = 10
"""More classes cannot be told apart by colour in one map."""

_MAPS = 4  # number of epochs that the paper shows
_PERPLEXITY = 30.0
_DECIMALS = 2
_NOTES = (
    "The embeddings are of test samples, which were not used to select anything.",
    "The silhouette is measured on the embeddings by cosine distance; each map is computed "
    "separately, so that axes and distances between clusters are not comparable.",
)


def evolution(
    plan: StudyPlan,
    arms: Sequence[str] | None,
    epochs: Sequence[int] | None,
    classes: Sequence[str] | None,
) -> str:
    """Train every arm with every seed, and map the test embeddings at some epochs.

    Finished runs are only read, interrupted ones are resumed; a run that has passed one of the
    epochs without saving its embeddings is rejected. Writes one record per arm and seed to the
    results, `evolution-<arm>-seed<seed>.json`.

    Args:
        plan: recipe, seeds and folders.
        arms: names in `tasks.settings.ARMS`; None: the usual ones.
        epochs: 1-based; None: four, evenly from the first to the last.
        classes: classes to map and measure; None: all classes, if there are few.

    Returns:
        The silhouettes by arm and epoch, as text.

    Raises:
        ValueError: an arm, epoch or class is unknown, a finished run has other settings or lacks
            the embeddings, or as `train_and_evaluate`.
    """
    recipe = plan.make_settings([])
    chosen = _chosen_epochs(epochs, recipe.train.epochs)

    def train_one(settings: TaskSettings, run: Path) -> None:
        require_kept(run, chosen)
        keeping = partial(KeepingAdapter, epochs=chosen, classes=classes, run=run)
        plan.train(settings, run, make_adapter=keeping)

    records: Records = {}
    for trained in run_arms(plan, chosen_arms(recipe, arms), train_one=train_one):
        record = _record(trained, chosen, classes, plan.command)
        record.write(plan.results / f"evolution-{trained.arm}-seed{trained.seed}.json")
        records[trained.arm, trained.seed] = record
    table = summary_table(records, [_metric(epoch) for epoch in chosen])
    return f"silhouette x 100 of the test embeddings (100: apart, 0: mixed), by epoch\n{table}"


def _record(
    trained: TrainedArm, epochs: Sequence[int], classes: Sequence[str] | None, command: str
) -> ResultRecord:
    """A record with `silhouette/<epoch>` of a finished run.

    Its cells hold the class names, the class number of each point, and for each epoch its
    silhouette and points (N, 2).
    """
    (run,) = trained.runs
    require_kept(run, epochs)
    metrics: dict[str, float] = {}
    maps: list[dict[str, Any]] = []
    names: list[str] = []
    numbers: list[int] = []
    for epoch in epochs:
        label, embedding = read_kept(run, epoch)
        names, rows = class_rows(label, classes, str(kept_file(run, epoch)))
        label, embedding = label[rows], embedding[rows]
        numbers = [names.index(name) for name in label.tolist()]
        metrics[_metric(epoch)] = silhouette(embedding, label)
        points = np.round(embedding_map(embedding, trained.seed), _DECIMALS).tolist()
        maps.append({"epoch": epoch, "silhouette": metrics[_metric(epoch)], "points": points})
    return read_record(run).model_copy(
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
    """Separation of the classes of embeddings (N, D) by cosine distance, -1 to 1."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(embedding, label, metric="cosine"))


def embedding_map(embedding: npt.NDArray[np.float32], seed: int) -> FloatArray:
    """t-SNE of embeddings (N, D) scaled to unit length: points (N, 2).

    The perplexity is 30, or (N - 1) / 3 if that is less.
    """
    from sklearn.manifold import TSNE

    length = np.linalg.norm(embedding, axis=1, keepdims=True)
    unit = embedding / np.maximum(length, np.finfo(np.float32).tiny)
    perplexity = min(_PERPLEXITY, (len(unit) - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(unit)
    return np.asarray(points, dtype=np.float64)


def _chosen_epochs(epochs: Sequence[int] | None, last: int) -> list[int]:
    if epochs is None:
        return sorted({round(float(epoch)) for epoch in np.linspace(1, last, _MAPS)})
    outside = [epoch for epoch in epochs if not 1 <= epoch <= last]
    if outside:
        raise ValueError(f"--epochs: {outside[0]} is not among the training's epochs, 1 to {last}")
    return sorted(set(epochs))


def _metric(epoch: int) -> str:
    return f"silhouette/{epoch}"


class KeepingAdapter(ActionAdapter):
    """Action recognition that saves the test embeddings at some epochs.

    Args:
        settings: resolved settings.
        store: the data set.
        report: called with messages about dropped samples.
        epochs: epochs at which to save, 1-based.
        classes: classes that must have test samples; None: all classes.
        run: folder to save to.

    Raises:
        ValueError: an epoch or a class does not fit, or as `ActionAdapter`.
    """

    def __init__(
        self,
        settings: ActionSettings,
        store: Store,
        report: Report = silent,
        *,
        epochs: Sequence[int],
        classes: Sequence[str] | None,
        run: Path,
    ) -> None:
        super().__init__(settings, store, report)
        labels = self.samples(TEST).index["label"].to_numpy().astype(np.str_)
        class_rows(labels, classes, f"data set {store.info.name}")
        self._epochs, self._run = frozenset(epochs), run

    def train_settings(self) -> TrainSettings:
        """As in action recognition, but with `watch` called after every epoch."""
        return super().train_settings().model_copy(update={"evaluate_every_epochs": 1})

    def watch(self, network: SkeletonNetwork, epoch: int) -> dict[str, float]:
        """Save the embeddings of a chosen epoch, and validate only the recipe's epochs.

        Other epochs give no metrics, so that the best epoch is the same as without the study.
        """
        if epoch in self._epochs:
            self._keep(network, epoch)
        train = self.settings.train
        due = epoch == train.epochs or epoch % train.evaluate_every_epochs == 0
        return super().watch(network, epoch) if due else {}

    def _keep(self, network: SkeletonNetwork, epoch: int) -> None:
        samples = self.samples(TEST)
        one = self.settings.test.model_copy(update={"clips": 1})
        embedding = score(network, samples, self.clip_input, one).embedding
        labels = samples.index["label"].to_numpy().astype(np.str_)
        with whole_file(kept_file(self._run, epoch)) as draft:
            np.savez(draft, allow_pickle=False, label=labels, embedding=embedding)


def class_rows(
    labels: TextArray, classes: Sequence[str] | None, where: str
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The classes to show, and their rows in `labels` (N,).

    Raises:
        ValueError: a class has no sample, there are too few or too many classes, or none has two
            samples.
    """
    known = list(dict.fromkeys(labels.tolist()))
    if classes is None and len(known) > MOST_CLASSES:
        raise ValueError(
            f"{where}: {len(known)} classes are too many to tell apart in one map: choose up to "
            f"{MOST_CLASSES} with --classes"
        )
    names = known if classes is None else list(dict.fromkeys(classes))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"{where}: class {unknown[0]!r} has no test sample; classes with one are "
            f"{', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
        )
    rows = np.flatnonzero(np.isin(labels, names))
    if not 2 <= len(names) <= MOST_CLASSES or len(rows) <= len(names):
        raise ValueError(
            f"{where}: a map needs 2 to {MOST_CLASSES} classes, one of them with two test samples; "
            f"{len(names)} classes with {len(rows)} test samples were chosen"
        )
    return names, rows


def kept_file(run: Path, epoch: int) -> Path:
    """File of a run with the embeddings of an epoch."""
    return run / f"embeddings-epoch{epoch:03d}.npz"


def read_kept(run: Path, epoch: int) -> tuple[TextArray, npt.NDArray[np.float32]]:
    """Read the class names (N,) and embeddings (N, D) of the test samples at an epoch.

    Raises:
        ValueError: the file is damaged.
    """
    path = kept_file(run, epoch)
    try:
        found = read_arrays(path, lambda keys: keys)
        return found["label"], found["embedding"]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): delete {run} and train it again, or omit epoch {epoch}"
        ) from None


def require_kept(run: Path, epochs: Sequence[int]) -> None:
    """Check that a run has saved the embeddings of all epochs that it has passed.

    Raises:
        ValueError: it has not, or its checkpoint is damaged.
    """
    if not (run / CHECKPOINT).is_file():
        return
    path = run / CHECKPOINT
    reached = RunState.saved(load_checkpoint(path).get("state", {}), path).epoch
    missing = [e for e in epochs if e < reached and not kept_file(run, e).is_file()]
    if missing:
        raise ValueError(
            f"{run} has passed epoch {missing[0]} without saving its embeddings: give another "
            "folder with --runs, delete that run, or choose epochs that it has saved"
        )
