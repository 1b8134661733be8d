"""A plain residual perceptron: a whole short clip is one vector.

For sequences of a few frames (re-identification at 6) a convolution over time has nothing to slide
over, and this is faster. It uses neither the skeleton's topology nor the order of frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import Encoder, EncoderOutput, reset_layers
from aclnet.models.settings import EncoderSettings

if TYPE_CHECKING:
    from aclnet.skeleton import Layout


class ClipMlpSettings(EncoderSettings):
    """Settings of `ClipMlp`."""

    name: Literal["clip_mlp"] = "clip_mlp"
    frames: int = Field(
        6,
        ge=1,
        le=10_000,
        description="frames of the input; clips of other lengths are interpolated",
    )
    width: int = Field(512, ge=1, le=16_384, description="features of every layer")
    blocks: int = Field(2, ge=0, le=1_000, description="residual blocks after the first layer")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of features dropped in a block")

    def build(self, layout: Layout, channels: int, generator: torch.Generator | None) -> ClipMlp:
        """Build the encoder for this layout and these channels."""
        return ClipMlp(self, layout.joint_count, channels, generator)


class ClipMlp(Encoder):
    """Linear layers with batch normalisation and short cuts over each person's whole clip.

    Absent persons do not count in the mean over persons. Inputs are standardised by running
    statistics, so that joints that move little weigh as much as others.

    Shapes: clips (N, M, T, V, C) to pooled (N, width); no graph.

    Args:
        settings: sizes.
        joint_count: V.
        channels: C.
        generator: source of the initial weights; None: torch's default generator.
    """

    def __init__(
        self,
        settings: ClipMlpSettings,
        joint_count: int,
        channels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(joint_count, channels)
        width, size = settings.width, settings.frames * joint_count * channels
        self.frames = settings.frames
        self.feature_dim = width
        self.graph_dim = None
        self.input_norm = nn.BatchNorm1d(size, affine=False)
        self.stem = nn.Linear(size, width, bias=False)
        self.stem_norm = nn.BatchNorm1d(width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, width, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Dropout(settings.dropout),
                nn.Linear(width, width, bias=False),
                nn.BatchNorm1d(width),
            )
            for _ in range(settings.blocks)
        )
        reset_layers(self, generator)

    def forward(self, clips: Tensor) -> EncoderOutput:
        """Encode clips (N, M, T, V, C).

        Raises:
            ValueError: other joints or channels than the encoder was built for.
        """
        self.check_clips(clips)
        x = self.input_norm(self._frames_of(clips).flatten(1))
        x = torch.relu(self.stem_norm(self.stem(x)))
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return self.mean_output(x, clips)

    def _frames_of(self, clips: Tensor) -> Tensor:
        """(N, M, T, V, C) to (N * M, V * C, frames): averages over equal parts of the clip."""
        frames = clips.flatten(3).flatten(0, 1).transpose(1, 2)
        if frames.shape[2] == self.frames:
            return frames
        return functional.adaptive_avg_pool1d(frames, self.frames)
