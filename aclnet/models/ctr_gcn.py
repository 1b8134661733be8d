"""CTR-GCN: each channel refines the skeleton's topology by itself.

Chen et al., "Channel-wise topology refinement graph convolution for skeleton-based action
recognition", ICCV 2021, as released, in an equivalent form that takes less time: the relation
features are taken of the mean over time (it commutes with a pointwise convolution), and the three
subsets share one convolution and one batched matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import EncoderOutput
from aclnet.models.graph import directed_adjacency
from aclnet.models.settings import Dilation, OddKernel
from aclnet.models.stages import (
    BlockSize,
    StagedEncoder,
    StagedSettings,
    block_short_cut,
    short_cut,
)

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

_SMALL_START = 1e-6  # of a graph unit's last normalisation: it begins as its short cut


class CtrGcnSettings(StagedSettings):
    """Settings of `CtrGcn`; the defaults are the authors' ten blocks."""

    name: Literal["ctr_gcn"] = "ctr_gcn"
    reduction: int = Field(
        8, ge=1, le=16_384, description="input channels for each channel of the relations"
    )
    kernel: OddKernel = Field(5, description="frames that a dilated convolution sees; odd")
    dilations: tuple[Dilation, ...] = Field(
        (1, 2), min_length=1, description="of the temporal unit's convolutions, one per branch"
    )

    @model_validator(mode="after")
    def _a_channel_each(self) -> Self:
        if len(self.dilations) + 2 > self.width:
            raise ValueError(
                f"dilations may be at most {self.width - 2} for a width of {self.width}, got "
                f"{len(self.dilations)}: each branch over time needs a channel"
            )
        return self

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> CtrGcn:
        """Build the encoder for this layout and these channels."""
        graph = directed_adjacency(layout.joint_count, layout.bone_index)
        return CtrGcn(self, graph, channels, generator)


class CtrGcn(StagedEncoder):
    """Channel-wise topology refinement network.

    Absent persons do not count in the mean over persons (in the authors' code they do).
    Departures: the input normalisation is the same for all persons (there each person of a clip
    has its own, which makes their order matter), and PyTorch's usual initial weights (there normal
    by fan-out, and drawn around one for the temporal normalisations). The first block's relations
    have width / `reduction` channels, 8 by default, as released.

    Shapes: clips (N, M, T, V, C) to pooled (N, D), D = the last block's channels, and, where it is
    kept, graph (N, 3 * V * V): what the last block adds to its topology, before the scale, averaged
    over its channels.

    Args:
        settings: sizes.
        graph: (3, V, V) topology to start from; entry [k, v, w] is what joint w takes from v.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    has_map = True

    def __init__(
        self,
        settings: CtrGcnSettings,
        graph: npt.NDArray[np.float64],
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        blocks = (_Block(settings, size, graph) for size in settings.block_sizes(channels))
        super().__init__(graph.shape[-1], channels, settings, blocks, generator)
        self.graph_dim = graph.size

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        x = self.normalised(clips).permute(0, 3, 1, 2).contiguous()  # (n, C, T, V)
        graph, stages, last = None, [], cast(_Block, self.blocks[-1])
        for number, block in enumerate(self.blocks, 1):
            if block is last and "graph" in self.kept:
                graph = last.graph.mean_graph(x)
            x = block(x)
            if self.ends_stage(number):
                stages.append(x)
        return self.mean_output(x.mean(dim=(2, 3)), clips, x, graph, stages)


class RefinedGraphConv(nn.Module):
    """Graph convolution whose graph differs from clip to clip and channel to channel.

    With A[k] the learned topology of subset k, r and q two relation features (means over time) and
    a one learned scalar for all subsets, which starts at zero, the graph of each channel is

        A[k] + a * (W[k] tanh(r[w] - q[v]) + b[k])

    from joint v to joint w, and the output relu(BN(sum over k of features[k] graph[k]) + short
    cut). Chen et al. 2021, Eq. 4-8.

    Shapes: (n, c, T, V) to (n, o, T, V).

    Args:
        in_channels: c.
        out_channels: o.
        relations: channels of the relations.
        graph: (3, V, V) topology to start from; each unit learns its own.
    """

    def __init__(
        self, in_channels: int, out_channels: int, relations: int, graph: npt.NDArray[np.float64]
    ) -> None:
        super().__init__()
        subsets = len(graph)
        self.sizes = (subsets, out_channels)
        self.topology = nn.Parameter(torch.from_numpy(graph).float())
        self.scale = nn.Parameter(torch.zeros(()))
        self.relate = nn.Conv1d(in_channels, 2 * subsets * relations, 1)
        self.refine = nn.Linear(relations, subsets * out_channels)
        self.enter = nn.Conv2d(in_channels, subsets * out_channels, 1)
        self.norm = nn.BatchNorm2d(out_channels)
        nn.init.constant_(self.norm.weight, _SMALL_START)
        self.short_cut = short_cut(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the joints of x (n, c, T, V)."""
        n, _, T, V = x.shape
        features = self.enter(x).view(-1, T, V)  # (n * 3 * o, T, V)
        mixed = torch.bmm(features, self._graph(x).reshape(-1, V, V))
        summed = mixed.view(n, *self.sizes, T, V).sum(dim=1)
        out: Tensor = self.norm(summed) + self.short_cut(x)
        return out.relu_()

    def mean_graph(self, x: Tensor) -> Tensor:
        """The refinement W tanh(...) + b for x (n, c, T, V), mean over channels: (n, 3 * V * V)."""
        weight = self.refine.weight.view(*self.sizes, -1).mean(dim=1, keepdim=True)  # (3, 1, r)
        shift = self.refine.bias.view(*self.sizes).mean(dim=1)[:, None, None]
        return (weight @ self._relations(x) + shift).flatten(1)

    def _relations(self, x: Tensor) -> Tensor:
        """The relations (n, 3, r, V * V), from the first joint of each pair to the second."""
        related = self.relate(x.mean(dim=2)).unflatten(1, (2, self.sizes[0], -1))
        targets, sources = related.unbind(1)  # (n, 3, r, V)
        return torch.tanh(targets.unsqueeze(-2) - sources.unsqueeze(-1)).flatten(3)

    def _graph(self, x: Tensor) -> Tensor:
        """The refined graph (n, 3, o, V * V), from the first joint of each pair to the second."""
        relations = self._relations(x)
        weight = self.scale * self.refine.weight.view(*self.sizes, -1)  # (3, o, r)
        shift = self.scale * self.refine.bias.view(*self.sizes, 1)
        whole: Tensor = weight @ relations + (shift + self.topology.flatten(1).unsqueeze(1))
        return whole


