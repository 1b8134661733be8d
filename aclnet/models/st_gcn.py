"""ST-GCN: graph convolution over joints, then convolution over frames, block by block.

Yan et al., "Spatial temporal graph convolutional networks for skeleton-based action recognition",
AAAI 2018. Features are (V, c, T, n) in channels-last memory, that is joint by joint, then frame by
frame, with the n = N * M bodies in a row: one matrix product mixes all joints, another the
channels, and the convolution over frames finds its input in order. On one CPU thread a training
step takes about a quarter less time than in (n, c, T, V).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import AbsentPersons, EncoderOutput
from aclnet.models.graph import centre_partition, hop_adjacency
from aclnet.models.settings import OddKernel
from aclnet.models.stages import BlockSize, StagedEncoder, StagedSettings, block_short_cut

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

Partition = Literal["uniform", "distance", "spatial", "spatial_released"]
"""How a joint's neighbours share weights: all alike, by hop distance, by the way to the centre (of
the whole skeleton, or as the authors' code finds it: see `centre_partition`)."""


class StGcnSettings(StagedSettings):
    """Settings of `StGcn`; the defaults are the ten blocks of the authors' code."""

    name: Literal["st_gcn"] = "st_gcn"
    partition: Partition = Field("spatial", description="which neighbours share their weights")
    kernel: OddKernel = Field(9, description="frames that a convolution sees; odd")
    edge_importance: bool = Field(True, description="learn a weight for each entry of the graph")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of each body's channels dropped at the end of a block"
    )
    dropout_of: Literal["channels", "values"] = Field(
        "channels", description="whole channels, or single values and none in the first block"
    )
    absent_persons: AbsentPersons = Field(
        "ignore", description="whether zero-padded persons count in the mean over persons"
    )

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> StGcn:
        """Build the encoder for this layout and these channels."""
        return StGcn(self, skeleton_graph(layout, self.partition), channels, generator)


def skeleton_graph(layout: Layout, partition: Partition) -> npt.NDArray[np.float64]:
    """The normalised adjacency of a layout's bones: (K, V, V), K = 1, 2 or 3."""
    joints, bones = layout.joint_count, layout.bone_index
    if partition in ("spatial", "spatial_released"):
        released = partition == "spatial_released"
        return centre_partition(joints, bones, layout.centre_index, released=released)
    by_distance = hop_adjacency(joints, bones, 1)
    return by_distance.sum(axis=0, keepdims=True) if partition == "uniform" else by_distance


class StGcn(StagedEncoder):
    """Spatial temporal graph convolutional network.

    By default absent persons do not count in the mean over persons (in the authors' code they do),
    and dropout takes whole channels of a body instead of single values, since neighbouring frames
    are too similar for single values to matter (and drawing them costs as much as the convolution).
    Departure: PyTorch's usual initial weights (there all are normal with deviation 0.02).

    Shapes: clips (N, M, T, V, C) to pooled (N, D) and map (N, M, D, T', V), D = the last block's
    channels; no graph.

    Args:
        settings: sizes.
        graph: (K, V, V) adjacency; entry [k, v, w] is what joint w takes from joint v.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    adjacency: Tensor
    has_map = True

    def __init__(
        self,
        settings: StGcnSettings,
        graph: npt.NDArray[np.float64],
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        blocks = (_Block(settings, size, graph.shape) for size in settings.block_sizes(channels))
        super().__init__(graph.shape[-1], channels, settings, blocks, generator)
        self.absent_persons = settings.absent_persons
        # Not saved: it follows from the layout.
        self.register_buffer("adjacency", torch.from_numpy(graph).float(), persistent=False)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        x = self.normalised(clips)
        x = x.permute(2, 3, 1, 0).contiguous(memory_format=torch.channels_last)  # (V, C, T, n)
        stages = []
        for number, block in enumerate(self.blocks, 1):
            x = block(x, self.adjacency)
            if self.ends_stage(number):
                stages.append(x.permute(3, 1, 2, 0))
        by_body = x.permute(3, 1, 2, 0)
        return self.mean_output(x.mean(dim=(0, 2)).t(), clips, by_body, stages=stages)


class _Block(nn.Module):
    """Graph convolution, temporal convolution, short cut; (V, c, T, n) to (V, o, T / stride, n)."""

    def __init__(
        self, settings: StGcnSettings, size: BlockSize, graph_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        channels, kernel = size.out_channels, settings.kernel
        self.by_values = settings.dropout_of == "values"
        self.dropout = 0.0 if self.by_values and size.is_first else settings.dropout
        self.edge = nn.Parameter(torch.ones(graph_shape)) if settings.edge_importance else None
        self.graph = _GraphConv(size.in_channels, channels, graph_shape[0])
        self.graph_norm = nn.BatchNorm2d(channels)
        self.temporal = nn.Conv2d(
            channels, channels, (kernel, 1), (size.stride, 1), (kernel // 2, 0)
        )
        self.temporal_norm = nn.BatchNorm2d(channels)
        self.short_cut = block_short_cut(size)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        graph = adjacency if self.edge is None else adjacency * self.edge
        mixed = self.graph_norm(self.graph(x, graph)).relu_()
        out: Tensor = self.temporal_norm(self.temporal(mixed))
        if self.training and self.dropout > 0:
            kept = out if self.by_values else out.new_ones(1, out.shape[1], 1, out.shape[3])
            dropped = functional.dropout(kept, self.dropout)
            out = dropped if self.by_values else out * dropped
        if self.short_cut is not None:
            out = out + self.short_cut(x)
        return out.relu_()


class _GraphConv(nn.Module):
    """One pointwise convolution for each of K graphs, summed; (V, c, T, n) to (V, o, T, n).

    out[w] = sum over k and v of graph[k, v, w] (W[k] x[v] + b[k]), joints first: the products
    with the graphs then run over c and not over K * o channels. The bias is added afterwards,
    weighted by the sum of each joint's entries.
    """

    def __init__(self, in_channels: int, out_channels: int, subsets: int) -> None:
        super().__init__()
        self.mix = nn.Linear(in_channels, subsets * out_channels)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        V, c, T, n = x.shape
        joints = x.permute(0, 2, 3, 1).reshape(V, -1)  # (V, T * n * c), no copy
        taken = [(part.t() @ joints).view(-1, c) for part in graph]  # K times (V * T * n, c)
        # Autocast converts products, but not those added in place: the factors are converted here.
        factors = self.mix.weight.view(len(taken), -1, c).transpose(1, 2).to(taken[0].dtype)
        out = taken[0] @ factors[0]
        for rows, factor in zip(taken[1:], factors[1:], strict=True):
            out.addmm_(rows, factor)  # a sum of new tensors would cost a pass over each
        shift = graph.sum(dim=1).t() @ self.mix.bias.view(len(taken), -1)  # (V, o)
        summed: Tensor = out.view(V, T * n, -1) + shift.unsqueeze(1).to(out.dtype)
        return summed.view(V, T, n, -1).permute(0, 3, 1, 2)
