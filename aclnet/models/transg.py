"""TranSG's skeleton graph transformer: attention among the joints of each frame.

Rao and Miao, "TranSG: transformer-based skeleton graph prototype contrastive learning with
structure-trajectory prompted reconstruction for person re-identification", CVPR 2023, after the
released code as `spec/reid.md` (b) describes it. There is no attention over time: a clip's feature
is the mean over its frames and joints. The objective is `aclnet.losses.transg`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.batch_norm import UntrackedBatchNorm
from aclnet.models.encoder import Encoder, EncoderOutput, reset_layers
from aclnet.models.settings import EncoderSettings, require_whole_heads

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

Matrix = npt.NDArray[np.float64]
Norm = Literal["batch", "layer", "frozen"]
"""batch: the usual batch normalisation; layer: over a joint's channels; frozen: as released, where
running averages were never updated, so that inference takes mean 0 and variance 1."""

# Bones of the papers' Kinect v2 graph that differ from our layout, which follows NTU RGB+D.
_FINGERS: Mapping[str, str] = MappingProxyType({"hand_tip": "hand", "thumb": "wrist"})
_SAME_EIGENVALUE = 1e-6
_SAME_LENGTH = 1e-6


class TransgSettings(EncoderSettings):
    """Settings of `TransgEncoder`; the defaults are the released code's, but for `norm`."""

    name: Literal["transg"] = "transg"
    width: int = Field(128, ge=1, le=16_384, description="channels of a joint's feature, D")
    heads: int = Field(
        8, ge=1, le=1_024, description="attention heads, each of width / heads channels"
    )
    layers: int = Field(2, ge=1, le=1_000, description="attention layers in a row")
    positions: int = Field(
        10, ge=1, le=10_000, description="Laplacian eigenvectors that encode the joint"
    )
    flip_signs: bool = Field(
        True,
        description="draw a sign for each eigenvector in each training step (released: not on "
        "KGBD and CASIA-B)",
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="after the attention and inside the FFN")
    norm: Norm = Field("batch", description="normalisation: batch, layer, or frozen as released")
    clip_scores: float | None = Field(
        5.0, gt=0, description="largest size of an attention score before the softmax; null: any"
    )
    attention_std: float = Field(
        1.0, gt=0, description="deviation of the initial weights of queries, keys and values"
    )

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        require_whole_heads(self.width, self.heads)
        return self

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder for this layout and these channels."""
        try:
            encoding = laplacian_encoding(joint_adjacency(layout), self.positions)
        except ValueError as error:
            raise ValueError(f"encoder.positions, layout {layout.name}: {error}") from None
        return TransgEncoder(self, torch.from_numpy(encoding).float(), channels, generator)


class TransgEncoder(Encoder):
    """Skeleton graph transformer.

    A joint's first feature is a two-layer embedding of its channels plus a linear one of its
    eigenvectors' entries. The attention layers follow each other without short cut or
    normalisation; the rest of a block (output map, short cut from the first feature, FFN) comes
    once, after the last, as in the released code (the paper draws a whole block a layer).

    Departures from the released code: the encoding's basis is the canonical one of
    `laplacian_encoding`, not a solver's; `norm` is the usual batch normalisation unless set to
    "frozen", with PyTorch's floor of the variance; linear layers other than queries, keys and
    values start as PyTorch's. One sign an eigenvector is drawn for a whole batch (on a rank), from
    the generator that dropout draws from, which the engine seeds in each step.

    Shapes: clips (N, M, T, V, C) to pooled (N, D), D = width; no graph. Frames without any joint
    count like others; absent persons do not.

    Args:
        settings: sizes.
        encoding: (V, K) float32 positional encoding; kept with the weights, since its basis is not
            unique where eigenvalues are repeated.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    encoding: Tensor
    has_map = True

    def __init__(
        self,
        settings: TransgSettings,
        encoding: Tensor,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(encoding.shape[0], channels)
        width = settings.width
        self.feature_dim, self.graph_dim = width, None
        self.flip_signs = settings.flip_signs
        self.register_buffer("encoding", encoding)
        self.embed = nn.Sequential(nn.Linear(channels, width), nn.ReLU(), nn.Linear(width, width))
        self.place = nn.Linear(encoding.shape[1], width)
        attention = [_JointAttention(settings) for _ in range(settings.layers)]
        self.attention = nn.ModuleList(attention)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(width, width)
        self.norm = _normalisation(settings.norm, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(2 * width, width),
        )
        self.last_norm = _normalisation(settings.norm, width)
        reset_layers(self, generator)
        for layer in attention:
            nn.init.normal_(layer.maps.weight, std=settings.attention_std, generator=generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        features = self.joint_features(clips)
        return self.mean_output(features.mean(dim=(1, 2)), clips, features.permute(0, 3, 1, 2))

    def joint_features(self, clips: Tensor) -> Tensor:
        """The feature of each joint in each frame, before pooling.

        Args:
            clips: (N, M, T, V, C).

        Returns:
            (N * M, T, V, D), the persons of one clip in successive rows.

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        self.check_clips(clips)
        bodies = clips.flatten(0, 1)  # (n, T, V, C)
        # All frames of all bodies at once: (n * T, V, D).
        first = self.embed(bodies.flatten(0, 1)) + self.place(self._signed_encoding())
        x = first
        for layer in self.attention:
            x = layer(x)
        x = self.norm((self.output(self.dropout(x)) + first).flatten(0, 1))
        x = self.last_norm(x + self.feed_forward(x))
        features: Tensor = x.view(*bodies.shape[:3], self.feature_dim)
        return features

    def _signed_encoding(self) -> Tensor:
        """The encoding (V, K), in training with a random sign for each column."""
        if not (self.training and self.flip_signs):
            return self.encoding
        upwards = torch.rand(self.encoding.shape[1], device=self.encoding.device) < 0.5
        return torch.where(upwards, self.encoding, -self.encoding)


class _JointAttention(nn.Module):
    """Attention of each joint to all joints of its frame; (B, V, D) to (B, V, D)."""

    def __init__(self, settings: TransgSettings) -> None:
        super().__init__()
        self.heads, self.limit = settings.heads, settings.clip_scores
        # Queries, keys and values of all heads in one product.
        self.maps = nn.Linear(settings.width, 3 * settings.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, V, D = x.shape
        maps = self.maps(x).view(B, V, 3, self.heads, D // self.heads)
        queries, keys, values = maps.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, V, d) each
        if self.limit is None:
            mixed = functional.scaled_dot_product_attention(queries, keys, values)
        else:
            # The fused kernels cannot limit scores.
            scores = (queries / math.sqrt(D // self.heads)) @ keys.transpose(2, 3)
            mixed = scores.clamp(-self.limit, self.limit).softmax(dim=3) @ values
        return mixed.transpose(1, 2).reshape(B, V, D)


def _normalisation(kind: Norm, width: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm1d(width)
    return nn.LayerNorm(width) if kind == "layer" else UntrackedBatchNorm(width)


def joint_adjacency(layout: Layout) -> Matrix:
    """The graph of Rao et al.'s papers: the layout's bones, fingers joined to hand or wrist.

    Returns:
        float64 (V, V) of 0 and 1, symmetric, its diagonal 0.
    """
    adjacency = np.zeros((layout.joint_count, layout.joint_count))
    for child, parent in layout.bones:
        side, _, kind = child.partition("_")
        hangs_on = f"{side}_{_FINGERS[kind]}" if kind in _FINGERS else parent
        ends = layout.index(child), layout.index(hangs_on)
        adjacency[ends] = adjacency[ends[::-1]] = 1.0
    return adjacency


def normalised_laplacian(adjacency: npt.ArrayLike) -> Matrix:
    """I - D^-1/2 A D^-1/2, D the diagonal matrix of the degrees; a node without edges keeps 1.

    Args:
        adjacency: (V, V) weights of the edges, symmetric, not negative.

    Returns:
        float64 (V, V), symmetric; its eigenvalues lie in 0..2.

    Raises:
        ValueError: the adjacency is not square, not symmetric, negative or not finite.

    >>> normalised_laplacian([[0, 1], [1, 0]]).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    edges = np.asarray(adjacency, dtype=np.float64)
    if edges.ndim != 2 or edges.shape[0] != edges.shape[1]:
        raise ValueError(f"an adjacency must be square, (V, V), got shape {edges.shape}")
    if not np.isfinite(edges).all() or (edges < 0).any() or not np.allclose(edges, edges.T):
        raise ValueError("an adjacency must be symmetric with finite weights of at least 0")
    degrees = edges.sum(axis=1)
    scale = 1.0 / np.sqrt(np.where(degrees > 0, degrees, 1.0))
    laplacian: Matrix = np.eye(len(edges)) - scale[:, None] * edges * scale
    return laplacian


def laplacian_encoding(adjacency: npt.ArrayLike, count: int) -> Matrix:
    """The positional encoding of a graph's nodes: eigenvectors 1..count of its Laplacian.

    Dwivedi and Bresson 2021 ("A generalization of transformer networks to graphs"), as TranSG
    (Rao and Miao 2023) uses it: ascending eigenvalues, the first (constant) eigenvector dropped.
    An eigenvector's sign is free, and so is the whole basis where an eigenvalue is repeated, as in
    every skeleton with equal limbs. TranSG takes what its solver returns (on CASIA-B's 14 joints
    the same column twice, the real part of a complex pair); here the basis is chosen from the
    eigenspace alone, so that machines agree (`_canonical_basis`).

    Args:
        adjacency: (V, V) weights of the edges, symmetric, not negative.
        count: K, number of eigenvectors, 1 to V - 1.

    Returns:
        float64 (V, K), orthonormal columns.

    Raises:
        ValueError: the adjacency is not symmetric, or has not so many eigenvectors.

    >>> laplacian_encoding([[0, 1, 0], [1, 0, 1], [0, 1, 0]], 1).round(3).tolist()
    [[0.707], [0.0], [-0.707]]
    """
    laplacian = normalised_laplacian(adjacency)
    if not 1 <= count < len(laplacian):
        raise ValueError(
            f"a graph of {len(laplacian)} nodes has {len(laplacian) - 1} eigenvectors after the "
            f"first, but got {count}: give 1 to {len(laplacian) - 1}"
        )
    values, vectors = np.linalg.eigh(laplacian)
    groups = np.split(vectors, np.flatnonzero(np.diff(values) > _SAME_EIGENVALUE) + 1, axis=1)
    basis = np.concatenate([_canonical_basis(group) for group in groups], axis=1)
    # Adding 0 turns -0.0 into 0.0.
    encoding: Matrix = basis[:, 1 : count + 1] + 0.0
    return encoding


def _canonical_basis(vectors: Matrix) -> Matrix:
    """An orthonormal basis of the span of `vectors` (V, E) that depends on the span alone.

    Gram-Schmidt over the projections of the nodes' unit vectors, always the longest remaining one,
    of equally long ones the first. A basis vector is thus positive at the node that it came from.
    """
    left = vectors @ vectors.T
    taken = []
    for _ in range(vectors.shape[1]):
        lengths = np.linalg.norm(left, axis=0)
        node = int(np.flatnonzero(lengths >= lengths.max() - _SAME_LENGTH)[0])
        axis = left[:, node] / lengths[node]
        taken.append(axis)
        left = left - np.outer(axis, axis @ left)
    return np.stack(taken, axis=1)
