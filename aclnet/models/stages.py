"""How many blocks a graph network has, how wide they are, and where they halve the frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import Field, model_validator
from torch import nn

from aclnet.models.encoder import EncoderSettings


class BlockSize(NamedTuple):
    """Size of one block.

    Attributes:
        in_channels: channels that come in.
        out_channels: channels that go out.
        stride: frames a step.
        is_first: whether it is the network's first block.
    """

    in_channels: int
    out_channels: int
    stride: int
    is_first: bool


class StagedSettings(EncoderSettings):
    """Base of the settings of networks of equal blocks; the defaults are those of ST-GCN."""

    width: int = Field(64, ge=4, multiple_of=4, description="channels of the first block")
    blocks: int = Field(10, ge=1, description="number of blocks")
    widen_at: tuple[int, ...] = Field(
        (5, 8), description="blocks (from 1) that double the channels"
    )
    stride_at: tuple[int, ...] = Field((5, 8), description="blocks, from 1, that halve frames")

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
        return self.width << len(set(self.widen_at))

    def block_sizes(self, channels: int) -> Iterator[BlockSize]:
        """The blocks' sizes in their order.

        Args:
            channels: C of the clips, which enter the first block.
        """
        before, width = channels, self.width
        for number in range(1, self.blocks + 1):
            width *= 2 if number in self.widen_at else 1
            stride = 2 if number in self.stride_at else 1
            yield BlockSize(before, width, stride, number == 1)
            before = width


def block_short_cut(size: BlockSize) -> nn.Module | None:
    """The short cut around a block; None around the first, which has none.

    The block's input where its size allows, else a pointwise convolution with normalisation (the
    rule of Yan et al. 2018, which Chen et al. 2021 keep).
    """
    if size.is_first:
        return None
    if size.in_channels == size.out_channels and size.stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(size.in_channels, size.out_channels, 1, (size.stride, 1)),
        nn.BatchNorm2d(size.out_channels),
    )
