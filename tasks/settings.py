"""Settings that every task has; a task adds its own."""

from __future__ import annotations

from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings
from aclnet.data.settings import DataSettings
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models.settings import NetworkSettings
from aclnet.runs.settings import EmbedSettings
from aclnet.training.settings import SamplerSettings, TrainSettings


class TaskSettings(Settings):
    """What every task is told; `tasks.gait.adapter.GaitSettings` shows how a task adds to it."""

    data: DataSettings = DataSettings()
    clip: ClipSettings = ClipSettings()
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    sampler: SamplerSettings = SamplerSettings()
    train: TrainSettings = TrainSettings()
    embed: EmbedSettings = EmbedSettings()
