"""The backbone of the released ACLNet: blocks of dynamic graphs over joints and branches over time.

Wang et al., "Affinity contrastive learning for skeleton-based human activity understanding"; the
authors' code (derived from DG-STGCN, with base width 96) in an equivalent form that takes less
time. `aclnet.models.official.import_official` converts published checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.channels_last import BatchNorm, differences, mix_joints, pool_frames
from aclnet.models.encoder import (
    AbsentPersons,
    Encoder,
    EncoderOutput,
    reset_layers,
)
from aclnet.models.stages import BlockSize, StagedSettings, block_short_cut

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

_TOPOLOGY_MEAN = 0.04  # of the released initial adjacency
_TOPOLOGY_STD = 0.02
_DILATIONS = (1, 2, 3, 4)
_BRANCHES = len(_DILATIONS) + 2


class AffinityGcnSettings(StagedSettings):
    """Settings of `AffinityGcn`; the defaults are the released backbone."""

    name: Literal["affinity_gcn"] = "affinity_gcn"
    width: int = Field(96, ge=6, le=16_384, description="channels of the first block")
    subsets: int = Field(8, ge=1, le=1_000, description="K, graphs learned in each block")
    absent_persons: AbsentPersons = Field(
        "count", description="whether an absent person, all zero, counts like a real one (released)"
    )

    @model_validator(mode="after")
    def _a_channel_each(self) -> Self:
        if self.subsets > self.width:
            raise ValueError(
                f"subsets must not exceed the width {self.width}, got {self.subsets}: "
                "each graph subset needs a channel"
            )
        return self

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder for this layout and these channels."""
        return AffinityGcn(self, layout.joint_count, channels, generator)