class _Block(nn.Module):
    """Graph unit, temporal unit and short cut; (n, c, T, V) to (n, o, ceil(T / stride), V)."""

    def __init__(
        self, settings: CtrGcnSettings, size: BlockSize, graph: npt.NDArray[np.float64]
    ) -> None:
        super().__init__()
        entering = size.out_channels if size.is_first else size.in_channels
        relations = max(1, entering // settings.reduction)
        channels = size.out_channels
        self.graph = RefinedGraphConv(size.in_channels, channels, relations, graph)
        self.temporal = MultiScaleUnit(channels, settings.kernel, settings.dilations, size.stride)
        self.short_cut = block_short_cut(size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.temporal(self.graph(x))
        if self.short_cut is not None:
            out = out + self.short_cut(x)
        return out.relu_()


class MultiScaleUnit(nn.Module):
    """A dilated convolution for each dilation, a maximum and a pointwise branch over the frames.

    Chen et al. 2021, section 3.4 (after Liu et al. 2020, MS-G3D), as released, in an equivalent
    form that takes less time: the branches' entries are one convolution and one normalisation,
    since both act on each channel by itself.

    Each branch but the pointwise one starts with a pointwise convolution, normalisation and ReLU;
    all end in a normalisation, and their channels are concatenated.

    Shapes: (n, o, T, V) to (n, o, ceil(T / stride), V).

    Args:
        channels: o, at least one a branch; the first branch takes the remainder of the division.
        kernel: frames that a dilated convolution sees; odd.
        dilations: one a branch.
        stride: frames a step.
    """

    def __init__(
        self, channels: int, kernel: int, dilations: Sequence[int], stride: int = 1
    ) -> None:
        super().__init__()
        branches = len(dilations) + 2
        width = channels // branches
        self.stride = stride
        self.active = channels - width  # channels of all branches but the pointwise one
        self.widths = [channels - (branches - 1) * width] + [width] * (branches - 2)
        self.enter = nn.Conv2d(channels, channels, 1)
        self.enter_norm = nn.BatchNorm2d(self.active)
        self.dilated = nn.ModuleList(
            nn.Conv2d(w, w, (kernel, 1), (stride, 1), (kernel // 2 * d, 0), (d, 1))
            for w, d in zip(self.widths, dilations, strict=False)
        )
        self.out_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the frames of x (n, o, T, V)."""
        weight, bias = self.enter.weight, self.enter.get_parameter("bias")
        n = self.active
        entered = self.enter_norm(functional.conv2d(x, weight[:n], bias[:n])).relu_()
        # The pointwise branch needs only the frames that remain.
        pointwise = functional.conv2d(x[:, :, :: self.stride], weight[n:], bias[n:])
        parts = entered.split(self.widths, dim=1)
        outputs = [conv(part) for conv, part in zip(self.dilated, parts, strict=False)]
        outputs.append(functional.max_pool2d(parts[-1], (3, 1), (self.stride, 1), (1, 0)))
        out: Tensor = self.out_norm(torch.cat([*outputs, pointwise], dim=1))
        return out
