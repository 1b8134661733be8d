"""Settings of action recognition."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings
from aclnet.data.settings import DataSettings
from aclnet.runs.settings import ScoringSettings
from aclnet.training.settings import SamplerSettings
from protocols.action.split import load_split
from tasks.settings import TaskSettings


class HoldOutSettings(Settings):
    """Training samples held out for validation.

    Attributes:
        people: number of training people held out; 0: none, and the last epoch is tested.
        share: share of each class held out instead, if the people are unknown.
    """

    people: int = Field(default=2, ge=0)
    share: float = Field(default=0.1, gt=0, lt=1)


class ActionSettings(TaskSettings):
    """Settings of action recognition.

    Attributes:
        split: training and test samples: a name (`protocols.action.split`) or a CSV file.
        overlap: "test": samples that the split lists for training and for the test are only tested;
            by default they are refused.
        fold: the fold, if the split has folds.
        hold_out: validation samples.
        select: the tested epoch: "best" in validation, if there are validation samples, or "last".
        test: how recordings are tested.
    """

    data: DataSettings = DataSettings(source="file")
    clip: ClipSettings = ClipSettings(frames=100, sampling="uniform", streams=("j",))
    sampler: SamplerSettings = SamplerSettings(kind="shuffle")
    split: str = "store"
    overlap: Literal["test"] | None = None
    fold: str | None = None
    hold_out: HoldOutSettings = HoldOutSettings()
    select: Literal["best", "last"] = "best"
    test: ScoringSettings = ScoringSettings()

    @property
    def benchmark(self) -> str:
        """The split."""
        return self.split

    def folds(self) -> tuple[str | None, ...]:
        """The folds of the split; (None,) if it has none."""
        split = load_split(self.split)
        return tuple(split.folds) if split.by_fold else (None,)
