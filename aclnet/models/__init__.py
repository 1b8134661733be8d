"""Encoders of skeleton clips and the network around them.

A further backbone is one file, with its settings and their `build`, and one line in the union
`ModelSettings`: its `name` there is what a recipe writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from aclnet.models.affinity_gcn import AffinityGcnSettings
from aclnet.models.clip_mlp import ClipMlpSettings
from aclnet.models.ctr_gcn import CtrGcnSettings
from aclnet.models.encoder import Encoder, EncoderOutput, EncoderSettings
from aclnet.models.heads import NetworkOutput, SkeletonNetwork
from aclnet.models.resgcn import ResGcnSettings
from aclnet.models.st_gcn import StGcnSettings
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.models.transg import TransgSettings

if TYPE_CHECKING:
    import torch

    from aclnet.skeleton import Layout

__all__ = [
    "AffinityGcnSettings",
    "ClipMlpSettings",
    "CtrGcnSettings",
    "Encoder",
    "EncoderOutput",
    "EncoderSettings",
    "ModelSettings",
    "NetworkOutput",
    "ResGcnSettings",
    "SkeletonNetwork",
    "StGcnSettings",
    "TemporalConvSettings",
    "TransgSettings",
    "build_encoder",
]

ModelSettings = Annotated[
    AffinityGcnSettings
    | ClipMlpSettings
    | CtrGcnSettings
    | ResGcnSettings
    | StGcnSettings
    | TemporalConvSettings
    | TransgSettings,
    Field(discriminator="name"),
]


def build_encoder(
    settings: EncoderSettings,
    layout: Layout,
    channels: int,
    generator: torch.Generator | None = None,
) -> Encoder:
    """Make the encoder that the settings name.

    Args:
        settings: one of the members of `ModelSettings`.
        layout: joint layout of the clips (V joints).
        channels: C, input channels of the clips.
        generator: source of the initial weights; None: torch's default generator.

    Returns:
        An encoder of clips (N, M, T, V, C) with `feature_dim` and `graph_dim`.

    Raises:
        ValueError: fewer than one channel, or settings that do not fit the layout.
    """
    if channels < 1:
        raise ValueError(f"clips need at least one channel, got channels={channels}")
    return settings.build(layout, channels, generator)
