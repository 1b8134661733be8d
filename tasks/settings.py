"""Settings that every task has; a task adds its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings
from aclnet.data.settings import DataSettings
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models.settings import NetworkSettings
from aclnet.runs.settings import EmbedSettings
from aclnet.training.settings import SamplerSettings, TrainSettings

_NO_INTER, _NO_INTRA = "objective.inter_weight=0", "objective.intra_weight=0"
_ONE_TEMPERATURE = "objective.temperatures=[0.5,0.5,0.5]"
ARMS: dict[str, tuple[str, ...]] = {
    "ce": (_NO_INTER, _NO_INTRA),
    "ce+inter-fat": (_NO_INTRA, _ONE_TEMPERATURE),
    "ce+inter": (_NO_INTRA,),
    "ce+intra": (_NO_INTER,),
    "acl": (),
}
"""The rows of the paper's Table VIII, as changes of a recipe with the whole objective.

`ce+inter-fat` is the inter-class term with one temperature for all families, the middle one, as the
paper does not say which it takes where the family-aware temperature is left out.
"""


class TaskSettings(Settings):
    """What every task is told; `tasks.gait.settings.GaitSettings` shows how a task adds to it.

    A task may also answer otherwise what is asked here about its settings.
    """

    data: DataSettings = DataSettings()
    clip: ClipSettings = ClipSettings()
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    sampler: SamplerSettings = SamplerSettings()
    train: TrainSettings = TrainSettings()
    embed: EmbedSettings = EmbedSettings()

    @property
    def trains_objective(self) -> bool:
        """Whether `objective` is what trains."""
        return True

    @property
    def objective_name(self) -> str:
        """The objective's name in results."""
        return self.objective.name

    @property
    def benchmark(self) -> str:
        """The name of the split or protocol, by which a data set is known that is not here."""
        return ""

    def class_count(self, known: int) -> int:
        """Classes that train, of a data set known to have so many classes or people."""
        return known

    def arms(self) -> Mapping[str, tuple[str, ...]]:
        """What a study may compare: changes of the recipe by name."""
        return ARMS

    def usual_arms(self) -> tuple[str, ...]:
        """What a study compares where nothing is named."""
        return ("ce", "acl")

    def folds(self) -> tuple[str | None, ...]:
        """The folds of the split; (None,) where it has none."""
        return (None,)

    @classmethod
    def shaping(cls, before: Mapping[str, Any], best: bool) -> dict[str, tuple[str, ...]]:
        """What must stay the same where a run goes on, as it shapes the weights.

        Args:
            before: the settings that the run was begun with, as plain values.
            best: whether the best epoch shall be tested, and what decides which one it is counts
                too. A run begun for its last epoch has not kept the best so far, and may not
                change to it.

        Returns:
            Names of parts, each with the fields that count; () for all of them.
        """
        del before
        parts: dict[str, tuple[str, ...]] = {
            **dict.fromkeys(("clip", "network", "objective", "sampler"), ()),
            "data": ("min_frames",),
        }
        if best:
            parts |= dict.fromkeys(("select", "rule", "pairs", "protocol"), ())
            parts["embed"] = ("windows", "stride", "mirror", "feature", "normalise")
        return parts
