"""The backbone of the released ACLNet: blocks of dynamic graphs over joints and branches over time.

Wang et al., "Affinity contrastive learning for skeleton-based human activity understanding"; the
authors' code (a DG-STGCN descendant of base width 96) in an equal form that needs less time.
Published checkpoints load through `aclnet.models.official.import_official`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from aclnet.models.encoder import Encoder, EncoderOutput, EncoderSettings
from aclnet.models.graph_unit import GraphUnit
from aclnet.models.initialise import reset_layers
from aclnet.models.persons import AbsentPersons, mean_over_persons, person_weights
from aclnet.models.temporal_unit import TemporalUnit

if TYPE_CHECKING:
    from aclnet.skeleton import Layout


class AffinityGcnSettings(EncoderSettings):
    """Settings of `AffinityGcn`; the defaults are the released backbone."""

    name: Literal["affinity_gcn"] = "affinity_gcn"
    width: int = Field(96, ge=6, description="channels of the first block")
    blocks: int = Field(10, ge=1, description="number of blocks")
    widen_at: tuple[int, ...] = Field(
        (5, 8), description="blocks (from 1) that double the channels"
    )
    stride_at: tuple[int, ...] = Field((5, 8), description="blocks, from 1, that halve frames")
    subsets: int = Field(8, ge=1, description="K, graphs learned in each block")
    absent_persons: AbsentPersons = Field(
        "count", description="whether an absent, zero person weighs like a real one, as released"
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.subsets > self.width:
            raise ValueError(
                f"subsets must not exceed the width {self.width}, got {self.subsets}: "
                "each graph subset needs a channel"
            )
        for field in ("widen_at", "stride_at"):
            outside = [number for number in getattr(self, field) if not 1 <= number <= self.blocks]
            if outside:
                raise ValueError(
                    f"{field} names block {outside[0]}, but the blocks are 1 to {self.blocks}"
                )
        return self

    def build(
        self, layout: Layout, channels: int, generator: torch.Generator | None = None
    ) -> AffinityGcn:
        """Make the encoder for this layout and these channels."""
        return AffinityGcn(self, layout.joint_count, channels, generator)


class AffinityGcn(Encoder):
    """The released backbone; its graph output is the last block's dynamic graph.

    The skeleton's bones have no part in it: only V is taken from the layout. At the start the
    dynamic graph is zero for every clip, because its two scales are.

    Departure from the released code: the learned topologies are drawn from the generator given
    here (there from numpy's global one), and the parameters without effect are left out (seven of
    the eight graph scales in each block, the shares of joints beyond V).

    Shapes: clips (N, M, T, V, C) to pooled (N, D) and graph (N, V * V).

    Args:
        settings: sizes.
        joint_count: V.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    graph_dim: int

    def __init__(
        self,
        settings: AffinityGcnSettings,
        joint_count: int,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(joint_count, channels)
        self.absent_persons: AbsentPersons = settings.absent_persons
        self.input_norm = nn.BatchNorm1d(joint_count * channels)
        self.blocks = nn.ModuleList()
        before, width = channels, settings.width
        for number in range(1, settings.blocks + 1):
            width *= 2 if number in settings.widen_at else 1
            stride = 2 if number in settings.stride_at else 1
            graph = GraphUnit(before, width, joint_count, settings.subsets)
            temporal = TemporalUnit(width, joint_count, stride)
            short_cut = None if number == 1 else _short_cut(before, width, stride)
            self.blocks.append(_Block(graph, temporal, short_cut))
            before = width
        self.feature_dim = width
        self.graph_dim = joint_count * joint_count
        reset_layers(self, generator)
        for module in self.modules():
            if isinstance(module, GraphUnit):
                module.reset_topology(generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        self.check_clips(clips)
        frames = clips.flatten(3).flatten(0, 1).transpose(1, 2)  # (N*M, V*C, T)
        x = self.input_norm(frames).unflatten(1, clips.shape[3:]).permute(0, 2, 3, 1)
        x = x.contiguous()  # (N*M, C, T, V)
        *earlier, last = self.blocks
        for block in earlier:
            x, _ = block(x, with_graph=False)
        x, graph = last(x, with_graph=True)
        weights = person_weights(clips, self.absent_persons)
        pooled = mean_over_persons(x.mean(dim=(2, 3)), weights)
        return EncoderOutput(pooled, mean_over_persons(graph.flatten(1), weights))


class _Block(nn.Module):
    """Graph unit, temporal unit and short cut; (n, c, T, V) to (n, o, ceil(T / stride), V)."""

    def __init__(
        self, graph: GraphUnit, temporal: TemporalUnit, short_cut: nn.Module | None
    ) -> None:
        super().__init__()
        self.graph = graph
        self.temporal = temporal
        self.short_cut = short_cut

    def forward(self, x: Tensor, with_graph: bool) -> tuple[Tensor, Tensor | None]:
        mixed, dynamic = self.graph(x, with_graph)
        out = self.temporal(mixed)
        if self.short_cut is not None:
            out.add_(self.short_cut(x))
        return out.relu_(), dynamic


def _short_cut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
    )
