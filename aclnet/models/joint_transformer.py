"""A transformer of joints: attention among all joints and all short segments of a person's clip.

The encoder of Mao et al., "Masked motion predictors are strong 3D action representation learners"
(MAMP), ICCV 2023: a token is one joint during one segment, the embedding of its channels in the
segment's frames plus learned positions of the joint and of the segment. The blocks, with
normalisation first, are those of Dosovitskiy et al. 2021. The objective is
`aclnet.pretraining.masked`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import Encoder, EncoderOutput, reset_layers
from aclnet.models.settings import EncoderSettings, require_whole_heads

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

_POSITION_STD = 0.02
_EXPANSION = 4  # width of the hidden layer of a block's perceptron, in widths


class JointTransformerSettings(EncoderSettings):
    """Settings of `JointTransformer`; the defaults are the published ones."""

    name: Literal["joint_transformer"] = "joint_transformer"
    width: int = Field(256, ge=1, le=16_384, description="channels of a token, D")
    blocks: int = Field(8, ge=1, le=1_000, description="attention blocks")
    heads: int = Field(
        8, ge=1, le=1_024, description="attention heads, each of width / heads channels"
    )
    segment: int = Field(4, ge=1, le=10_000, description="frames of a token")
    positions: int = Field(
        30,
        ge=1,
        le=10_000,
        description="learned positions in time; clips of other numbers of segments interpolate",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="after the attention and in the perceptron")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        require_whole_heads(self.width, self.heads)
        return self

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder for this layout and these channels."""
        return JointTransformer(self, layout.joint_count, channels, generator)


class JointTransformer(Encoder):
    """Transformer of tokens of one joint and one segment each.

    Each person is a sequence of its own; absent persons do not count in the mean over persons. The
    last segment is filled up with the last frame. There is no batch normalisation: clips should be
    of about unit size (`clip.normalise.scale`).

    Shapes: clips (N, M, T, V, C) to pooled (N, width) and a map (N, M, width, S, V), S segments; no
    graph.

    Args:
        settings: sizes.
        joint_count: V.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    has_map = True

    def __init__(
        self,
        settings: JointTransformerSettings,
        joint_count: int,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(joint_count, channels)
        width = settings.width
        self.feature_dim, self.graph_dim = width, None
        self.segment, self.position_count = settings.segment, settings.positions
        self.embed = nn.Linear(settings.segment * channels, width)
        self.positions = Positions(settings.positions, joint_count, width)
        self.blocks = nn.Sequential(
            *(
                TransformerBlock(width, settings.heads, settings.dropout)
                for _ in range(settings.blocks)
            )
        )
        self.norm = nn.LayerNorm(width)
        reset_transformer(self, generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joints or channels than the encoder was built for.
        """
        tokens = self.tokens(clips)
        features = self.attend(tokens.flatten(1, 2)).view_as(tokens)
        return self.mean_output(features.mean(dim=(1, 2)), clips, features.permute(0, 3, 1, 2))

    def tokens(self, clips: Tensor) -> Tensor:
        """The embedded joints of clips (N, M, T, V, C) with their positions: (N * M, S, V, D).

        Raises:
            ValueError: other joints or channels than the encoder was built for.
        """
        self.check_clips(clips)
        segments = cut(clips.flatten(0, 1), self.segment)
        tokens: Tensor = self.embed(segments) + self.positions(segments.shape[1])
        return tokens

    def attend(self, tokens: Tensor) -> Tensor:
        """Pass any of a person's tokens, (B, L, D), through the blocks: (B, L, D)."""
        encoded: Tensor = self.norm(self.blocks(tokens))
        return encoded


def cut(bodies: Tensor, length: int) -> Tensor:
    """Cut bodies (B, T, V, C) into segments (B, S, V, length * C).

    The last one is filled up with the last frame; S = ceil(T / length).
    """
    count, frames, joints, channels = bodies.shape
    number = (frames + length - 1) // length
    if torch.compiler.is_exporting() or frames % length:
        places = torch.arange(number * length, device=bodies.device).clamp(max=frames - 1)
        bodies = bodies.index_select(1, places)
    segments = bodies.reshape(count, number, length, joints, channels)
    return segments.transpose(2, 3).flatten(3)


class Positions(nn.Module):
    """Learned vectors of the joints and of the segments, added up.

    Args:
        segments: learned positions in time.
        joint_count: V.
        width: D.
    """

    def __init__(self, segments: int, joint_count: int, width: int) -> None:
        super().__init__()
        self.time = nn.Parameter(torch.zeros(segments, width))
        self.joint = nn.Parameter(torch.zeros(joint_count, width))

    def forward(self, segments: int) -> Tensor:
        """Positions (S, V, D) of S segments; other S than learned: linear, by segments' centres."""
        time: Tensor = self.time
        learned = len(time)
        # An exported graph takes any number, so it always interpolates: exactly, if they are equal.
        if torch.compiler.is_exporting() or segments != learned:
            numbers = torch.arange(segments, device=time.device, dtype=time.dtype)
            place = ((numbers + 0.5) * (learned / segments) - 0.5).clamp(0, learned - 1)
            distance = place[:, None] - torch.arange(learned, device=time.device)
            time = (1 - distance.abs()).clamp(min=0) @ time
        positions: Tensor = time[:, None] + self.joint
        return positions


class TransformerBlock(nn.Module):
    """Self-attention and a perceptron, each after a normalisation and beside a short cut.

    Args:
        width: D, a multiple of `heads`.
        heads: attention heads.
        dropout: share of values dropped.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.maps = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, _EXPANSION * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(_EXPANSION * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        count, tokens, width = x.shape
        maps = self.maps(self.attention_norm(x))
        maps = maps.view(count, tokens, 3, self.heads, width // self.heads)
        query, key, value = maps.permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.dropout(self.joined(heads.transpose(1, 2).flatten(2)))
        passed: Tensor = x + self.dropout(self.perceptron(x))
        return passed


def reset_transformer(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the weights of all linear layers, then of all positions, below `module`."""
    reset_layers(module, generator)
    for part in module.modules():
        if isinstance(part, Positions):
            for positions in (part.time, part.joint):
                nn.init.normal_(positions, std=_POSITION_STD, generator=generator)
