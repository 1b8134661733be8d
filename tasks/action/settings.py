"""Settings of action recognition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aclnet.clips.settings import AugmentSettings, ClipSettings, NormaliseSettings
from aclnet.config import Settings
from aclnet.data.settings import DataSettings
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models.settings import NetworkSettings
from aclnet.runs.settings import ScoringSettings
from aclnet.training.settings import SamplerSettings, TrainSettings
from protocols.action.split import ActionSplit, load_split
from tasks.samples.identities import IdentitySettings
from tasks.settings import TaskSettings, naming

OWN = "own"
"""Name in results of a division by shares."""


class HoldOutSettings(Settings):
    """Training samples held out for validation.

    Attributes:
        people: number of training people held out; 0: none, and the last epoch is tested. Small
            sets cannot spare them.
        share: share of each class held out instead, if the people are unknown.
    """

    people: int = Field(default=0, ge=0, le=1_000_000)
    share: float = Field(default=0.1, gt=0, lt=1)


class ActionSettings(TaskSettings):
    """Settings of action recognition.

    Attributes:
        split: training and test samples: a name (`protocols.action.split`) or a CSV file.
        identities: shares of the people who train, validate and are tested, in place of `split` and
            `hold_out`; where the data do not name everybody, shares of each class's recordings.
            None: `split`.
        overlap: "test": samples that the split lists for training and for the test are only tested;
            by default they are refused.
        fold: the fold, if the split has folds.
        hold_out: validation samples.
        train_share: share of each class's training samples that are trained on, at least one of
            each; drawn by `train.seed`, after validation samples are held out.
        select: the tested epoch: "best" in validation, if there are validation samples, or "last".
        test: how recordings are tested.
    """

    data: DataSettings = DataSettings(source="file")
    clip: ClipSettings = ClipSettings(
        frames=32,
        sampling="stretch",
        least_share=0.8,
        streams=("j", "b", "jm", "bm"),
        normalise=NormaliseSettings(centre="clip"),
        augment=AugmentSettings(
            mirror=0.0, rotate=0.3, scale=0.1, joint_noise=0.02, point_noise=0.01
        ),
    )
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings(
        start_epoch=None, neighbours=None, overlap=None, queue_size=None, intra_start="at_once"
    )
    sampler: SamplerSettings = SamplerSettings(kind="shuffle", batch_size=32)
    train: TrainSettings = TrainSettings(
        epochs=100,
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=0.05,
        schedule="onecycle",
    )
    split: str = "store"
    identities: IdentitySettings | None = None
    overlap: Literal["test"] | None = None
    fold: str | None = None
    hold_out: HoldOutSettings = HoldOutSettings()
    train_share: float = Field(default=1.0, gt=0, le=1)
    select: Literal["best", "last"] = "best"
    test: ScoringSettings = ScoringSettings()

    @model_validator(mode="after")
    def _test_fits_clips(self) -> Self:
        self.test.require_clips(self.clip)
        return self

    @property
    def benchmark(self) -> str:
        """The split."""
        return OWN if self.identities is not None else self.split

    @property
    def variant(self) -> str:
        """`semi-10` with 10 % of the labels, with or without another training before."""
        return super().variant if self.train_share == 1 else f"semi-{100 * self.train_share:g}"

    def table(self) -> ActionSplit:
        """Load the split.

        Raises:
            ValueError: there is none of this name, or its file is not valid.
        """
        with naming(f"split={self.split}"):
            return load_split(self.split)

    @classmethod
    def shaping(cls, before: Mapping[str, Any], best: bool) -> dict[str, tuple[str, ...]]:
        """As in all tasks, and what divides the samples."""
        dividing = ("split", "identities", "fold", "hold_out", "train_share")
        return super().shaping(before, best) | dict.fromkeys(dividing, ())

    def folds(self) -> tuple[str | None, ...]:
        """The folds of the split; (None,) if it has none."""
        split = self.table()
        return tuple(split.folds) if split.by_fold else (None,)
