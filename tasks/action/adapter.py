"""Action recognition: which of K classes of movement a recording shows.

The released recipe's skeleton (PYSKL's lineage): clips of frames spread over a whole recording, one
label a recording, cross-entropy and the affinity contrastive terms, ten test clips whose
probabilities are averaged. Changed on purpose: the epoch that is tested is the best on people held
out of the training people, or the last; the release takes the best on the test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from aclnet.clips.input import ClipSettings, Rows
from aclnet.config import Settings
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.scoring import Scored, ScoringSettings, score
from aclnet.training.settings import TrainSettings
from protocols.action.division import TEST, TRAIN, VALIDATION, hold_out
from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.action.split import load_split
from protocols.names import natural_order
from tasks.run.adapter import Report, TaskAdapter, label_rows
from tasks.samples.batches import picture_widths
from tasks.samples.open import without_short
from tasks.settings import DataSettings, SamplerSettings, TaskSettings

VALIDATION_METRIC = "validation/top1"


class HoldOutSettings(Settings):
    """Who is held out of the training samples to watch the training and choose its epoch.

    Attributes:
        people: training people held out; 0: none, and the last epoch is tested.
        share: share of each class held out instead, where it is not known who is who.
    """

    people: int = Field(default=2, ge=0)
    share: float = Field(default=0.1, gt=0, lt=1)


class ActionSettings(TaskSettings):
    """Settings of action recognition.

    Attributes:
        split: who trains and who is tested: a name (`protocols.action.split`) or a CSV file.
        fold: the fold, where the split has folds.
        hold_out: who validates.
        select: which epoch is tested: "best" in validation, where somebody validates, or "last".
        test: how a recording is tested.
    """

    data: DataSettings = DataSettings(source="file")
    clip: ClipSettings = ClipSettings(frames=100, sampling="uniform", streams=("j",))
    sampler: SamplerSettings = SamplerSettings(kind="shuffle")
    split: str = "store"
    fold: str | None = None
    hold_out: HoldOutSettings = HoldOutSettings()
    select: Literal["best", "last"] = "best"
    test: ScoringSettings = ScoringSettings()


class ActionAdapter(TaskAdapter[ActionSettings]):
    """Action recognition as a task.

    Args:
        settings: resolved settings.
        store: the data set; every sample that trains or is tested needs a label.
        report: takes sentences about what is left out.

    Raises:
        ValueError: samples without label, a split that does not fit the data, a class that is
            tested but never trained, or pictures to be mirrored whose width is not known.
    """

    task = "action"

    def __init__(
        self, settings: ActionSettings, store: Store, report: Report | None = None
    ) -> None:
        long_enough = without_short(store, settings.data.min_frames, report)
        self.dropped = {"short": len(store) - len(long_enough)}
        super().__init__(settings, long_enough)
        index = self.store.index
        self._label = index["label"].to_numpy()
        division = load_split(settings.split).divide(index, settings.fold)
        if not division.counts.get(VALIDATION, 0):
            division = hold_out(
                division,
                index["identity"].to_numpy(),
                settings.hold_out.people,
                settings.train.seed,
                label=np.unique(self._label, return_inverse=True)[1],
                share=settings.hold_out.share,
            )
        self.division = division
        self._classes = self._find_classes()
        self._check_labels()
        picture_widths(self.samples(TRAIN), settings.clip)  # refused before a run is begun

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the source's order where it has one."""
        return self._classes

    def training_samples(self) -> tuple[Store, Rows]:
        """The samples that train, and their classes."""
        samples = self.samples(TRAIN)
        return samples, label_rows(samples.index["label"].to_numpy(), self.classes)

    def samples(self, role: str) -> Store:
        """The samples of a role: train, validation or test."""
        return self.store.select(self.division.rows(role))

    def train_settings(self) -> TrainSettings:
        """The training's settings, with what to keep where the best epoch is to be tested."""
        train = self.settings.train
        if not self.selects_best:
            return train
        return train.model_copy(update={"keep_best": train.keep_best or VALIDATION_METRIC})

    @property
    def selects_best(self) -> bool:
        """Whether the best epoch in validation is tested, and not the last."""
        watched = self.division.counts.get(VALIDATION, 0) > 0
        return self.settings.select == "best" and watched

    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Accuracy on the held-out people, one clip a recording as in the release."""
        if not self.division.counts.get(VALIDATION, 0):
            return {}
        one = self.settings.test.model_copy(update={"clips": 1})
        samples = self.samples(VALIDATION)
        scores = self.labelled(score(network, samples, self.clip_input, one), samples, VALIDATION)
        metrics = evaluate_action(scores).metrics
        return {
            VALIDATION_METRIC: metrics["top1"],
            "validation/mean_class": metrics["mean_class"],
        }

    def test_scores(self, network: SkeletonNetwork, hidden: Rows | None = None) -> ClassScores:
        """Scores of the test samples over all test clips; some joints hidden if asked."""
        samples = self.samples(TEST)
        scored = score(network, samples, self.clip_input, self.settings.test, hidden=hidden)
        return self.labelled(scored, samples, TEST)

    def labelled(self, scored: Scored, samples: Store, role: str) -> ClassScores:
        """Scores with the labels and persons of the samples of a role."""
        index = samples.index
        return ClassScores(
            sample=index["sample"].to_numpy().astype(np.str_),
            label=label_rows(index["label"].to_numpy(), self.classes),
            classes=np.array(self.classes, dtype=np.str_),
            probabilities=scored.probabilities,
            logits=scored.logits,
            subject=index["identity"].to_numpy().astype(np.str_),
            subset=self.division.subset[self.division.rows(role)],
        )

    def counts(self) -> dict[str, int]:
        """Samples of each role, and what was left out."""
        info = self.store.info
        return {
            **self.division.counts,
            **{f"dropped_{reason}": count for reason, count in self.dropped.items()},
            **{f"dropped_{'_'.join(why.split())}": n for why, n in info.dropped.items()},
        }

    def _find_classes(self) -> tuple[str, ...]:
        """The source's classes in its order, without those that the split leaves out as a whole."""
        used = set(self._labels(TRAIN)) | set(self._labels(VALIDATION)) | set(self._labels(TEST))
        left_out = set(self._label.tolist()) - used
        named: Sequence[str] = self.store.info.classes or natural_order(self._label)
        return tuple(name for name in named if name not in left_out and name)

    def _check_labels(self) -> None:
        taking_part = np.concatenate([self.division.rows(r) for r in (TRAIN, VALIDATION, TEST)])
        nameless = taking_part[self._label[taking_part] == ""]
        where = f"data set {self.store.info.name}"
        if len(nameless):
            sample = self.store.index["sample"].to_numpy()[nameless[0]]
            raise ValueError(
                f"{where}: action recognition needs a label for every sample that trains or is "
                f"tested; {len(nameless)} have none, the first is {sample}"
            )
        strange = sorted(set(self._labels(TEST)) - set(self._labels(TRAIN)))
        if strange:
            raise ValueError(
                f"{where}: class {strange[0]!r} is tested but has no training sample in split "
                f"{self.settings.split}: choose another split, or leave the class out of it"
            )

    def _labels(self, role: str) -> list[str]:
        labels: list[str] = self._label[self.division.rows(role)].tolist()
        return labels
