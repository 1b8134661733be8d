"""Random numbers for one batch of clips."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """A batch's sizes and the generator of its draws; each number is drawn once a clip.

    Attributes:
        shape: N, M, T, V, C of the clips.
        dims: coordinates a joint.
        dtype: the clips'.
        generator: on the clips' device, where the draws are made.
    """

    shape: tuple[int, int, int, int, int]
    dims: int
    dtype: torch.dtype
    generator: torch.Generator

    @classmethod
    def of(cls, clips: Tensor, dims: int, generator: torch.Generator) -> Batch:
        """The batch of these clips (N, M, T, V, C)."""
        N, M, T, V, C = clips.shape
        return cls((N, M, T, V, C), dims, clips.dtype, generator)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(N, *shape) numbers from `low` to `high`."""
        drawn = torch.rand(
            (self.shape[0], *shape),
            generator=self.generator,
            device=self.generator.device,
            dtype=self.dtype,
        )
        return low + (high - low) * drawn

    def whole(self, low: int, high: int) -> Tensor:
        """(N,) int64 from `low` to `high`, both included."""
        return torch.randint(
            low,
            high + 1,
            (self.shape[0],),
            generator=self.generator,
            device=self.generator.device,
        )

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape) standard normal numbers."""
        return torch.randn(
            (self.shape[0], *shape),
            generator=self.generator,
            device=self.generator.device,
            dtype=self.dtype,
        )

    def chosen(self, probability: float) -> Tensor:
        """Which clips are changed: bool (N,)."""
        return self.uniform(0, 1) < probability


def per_clip(values: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1, 1), to be broadcast over clips."""
    return values[:, None, None, None, None]
