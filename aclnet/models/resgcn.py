"""GaitGraph's encoder: residual graph convolutions with bottlenecks.

Song et al. 2020, "Stronger, faster and more explainable: a graph convolutional baseline for
skeleton-based action recognition" (ResGCN), in the sizes of GaitGraph (Teepe et al. 2021) and
GaitGraph2 (Teepe et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import Encoder, EncoderOutput, EncoderSettings
from aclnet.models.graph import hop_adjacency
from aclnet.models.persons import mean_over_persons, person_weights
from aclnet.models.resgcn_blocks import HOPS, ResGcnModule, reset_resgcn

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
"""GaitGraph's graph of the COCO joints: not a tree, ears hang on shoulders, the trunk is a ring."""

_MAX_HOP = 3  # the normaliser counts joint pairs up to here, though only `HOPS` slices are used
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
        1, ge=1, description="input branches that share the channels evenly, one after the other"
    )
    graph: Literal["gaitgraph", "bones"] = Field(
        "gaitgraph", description="GaitGraph's 18 edges of the COCO joints, or the layout's bones"
    )
    embedding_dim: int | None = Field(
        128, ge=1, description="width of the last linear layer; null: leave it out (256)"
    )
    unit_length: bool = Field(True, description="scale each representation to length one")

    def build(
        self, layout: Layout, channels: int, generator: torch.Generator | None = None
    ) -> ResGcn:
        """Make the encoder for this layout and these channels.

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
    twice, averaged over frames and joints, then over the persons that are there, and led through a
    linear layer. GaitGraph's clips hold one person; with one the result is theirs.

    Departure: each module's edge weights are kept for the hops in use only (the originals also
    hold those of a hop that is never read).

    Shapes: clips (N, M, T, V, C) to pooled (N, D); no graph.

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
        self.branches = settings.branches
        adjacency = hop_adjacency(joint_count, edges, _MAX_HOP)[:HOPS]
        self.register_buffer(
            "adjacency", torch.from_numpy(adjacency).float(), persistent=False
        )  # it follows from the layout
        shape = (HOPS, joint_count, joint_count)
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
        return EncoderOutput(pooled, None)


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


def import_gaitgraph(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a GaitGraph or GaitGraph2 checkpoint under this encoder's names.

    The names are the same; the adjacency is left out (it follows from the graph), and so are the
    edge weights of the hop that the originals never read.

    Args:
        state: names of the original ResGCN, such as `main_stream.0.edge` and `fcn.weight`.

    Returns:
        What `ResGcn.load_state_dict` takes.
    """
    return {
        key: tensor[:HOPS] if key.endswith(".edge") else tensor
        for key, tensor in state.items()
        if key != "A" and not key.endswith(".A")
    }
