"""GaitGraph's encoder: residual graph convolutions with bottlenecks.

Song et al. 2020, "Stronger, faster and more explainable: a graph convolutional baseline for
skeleton-based action recognition" (ResGCN), in the sizes of GaitGraph (Teepe et al. 2021) and
GaitGraph2 (Teepe et al. 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import (
    Encoder,
    EncoderOutput,
    by_person,
    mean_over_persons,
    person_weights,
)
from aclnet.models.graph import hop_adjacency
from aclnet.models.settings import EncoderSettings
from aclnet.models.stages import short_cut

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

GAITGRAPH_EDGES: tuple[tuple[str, str], ...] = (
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
    ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"),
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
"""GaitGraph's graph of the COCO joints; not a tree: ears join shoulders, the trunk is a ring."""

_HOPS = 3  # hop distances 0, 1 and 2 are convolved
_MAX_HOP = 3  # the normalisation counts joint pairs up to here, though `_HOPS` slices are used
_WINDOW = 9  # frames
_LINEAR_STD = 0.001
_INPUT_WIDTHS = (64, 32)
_MAIN_WIDTHS = (128, 256)
_MODULES: Mapping[str, tuple[int, int, int]] = {
    # bottlenecks at the widths 64, 128 and 256; one more leads from 64 to 32 channels
    "n21": (0, 1, 1),
    "n39": (1, 2, 2),
    "n51": (1, 3, 3),
}


class ResGcnSettings(EncoderSettings):
    """Settings of `ResGcn`; the defaults are GaitGraph's resgcn-n39-r8."""

    name: Literal["resgcn"] = "resgcn"
    depth: Literal["n21", "n39", "n51"] = Field("n39", description="number of layers")
    reduction: Literal[1, 2, 4, 8] = Field(8, description="how far a bottleneck narrows (r8: 8)")
    branches: int = Field(
        1,
        ge=1,
        le=1_000,
        description="input branches that share the channels evenly, one after the other",
    )
    graph: Literal["gaitgraph", "bones"] = Field(
        "gaitgraph", description="GaitGraph's 18 edges of the COCO joints, or the layout's bones"
    )
    embedding_dim: int | None = Field(
        128, ge=1, le=16_384, description="width of the last linear layer; null: leave it out (256)"
    )
    unit_length: bool = Field(True, description="scale each representation to length one")

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> ResGcn:
        """Build the encoder for this layout and these channels.

        Raises:
            ValueError: the layout lacks a COCO joint that GaitGraph's graph needs or has others,
                or the branches do not share the channels evenly.
        """
        edges = layout.bone_index if self.graph == "bones" else gaitgraph_edges(layout)
        return ResGcn(self, layout.joint_count, channels, edges, generator)


def gaitgraph_edges(layout: Layout) -> npt.NDArray[np.int64]:
    """GaitGraph's edges as joint indices of a layout: int64 (18, 2).

    Raises:
        ValueError: the layout's joints are not the 17 of COCO (in any order).
    """
    places = {joint: layout.find(joint) for edge in GAITGRAPH_EDGES for joint in edge}
    if len(places) != layout.joint_count or None in places.values():
        raise ValueError(
            f"graph 'gaitgraph' needs the 17 COCO joints, but layout {layout.name} has "
            f"{', '.join(layout.joints)}; set graph to 'bones' or map the data to coco17"
        )
    return np.array([[places[a], places[b]] for a, b in GAITGRAPH_EDGES], dtype=np.int64)


