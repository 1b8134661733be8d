"""Settings that every task has; a task adds its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from aclnet.clips.input import ClipSettings
from aclnet.config import Settings
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.losses.objective import ObjectiveSettings
from aclnet.models import ModelSettings
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.runs.embedding import EmbedSettings
from aclnet.training.settings import TrainSettings


class DataSettings(Settings):
    """Where the samples come from.

    Attributes:
        source: what there is without a path: `walkers`, generated ones; `file`: nothing, so that a
            recipe for real data never runs on generated ones unasked.
        path: a store, or any file or folder that `aclnet-task data convert` reads (it is converted
            once and kept beside the runs); none: as `source` says.
        format: the format of `path`, where it is not recognised.
        layout: joint layout of `path`, where the file does not tell.
        map_to: change to this layout by joint name.
        options: the format's own options, such as `split: fold` for an .npz.
        prepare: "main_person": the main person first, its empty frames left out, the recording
            centred on it (`aclnet.data.prepare`); done once, in the conversion.
        min_frames: shorter sequences are left out and counted.
        walkers: settings of the synthetic walkers.
    """

    source: Literal["walkers", "file"] = "walkers"
    path: Path | None = None
    format: str | None = None
    layout: str | None = None
    map_to: str | None = None
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    prepare: Literal["none", "main_person"] = "none"
    min_frames: int = Field(default=1, ge=1)
    walkers: WalkerSettings = WalkerSettings()


class NetworkSettings(Settings):
    """The network: an encoder, the neck behind it and the classifier's dropout."""

    encoder: ModelSettings = TemporalConvSettings()
    neck: Literal["none", "bn"] = "bn"
    dropout: float = Field(default=0.0, ge=0, lt=1)


class SamplerSettings(Settings):
    """Training batches: P identities (or classes) with K samples each, or all samples shuffled.

    Attributes:
        kind: "identities": P x K, for few samples of many people; "shuffle": every sample once an
            epoch.
        batch_size: with shuffle, samples in a global batch; the last one of an epoch may be less.
        identities_per_batch: P; fewer where there are fewer people.
        samples_per_identity: K.
        steps_per_epoch: batches an epoch; by default as many as show every sample about once.
    """

    kind: Literal["identities", "shuffle"] = "identities"
    batch_size: int = Field(default=64, ge=2)
    identities_per_batch: int = Field(default=16, ge=2)
    samples_per_identity: int = Field(default=4, ge=2)
    steps_per_epoch: int | None = Field(default=None, ge=1)


class TaskSettings(Settings):
    """What every task is told; `tasks.gait.adapter.GaitSettings` shows how a task adds to it."""

    data: DataSettings = DataSettings()
    clip: ClipSettings = ClipSettings()
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    sampler: SamplerSettings = SamplerSettings()
    train: TrainSettings = TrainSettings()
    embed: EmbedSettings = EmbedSettings()