class AffinityGcn(Encoder):
    """The released backbone; its graph output is the last block's dynamic graph.

    It does not use the skeleton's bones, only V. At the start the dynamic graph is zero for every
    clip, because its two scales are.

    Departure from the released code: the learned topologies are drawn from the generator (there
    from NumPy's global one), and the parameters without effect are left out (seven of the eight
    graph scales in each block, the shares of joints beyond V).

    Shapes: clips (N, M, T, V, C) to pooled (N, D) and graph (N, V * V).

    Args:
        settings: sizes.
        joint_count: V.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    graph_dim: int
    has_map = True

    def __init__(
        self,
        settings: AffinityGcnSettings,
        joint_count: int,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(joint_count, channels)
        self.absent_persons = settings.absent_persons
        self.input_norm = nn.BatchNorm1d(joint_count * channels)
        self.blocks = nn.ModuleList(
            _Block(size, joint_count, settings.subsets) for size in settings.block_sizes(channels)
        )
        self.feature_dim = settings.feature_dim
        self.stage_ends = settings.stage_ends
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
        x = x.contiguous(memory_format=torch.channels_last)  # (N*M, C, T, V)
        stages = []
        for number, block in enumerate(self.blocks, 1):
            x, graph = block(x, with_graph=number == len(self.blocks))
            if self.ends_stage(number):
                stages.append(x)
        return self.mean_output(x.mean(dim=(2, 3)), clips, x, graph.flatten(1), stages)


class _Block(nn.Module):
    """Graph unit, temporal unit and short cut; (n, c, T, V) to (n, o, ceil(T / stride), V)."""

    def __init__(self, size: BlockSize, joint_count: int, subsets: int) -> None:
        super().__init__()
        self.graph = GraphUnit(size.in_channels, size.out_channels, joint_count, subsets)
        self.temporal = TemporalUnit(size.out_channels, joint_count, size.stride)
        self.short_cut = block_short_cut(size)

    def forward(self, x: Tensor, with_graph: bool) -> tuple[Tensor, Tensor | None]:
        mixed, dynamic = self.graph(x, with_graph)
        out = self.temporal(mixed)
        if self.short_cut is not None:
            out.add_(self.short_cut(x))
        return out.relu_(), dynamic


class GraphUnit(nn.Module):
    """Dynamic graph convolution in K subsets, each with its own graph; `gcn` of a released block.

    With p the entry features, r and q the two relation features (means over time), A the learned
    topology, and a, b two learned scalars, the graph of a channel of subset k is

        A[k] + a * tanh(r[v] - q[w]) + b * softmax_v(sum over the subset's channels of r[v] q[w])

    and the output relu(BN(leave(p graph)) + short cut). The released code keeps K values of a and
    of b but reads only the first; here there is one of each. To save time the two relation maps
    are one convolution of the mean over time, entry and short cut are one convolution with one
    normalisation, one batched matrix product mixes the joints, and maps are stored channels last.

    Shapes: (n, c, T, V) to (n, o, T, V); the dynamic part of the graph is (n, V, V).

    Args:
        in_channels: c.
        out_channels: o, at least K.
        joint_count: V.
        subsets: K.
    """

    def __init__(self, in_channels: int, out_channels: int, joint_count: int, subsets: int) -> None:
        super().__init__()
        self.subsets = subsets
        self.inner = out_channels // subsets * subsets  # K * m
        self.has_projection = in_channels != out_channels
        enter = self.inner + (out_channels if self.has_projection else 0)
        self.topology = nn.Parameter(torch.empty(subsets, joint_count, joint_count))
        self.channel_scale = nn.Parameter(torch.zeros(()))
        self.adaptive_scale = nn.Parameter(torch.zeros(()))
        self.enter = nn.Conv2d(in_channels, enter, 1)
        self.enter_norm = BatchNorm(enter)
        self.relate = nn.Conv1d(in_channels, 2 * self.inner, 1)
        self.leave = nn.Conv2d(self.inner, out_channels, 1)
        self.leave_norm = BatchNorm(out_channels)
        self.reset_topology(None)

    def reset_topology(self, generator: torch.Generator | None) -> None:
        """Draw the learned topology: dense, normal, independent of the skeleton."""
        nn.init.normal_(self.topology, _TOPOLOGY_MEAN, _TOPOLOGY_STD, generator=generator)

    def forward(self, x: Tensor, with_graph: bool = False) -> tuple[Tensor, Tensor | None]:
        """Mix the joints of x (n, c, T, V).

        Args:
            x: features.
            with_graph: also return the dynamic part of the graph, averaged over channels.

        Returns:
            Features (n, o, T, V) and the graph (n, V, V), None without `with_graph`.
        """
        entered, short_cut = self.enter_norm(self.enter(x)), x
        if self.has_projection:
            entered, short_cut = entered.split([self.inner, entered.shape[1] - self.inner], dim=1)
        # A mean over time commutes with the convolution. A sum has the smaller backward pass.
        means = x.sum(dim=2) * (1 / x.shape[2])
        relations = self.relate(means).unflatten(1, (2, self.subsets, -1))  # (n, 2, K, m, V)
        rows, columns = relations.unbind(1)
        attention = torch.softmax(rows.mT @ columns, dim=-2)  # columns sum to one
        shared = self.topology + self.adaptive_scale * attention
        left = self.leave(mix_joints(entered, relations, shared, self.channel_scale))
        left = self.leave_norm(left).add_(short_cut).relu_()
        if not with_graph:
            return left, None
        by_channel = self.channel_scale * differences(relations).mean(dim=(1, 2))
        return left, by_channel + self.adaptive_scale * attention.mean(dim=1)


class TemporalUnit(nn.Module):
    """Four dilated convolutions, a maximum and a pointwise branch over the frames; `tcn` there.

    The mean over the joints is appended as one more joint; each joint adds a learned share of it
    at the end. The branches' entries are one convolution with one normalisation.

    Shapes: (n, o, T, V) to (n, o, ceil(T / stride), V).

    Args:
        channels: o, at least the six branches; the first branch takes the remainder of a division
            by six.
        joint_count: V.
        stride: frames a step.
    """

    def __init__(self, channels: int, joint_count: int, stride: int = 1) -> None:
        super().__init__()
        width = channels // _BRANCHES
        self.stride = stride
        self.active = channels - width  # channels of all branches but the pointwise one
        first = channels - (_BRANCHES - 1) * width
        self.widths = [first] + [width] * (_BRANCHES - 2)
        self.global_scale = nn.Parameter(torch.zeros(joint_count))
        self.squeeze = nn.Conv2d(channels, channels, 1)
        self.squeeze_norm = BatchNorm(self.active)
        self.dilated = nn.ModuleList(
            nn.Conv2d(w, w, (3, 1), (stride, 1), padding=(d, 0), dilation=(d, 1))
            for w, d in zip(self.widths, _DILATIONS, strict=False)
        )
        self.mix_norm = BatchNorm(channels)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.out_norm = BatchNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the frames of x (n, o, T, V)."""
        branches = torch.cat(self._branches(x), dim=1)
        # Cloned, since autograd would keep the whole map of which it is a part.
        local, common = branches[..., :-1], branches[..., -1:].clone()
        x = torch.addcmul(local, common, self.global_scale.to(common.dtype))
        out: Tensor = self.out_norm(self.mix(self.mix_norm(x).relu_()))
        return out

    def _branches(self, x: Tensor) -> list[Tensor]:
        weight, bias = self.squeeze.weight, self.squeeze.get_parameter("bias")
        n = self.active
        # The convolution of a mean is the mean of the convolution.
        squeezed = _with_mean(functional.conv2d(x, weight[:n], bias[:n]))
        # The pointwise branch needs only the frames that remain.
        pointwise = functional.conv2d(x[:, :, :: self.stride], weight[n:], bias[n:])
        parts = self.squeeze_norm(squeezed).relu_().split(self.widths, dim=1)
        outputs = [conv(part) for conv, part in zip(self.dilated, parts, strict=False)]
        return [*outputs, pool_frames(parts[-1], self.stride), _with_mean(pointwise)]


def _with_mean(x: Tensor) -> Tensor:
    """The mean over the joints of x (n, c, T, V) as one more joint: (n, c, T, V + 1)."""
    # A sum has the smaller backward pass. Autocast makes it float32 on a GPU, and it is stored
    # channels first, which the whole would be too.
    mean = (x.sum(dim=3, keepdim=True) * (1 / x.shape[3])).to(x.dtype)
    return torch.cat([x, mean.contiguous(memory_format=torch.channels_last)], dim=3)
