"""An action run that keeps the test embeddings of some epochs.

The run is the same as `aclnet-task action train` makes: at the chosen epochs the test samples are
embedded and kept, which draws no random number and decides nothing.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.scoring import score
from aclnet.training.checkpoint import atomic_write, load_checkpoint
from aclnet.training.engine import CHECKPOINT
from aclnet.training.settings import TrainSettings
from protocols.action.division import TEST
from protocols.embeddings import TextArray
from tasks.action.adapter import ActionAdapter
from tasks.action.settings import ActionSettings
from tasks.run.adapter import Report

MOST_CLASSES = 10
"""More cannot be told apart by their colour in one map."""


class Kept(NamedTuple):
    """The test samples at an epoch.

    Attributes:
        label: (N,) class names.
        embedding: (N, D) float32, before the classifier.
    """

    label: TextArray
    embedding: npt.NDArray[np.float32]


class KeepingAdapter(ActionAdapter):
    """Action recognition that keeps the test embeddings of some epochs.

    Args:
        settings: resolved settings.
        store: the data set.
        report: takes sentences about what is left out.
        epochs: whose embeddings to keep, 1-based.
        classes: of which there must be test samples; None: all classes.
        run: the folder that gets them.

    Raises:
        ValueError: an epoch or a class does not fit, or what `ActionAdapter` raises.
    """

    def __init__(
        self,
        settings: ActionSettings,
        store: Store,
        report: Report | None = None,
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
        """As in action recognition, but asked after every epoch."""
        return super().train_settings().model_copy(update={"evaluate_every_epochs": 1})

    def watch(self, network: SkeletonNetwork, epoch: int) -> dict[str, float]:
        """Keep the embeddings of a chosen epoch; validate where the recipe says so, and only there.

        An epoch that the recipe does not validate gives no figure, so that the same epoch is the
        best one as without the study.
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
        with atomic_write(kept_file(self._run, epoch)) as draft, draft.open("wb") as file:
            np.savez(file, allow_pickle=False, label=labels, embedding=embedding)


def class_rows(
    labels: TextArray, classes: Sequence[str] | None, where: str
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The classes to show, and the rows of `labels` (N,) that are of them.

    Raises:
        ValueError: a class has no sample, too few or too many classes, or no class has two samples.
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
            f"{where}: a map needs 2 to {MOST_CLASSES} classes and two test samples of one of "
            f"them; {len(names)} classes with {len(rows)} test samples were chosen"
        )
    return names, rows


def kept_file(run: Path, epoch: int) -> Path:
    """Where a run keeps the embeddings of an epoch."""
    return run / f"embeddings-epoch{epoch:03d}.npz"


def read_kept(run: Path, epoch: int) -> Kept:
    """The embeddings that a run kept of an epoch.

    Raises:
        ValueError: the file is damaged.
    """
    path = kept_file(run, epoch)
    try:
        with np.load(path, allow_pickle=False) as file:
            return Kept(file["label"], file["embedding"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is damaged ({error}): delete {run} and train it again, or leave out epoch "
            f"{epoch}"
        ) from None


def require_kept(run: Path, epochs: Sequence[int]) -> None:
    """Refuse a run that has passed an epoch without keeping its embeddings.

    Raises:
        ValueError: it has, or its checkpoint is damaged.
    """
    if not (run / CHECKPOINT).is_file():
        return
    reached = int(load_checkpoint(run / CHECKPOINT).get("state", {}).get("epoch", 1))
    missing = [e for e in epochs if e < reached and not kept_file(run, e).is_file()]
    if missing:
        raise ValueError(
            f"{run} has passed epoch {missing[0]} without keeping its embeddings: name another "
            "folder with --runs, delete that run, or choose epochs that it has kept"
        )
