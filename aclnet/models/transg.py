"""TranSG's skeleton graph transformer: attention among the joints of each frame.

Rao and Miao, "TranSG: transformer-based skeleton graph prototype contrastive learning with
structure-trajectory prompted reconstruction for person re-identification", CVPR 2023, after the
released code as `spec/reid.md` (b) describes it. There is no attention over time: a clip is the
mean of its frames, a frame the mean of its joints. The objective is `aclnet.losses.transg`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import Encoder, EncoderOutput, EncoderSettings
from aclnet.models.initialise import reset_layers
from aclnet.models.laplacian import laplacian_encoding
from aclnet.models.persons import mean_over_persons, person_weights
from aclnet.skeleton.parts import joint_adjacency

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

Norm = Literal["batch", "layer", "frozen"]
"""batch: the usual batch normalisation; layer: over a joint's channels; frozen: as released, where
running averages were never updated, so that inference takes mean 0 and variance 1."""


class TransgSettings(EncoderSettings):
    """Settings of `TransgEncoder`; the defaults are the released code's, but for `norm`."""

    name: Literal["transg"] = "transg"
    width: int = Field(128, ge=1, description="channels of a joint's feature, D")
    heads: int = Field(8, ge=1, description="attention heads, each of width / heads channels")
    layers: int = Field(2, ge=1, description="attention layers in a row")
    positions: int = Field(10, ge=1, description="Laplacian eigenvectors that say where a joint is")
    flip_signs: bool = Field(
        True,
        description="a random sign for each eigenvector in each training step (released: not on "
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
        if self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of heads, got width {self.width} and heads {self.heads}"
            )
        return self

    def build(
        self, layout: Layout, channels: int, generator: torch.Generator | None = None
    ) -> TransgEncoder:
        """Make the encoder for this layout and these channels."""
        try:
            encoding = laplacian_encoding(joint_adjacency(layout), self.positions)
        except ValueError as error:
            raise ValueError(f"encoder.positions, layout {layout.name}: {error}") from None
        return TransgEncoder(self, torch.from_numpy(encoding).float(), channels, generator)


class TransgEncoder(Encoder):
    """Skeleton graph transformer.

    A joint's first feature is a two-layer embedding of its channels plus a linear one of its
    eigenvectors' entries. The attention layers follow each other without short cut or
    normalisation; what comes after them (output map, short cut from the first feature, FFN) stands
    once, behind the last, as in the released code (the paper draws a whole block a layer).

    Departures from the released code: the encoding's basis is the canonical one of
    `aclnet.models.laplacian`, not a solver's; `norm` is the usual batch normalisation unless set to
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
        pooled = self.joint_features(clips).mean(dim=(1, 2))
        return EncoderOutput(mean_over_persons(pooled, person_weights(clips)), None)

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
            # The fused kernels know no limit.
            scores = (queries / math.sqrt(D // self.heads)) @ keys.transpose(2, 3)
            mixed = scores.clamp(-self.limit, self.limit).softmax(dim=3) @ values
        return mixed.transpose(1, 2).reshape(B, V, D)


class _UntrackedBatchNorm(nn.Module):
    """Batch normalisation whose running averages stay at mean 0, variance 1; (rows, D).

    In training it divides by the batch's deviation, in evaluation it does not.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return functional.batch_norm(x, None, None, self.weight, self.bias, training=True)
        return x * self.weight + self.bias


def _normalisation(kind: Norm, width: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm1d(width)
    return nn.LayerNorm(width) if kind == "layer" else _UntrackedBatchNorm(width)
