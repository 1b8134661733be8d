"""A plain temporal network: all joints of a frame are one vector, convolved over time.

The small, fast encoder for machines without an accelerator; it uses no skeleton topology.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from aclnet.models.encoder import Encoder, EncoderOutput, reset_layers
from aclnet.models.settings import Dilation, EncoderSettings, OddKernel

if TYPE_CHECKING:
    from aclnet.skeleton import Layout

_VARIANCE_FLOOR = 1e-6  # keeps the gradient of the square root finite where a feature is constant


class TemporalConvSettings(EncoderSettings):
    """Settings of `TemporalConv`."""

    name: Literal["temporal_conv"] = "temporal_conv"
    width: int = Field(128, ge=1, le=16_384, description="feature channels of every block")
    blocks: int = Field(
        4, ge=1, le=1_000, description="residual blocks after the first convolution"
    )
    kernel: OddKernel = Field(5, description="frames that a convolution sees; odd")
    dilation: Dilation = Field(2, description="dilation of each block's second convolution")
    stem_kernel: OddKernel = Field(1, description="frames that the first convolution sees; odd")
    stride_every: int = Field(
        2,
        ge=0,
        le=1_000,
        description="the first block and every n-th after it halve the frames; 0: none",
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="share of channels dropped inside a block")
    pooling: Literal["mean", "mean_max", "mean_std"] = Field(
        "mean_max", description="statistics over time; two of them double the feature's width"
    )
    persons: int = Field(
        1,
        ge=1,
        le=1_000,
        description="persons whose joints form one vector, for interactions; 1: each is seen alone",
    )

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> Encoder:
        """Build the encoder for this layout and these channels."""
        return TemporalConv(self, layout.joint_count, channels, generator)


class TemporalConv(Encoder):
    """Residual one-dimensional convolutions over the frames of each person.

    A frame of zeros counts as missing: it is kept at zero in every layer, like the border, and is
    left out of the pooling, so empty frames at a clip's end change nothing. Absent persons do not
    count in the mean over persons.

    Shapes: clips (N, M, T, V, C) to pooled (N, D), D = width or 2 * width; no graph.

    Args:
        settings: sizes.
        joint_count: V.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    def __init__(
        self,
        settings: TemporalConvSettings,
        joint_count: int,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(joint_count, channels)
        width, stem_kernel = settings.width, settings.stem_kernel
        self.pooling = settings.pooling
        self.feature_dim = width if settings.pooling == "mean" else 2 * width
        self.graph_dim = None
        # Without weights (the stem has its own) nothing below the stem needs a gradient.
        self.persons = settings.persons
        size = settings.persons * joint_count * channels
        self.input_norm = nn.BatchNorm1d(size, affine=False)
        self.stem = nn.Conv1d(size, width, stem_kernel, padding=stem_kernel // 2, bias=False)
        self.stem_norm = nn.BatchNorm1d(width)
        every = settings.stride_every
        self.blocks = nn.ModuleList(
            _Block(settings, stride=2 if every and index % every == 0 else 1)
            for index in range(settings.blocks)
        )
        reset_layers(self, generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joint count or channels than the encoder was built for, or, where it
                sees several persons together, another number of them.
        """
        self.check_clips(clips)
        if self.persons > 1:
            clips = self._together(clips)
        frames = clips.flatten(3).flatten(0, 1).transpose(1, 2)  # (N*M, V*C, T)
        seen = (frames != 0).any(dim=1, keepdim=True).to(frames.dtype)  # (N*M, 1, T)
        x = self.input_norm(frames) * seen
        x = torch.relu(self.stem_norm(self.stem(x))) * seen
        for block in self.blocks:
            x, seen = block(x, seen)
        pooled = _pool(x, seen, self.pooling)
        return self.mean_output(pooled, clips)

    def _together(self, clips: Tensor) -> Tensor:
        """(N, M, T, V, C) to (N, 1, T, M * V, C)."""
        if clips.shape[1] != self.persons:
            raise ValueError(
                f"the encoder sees {self.persons} persons together, but the clips have "
                f"{clips.shape[1]}: set network.encoder.persons to that"
            )
        return clips.transpose(1, 2).flatten(2, 3).unsqueeze(1)


class _Block(nn.Module):
    """Two convolutions over time and a short cut; (n, D, T) to (n, D, ceil(T / stride))."""

    def __init__(self, settings: TemporalConvSettings, stride: int) -> None:
        super().__init__()
        width, kernel, dilation = settings.width, settings.kernel, settings.dilation
        half = kernel // 2
        self.stride = stride
        self.first = nn.Conv1d(width, width, kernel, stride=stride, padding=half, bias=False)
        self.first_norm = nn.BatchNorm1d(width)
        # Whole channels: neighbouring frames are too similar for single values to matter.
        self.dropout = nn.Dropout1d(settings.dropout)
        self.second = nn.Conv1d(
            width, width, kernel, padding=half * dilation, dilation=dilation, bias=False
        )
        self.second_norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """One block; `seen` (n, 1, T) is 1 at frames that are present, else 0."""
        short_cut, seen = x[:, :, :: self.stride], seen[:, :, :: self.stride]
        x = torch.relu(self.first_norm(self.first(x))) * seen
        x = self.second_norm(self.second(self.dropout(x)))
        return torch.relu(x + short_cut) * seen, seen


def _pool(x: Tensor, seen: Tensor, pooling: str) -> Tensor:
    """Statistics of x (n, D, T), which is zero where `seen` (n, 1, T) is, over the seen frames."""
    count = seen.sum(dim=2).clamp_min(1)
    mean = x.sum(dim=2) / count
    if pooling == "mean":
        return mean
    if pooling == "mean_max":
        # x is not negative, so the zeros of missing frames never win over a seen frame.
        return torch.cat([mean, x.amax(dim=2)], dim=1)
    centred = (x - mean.unsqueeze(2)) * seen
    variance = centred.square().sum(dim=2) / count
    return torch.cat([mean, torch.sqrt(variance + _VARIANCE_FLOOR)], dim=1)
