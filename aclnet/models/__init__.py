"""Encoders of skeleton clips and the network around them.

A further backbone is one file, with its settings and their `build`, and one line in the union
`ModelSettings`: its `name` there is what a recipe writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from aclnet.models.affinity_gcn import AffinityGcnSettings
from aclnet.models.ctr_gcn import CtrGcnSettings
from aclnet.models.encoder import Encoder, EncoderOutput, EncoderSettings
from aclnet.models.heads import NetworkOutput, SkeletonNetwork
from aclnet.models.resgcn import ResGcnSettings
from aclnet.models.st_gcn import StGcnSettings
from aclnet.models.temporal_conv import TemporalConvSettings

if TYPE_CHECKING:
    import torch

    from aclnet.skeleton import Layout

__all__ = [
    "AffinityGcnSettings",
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
    "build_encoder",
]

ModelSettings = Annotated[
    AffinityGcnSettings | CtrGcnSettings | ResGcnSettings | StGcnSettings | TemporalConvSettings,
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
