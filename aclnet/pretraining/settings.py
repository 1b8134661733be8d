"""Settings of the objectives of pre-training; no network library is needed."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from aclnet.config import Settings
from aclnet.models.settings import require_whole_heads
from aclnet.pretraining.views.settings import (
    ActionletViewSettings,
    ExtremeViewSettings,
    MixSettings,
)


class MomentumSettings(Settings):
    """The embedding, and the keys that it is compared with; the same in both stages.

    Attributes:
        projection_dim: entries of an embedding; the hidden layer before it is as wide as the
            encoder's feature.
        queue_size: keys of past batches, at most; `aclnet-task pretrain` keeps no more than there
            are training clips, since a clip would else be compared with older keys of its own.
        momentum: share of the past in each step of the key's encoder.
    """

    projection_dim: int = Field(default=128, ge=1, le=65_536)
    queue_size: int = Field(default=32768, ge=8, le=100_000_000)
    momentum: float = Field(default=0.999, ge=0, lt=1)


class ExtremeSettings(MomentumSettings):
    """Stage 1 (AimCLR).

    Attributes:
        temperature: of the similarities.
        divergence_weight: weight of the two distributional divergences.
        mine_from: share of the training after which the nearest keys are positives too.
        neighbours: nearest keys of each view that are.
        views: the views of a clip.
    """

    temperature: float = Field(default=0.07, gt=0)
    divergence_weight: float = Field(default=0.5, ge=0)
    mine_from: float = Field(default=0.5, ge=0)
    neighbours: int = Field(default=1, ge=1, le=1_000_000)
    views: ExtremeViewSettings = ExtremeViewSettings()


class ActionletSettings(MomentumSettings):
    """Stage 2 (ActCLR).

    Attributes:
        teacher_temperature: of the keys' similarities.
        student_temperature: of the queries' similarities.
        neighbours_share: share of the queue that is compared, the nearest to the key.
        same_above: cosine above which a key in the queue counts as the clip itself and is no
            neighbour, as far as there are others; 1: none is.
        sharpness: activation from which an actionlet's mask is 1, in the released code 1e-8; null:
            wherever there is any, whatever the batch's size and the features' scale.
        anchor_pull: let the projection also learn to make the normal and the weak view like the
            static anchor, as the released code does, perhaps by mistake.
        views: the views of a clip.
        mix: how clips are mixed.
    """

    queue_size: int = Field(default=65536, ge=8, le=100_000_000)
    teacher_temperature: float = Field(default=0.04, gt=0)
    student_temperature: float = Field(default=0.1, gt=0)
    neighbours_share: float = Field(default=1 / 8, gt=0, le=1)
    same_above: float = Field(default=0.95, gt=-1, le=1)
    sharpness: float | None = Field(default=None, gt=0)
    anchor_pull: bool = True
    views: ActionletViewSettings = ActionletViewSettings()
    mix: MixSettings = MixSettings()


class MaskedSettings(Settings):
    """Masked motion prediction (MAMP); the defaults are the published ones for NTU RGB+D 60.

    A token's frames, and the encoder's sizes, are `network.encoder`'s. Clips of consecutive frames
    (`clip.sampling: window`) suit it: the other samplings draw each frame's place in its part of
    the recording, so that some of the motion from frame to frame is chance.

    Attributes:
        mask_ratio: share of each person's tokens that are masked.
        temperature: the lower, the more often tokens that move are masked; null: all alike.
        motion_stride: frames from one place of a joint to the next, whose difference is predicted.
        width: channels of the decoder.
        blocks: of the decoder.
        heads: of the decoder's attention.
    """

    mask_ratio: float = Field(default=0.9, gt=0, lt=1)
    temperature: float | None = Field(default=0.8, gt=0)
    motion_stride: int = Field(default=1, ge=1, le=10_000)
    width: int = Field(default=256, ge=1, le=16_384)
    blocks: int = Field(default=3, ge=1, le=1_000)
    heads: int = Field(default=8, ge=1, le=1_024)

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        require_whole_heads(self.width, self.heads)
        return self