class ResGcn(Encoder):
    """Residual graph convolutional network over the first three hop distances of a graph.

    Each input branch is normalised and widened by itself; the branches are joined, halved in time
    twice, averaged over frames and joints, then over the persons present, and passed through a
    linear layer. GaitGraph's clips hold one person; for one person the results are equal.

    Departure: each module has edge weights only for the hops in use (the originals also hold those
    of a hop that is never read).

    Shapes: clips (N, M, T, V, C) to pooled (N, D) and, without linear layer and unit length, map
    (N, M, D, T', V); no graph.

    Args:
        settings: sizes.
        joint_count: V.
        channels: C.
        edges: int64 (E, 2) pairs of joints, undirected; they need not form a tree.
        generator: source of the initial weights; None: torch's default generator.

    Raises:
        ValueError: the branches do not share the channels evenly, or edges outside V.
    """

    adjacency: Tensor

    def __init__(
        self,
        settings: ResGcnSettings,
        joint_count: int,
        channels: int,
        edges: npt.NDArray[np.int64],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(joint_count, channels)
        if channels % settings.branches:
            raise ValueError(
                f"the {settings.branches} input branches must share the channels evenly, "
                f"got {channels} channels"
            )
        self.unit_length = settings.unit_length
        self.has_map = settings.embedding_dim is None and not settings.unit_length
        self.branches = settings.branches
        adjacency = hop_adjacency(joint_count, edges, _MAX_HOP)[:_HOPS]
        # Not saved: it follows from the layout.
        self.register_buffer("adjacency", torch.from_numpy(adjacency).float(), persistent=False)
        shape = (_HOPS, joint_count, joint_count)
        self.input_branches = nn.ModuleList(
            _InputBranch(channels // settings.branches, settings, shape)
            for _ in range(settings.branches)
        )
        self.main_stream = nn.ModuleList()
        before = _INPUT_WIDTHS[1] * settings.branches
        for width, count in zip(_MAIN_WIDTHS, _MODULES[settings.depth][1:], strict=True):
            for index in range(count):
                stride = 2 if index == 0 else 1
                self.main_stream.append(
                    ResGcnModule(before, width, shape, stride, settings.reduction)
                )
                before = width
        self.feature_dim = settings.embedding_dim or before
        self.graph_dim = None
        self.fcn = nn.Linear(before, self.feature_dim) if settings.embedding_dim else nn.Identity()
        reset_resgcn(self, generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        self.check_clips(clips)
        x = clips.flatten(0, 1).permute(0, 3, 1, 2)  # (N*M, C, T, V)
        parts = [
            branch(part, self.adjacency)
            for branch, part in zip(self.input_branches, x.chunk(self.branches, dim=1), strict=True)
        ]
        x = torch.cat(parts, dim=1)
        for module in self.main_stream:
            x = module(x, self.adjacency)
        pooled = self.fcn(mean_over_persons(x.mean(dim=(2, 3)), person_weights(clips)))
        if self.unit_length:
            pooled = functional.normalize(pooled, dim=1)
        return EncoderOutput(pooled, None, by_person(x, clips) if self.has_map else None)


class _InputBranch(nn.Module):
    """Normalise the channels and widen them; (n, c, T, V) to (n, 32, T, V)."""

    def __init__(
        self, channels: int, settings: ResGcnSettings, edge_shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        wide, narrow = _INPUT_WIDTHS
        reduction = settings.reduction
        self.bn = nn.BatchNorm2d(channels)
        self.layers = nn.ModuleList([ResGcnModule(channels, wide, edge_shape, 1, None)])
        for _ in range(_MODULES[settings.depth][0]):
            self.layers.append(ResGcnModule(wide, wide, edge_shape, 1, reduction))
        self.layers.append(ResGcnModule(wide, narrow, edge_shape, 1, reduction))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        x = self.bn(x)
        for layer in self.layers:
            x = layer(x, adjacency)
        return x


class ResGcnModule(nn.Module):
    """Spatial block, then temporal block; (n, c, T, V) to (n, o, ceil(T / stride), V).

    Attribute names are those of published checkpoints: `scn` is the spatial block, `tcn` the
    temporal one, `edge` the learned weight of each entry of the adjacency.

    Args:
        in_channels: c.
        out_channels: o.
        edge_shape: (hops, V, V).
        stride: frames a step.
        reduction: how far the bottlenecks narrow; None: plain blocks without short cut.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_shape: tuple[int, int, int],
        stride: int,
        reduction: int | None,
    ) -> None:
        super().__init__()
        self.scn: nn.Module
        self.tcn: nn.Module
        if reduction is None:
            self.scn = _Basic(_HopConv(in_channels, out_channels), out_channels)
            self.tcn = _Basic(_over_time(out_channels, stride), out_channels)
        else:
            inner = out_channels // reduction
            self.scn = _Bottleneck(_HopConv(inner, inner), in_channels, out_channels, inner)
            over_time = _over_time(inner, stride)
            self.tcn = _Bottleneck(over_time, out_channels, out_channels, inner, stride)
        self.edge = nn.Parameter(torch.ones(edge_shape))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Features x (n, c, T, V) over the graph adjacency (hops, V, V)."""
        out: Tensor = self.tcn(self.scn(x, adjacency * self.edge))
        return out


class _HopConv(nn.Module):
    """Sum of one pointwise convolution a hop distance, each over its own adjacency."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.gcn = nn.Conv2d(in_channels, out_channels * _HOPS, 1)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        by_hop = self.gcn(x).unflatten(1, (_HOPS, -1))
        return torch.einsum("nkctv,kvw->nctw", by_hop, graph)


class _Basic(nn.Module):
    """A convolution over joints or frames, without short cut."""

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, *graph: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x, *graph)))


class _Bottleneck(nn.Module):
    """A convolution over joints or frames in fewer channels, with a short cut."""

    def __init__(
        self, conv: nn.Module, in_channels: int, out_channels: int, inner: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.residual = short_cut(in_channels, out_channels, stride)
        self.conv_down = nn.Conv2d(in_channels, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = conv
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, out_channels, 1)
        self.bn_up = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, *graph: Tensor) -> Tensor:
        narrow = torch.relu(self.bn_down(self.conv_down(x)))
        narrow = torch.relu(self.bn(self.conv(narrow, *graph)))
        return torch.relu(self.bn_up(self.conv_up(narrow)) + self.residual(x))


def _over_time(channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, (_WINDOW, 1), (stride, 1), (_WINDOW // 2, 0))


def reset_resgcn(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw GaitGraph's initial weights for everything below `module`.

    Convolutions: normal with variance 2 / fan-out (He et al. 2015), bias zero; linear layers:
    normal with deviation 0.001, bias zero; the last normalisation of each bottleneck starts at
    zero, so that it begins as its short cut.

    Args:
        module: changed in place, in the order of definition.
        generator: source of the draws, on the parameters' device; None: torch's default generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels * math.prod(layer.kernel_size)
            nn.init.normal_(layer.weight, std=math.sqrt(2.0 / fan_out), generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=_LINEAR_STD, generator=generator)
        elif isinstance(layer, _Bottleneck):
            nn.init.zeros_(layer.bn_up.weight)
            continue
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
