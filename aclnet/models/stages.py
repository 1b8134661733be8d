"""Networks of equal blocks: sizes of the blocks and short cuts around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import Encoder, reset_layers
from aclnet.models.settings import EncoderSettings

_VECTOR = 16
"""Numbers of float32 in a register of AVX-512."""


class BlockSize(NamedTuple):
    """Size of one block.

    Attributes:
        in_channels: input channels.
        out_channels: output channels.
        stride: frames a step.
        is_first: whether it is the network's first block.
    """

    in_channels: int
    out_channels: int
    stride: int
    is_first: bool


class StagedSettings(EncoderSettings):
    """Base of the settings of networks of equal blocks; the defaults are those of ST-GCN."""

    width: int = Field(
        64, ge=4, le=16_384, multiple_of=4, description="channels of the first block"
    )
    blocks: int = Field(10, ge=1, le=1_000, description="number of blocks")
    widen_at: tuple[int, ...] = Field(
        (5, 8), description="blocks (from 1) that double the channels"
    )
    stride_at: tuple[int, ...] = Field((5, 8), description="blocks, from 1, that halve frames")
    last_width: int | None = Field(
        None,
        ge=4,
        le=16_384,
        multiple_of=4,
        description="channels of the last block; null: as before it",
    )

    @model_validator(mode="after")
    def _blocks_named(self) -> Self:
        for field in ("widen_at", "stride_at"):
            outside = [number for number in getattr(self, field) if not 1 <= number <= self.blocks]
            if outside:
                raise ValueError(
                    f"{field} names block {outside[0]}, but the blocks are 1 to {self.blocks}"
                )
        return self

    @property
    def feature_dim(self) -> int:
        """D, channels of the last block."""
        return self.last_width or self.width << len(set(self.widen_at))

    @property
    def stage_ends(self) -> tuple[int, ...]:
        """Blocks after which features may be kept: the first, those that widen, and the last."""
        return tuple(sorted({1, *self.widen_at, self.blocks}))

    def block_sizes(self, channels: int) -> Iterator[BlockSize]:
        """The blocks' sizes in order.

        Args:
            channels: C of the clips, the input of the first block.
        """
        before, width = channels, self.width
        for number in range(1, self.blocks + 1):
            width *= 2 if number in self.widen_at else 1
            if number == self.blocks:
                width = self.feature_dim
            stride = 2 if number in self.stride_at else 1
            yield BlockSize(before, width, stride, number == 1)
            before = width


class StagedEncoder(Encoder):
    """Base of networks that are a normalisation of the input and a row of blocks.

    Args:
        joint_count: V.
        channels: C.
        settings: of which `feature_dim` and `stage_ends` are read.
        blocks: in order.
        generator: source of the initial weights; None: torch's default generator.
    """

    def __init__(
        self,
        joint_count: int,
        channels: int,
        settings: StagedSettings,
        blocks: Iterable[nn.Module],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__(joint_count, channels)
        self.input_norm = nn.BatchNorm1d(joint_count * channels)
        self.blocks = nn.ModuleList(blocks)
        self.feature_dim, self.graph_dim = settings.feature_dim, None
        self.stage_ends = settings.stage_ends
        reset_layers(self, generator)

    def normalised(self, clips: Tensor) -> Tensor:
        """Clips (N, M, T, V, C) as normalised bodies (N * M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for.
        """
        self.check_clips(clips)
        bodies = clips.flatten(0, 1)
        normalised: Tensor = self.input_norm(bodies.flatten(2).flatten(0, 1))
        return normalised.view_as(bodies)


def block_short_cut(size: BlockSize) -> nn.Module | None:
    """The short cut around a block; None for the first, which has none."""
    if size.is_first:
        return None
    return short_cut(size.in_channels, size.out_channels, size.stride)


def short_cut(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """The input itself where sizes are equal, else a normalised pointwise convolution of it.

    The rule of Yan et al. 2018, which Song et al. 2020 and Chen et al. 2021 keep.
    """
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        _Pointwise(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
    )


class _Pointwise(nn.Conv2d):
    """A 1 x 1 convolution with a stride in time, whose backward pass keeps to its memory.

    oneDNN 3.12, which torch 2.13 has, writes beyond its buffers in that pass (AVX-512, two threads
    or more, channels last, input channels that are no multiple of 16): the process crashes, or goes
    on with wrong numbers. Without the stride it does not.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T / stride, V)."""
        if self.in_channels % _VECTOR == 0:
            return super().forward(features)
        step = self.stride[0]
        return functional.conv2d(features[:, :, ::step], self.weight, self.bias)
