"""A queue of the newest features and their labels, of fixed length."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.memory import require_memory

NO_LABEL = -1
"""The label of an empty slot, and of a feature that was written without one."""


def written_slots(cursor: Tensor, rows: int, size: int) -> Tensor:
    """The slots that the newest rows go to, in the rows' order.

    Args:
        cursor: () int64, the next slot to write.
        rows: number of rows to write, at most `size`.
        size: number of slots, at least 1.

    Returns:
        (rows,) int64.

    >>> written_slots(torch.tensor(3), 2, 4).tolist()
    [3, 0]
    """
    return (cursor + torch.arange(rows, device=cursor.device)) % size


class FeatureQueue(nn.Module):
    """A ring of slots: the buffers `features`, `labels`, `cursor` and `fill`.

    It holds what `collections.deque(maxlen=size)` would hold after the same rows, for batches of
    any size, larger ones than the queue too.

    Args:
        size: number of slots Q; 0 keeps nothing.
        dim: D.
        start: "empty", or "random": full of random unit rows, the first keys that contrastive
            learning compares with (He et al., "Momentum contrast", CVPR 2020, as released).
        generator: source of the random start; None: torch's default generator.
    """

    features: Tensor
    labels: Tensor
    cursor: Tensor
    fill: Tensor

    def __init__(
        self,
        size: int,
        dim: int,
        *,
        start: Literal["empty", "random"] = "empty",
        setting: str = "objective.queue_size",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        require_memory(4 * size * dim, "the remembered features", setting)
        features, fill = torch.zeros(size, dim), 0
        if start == "random":
            features, fill = functional.normalize(features.normal_(generator=generator)), size
        self.register_buffer("features", features)
        self.register_buffer("labels", torch.full((size,), NO_LABEL, dtype=torch.int64))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))
        self.register_buffer("fill", torch.tensor(fill))

    @torch.no_grad()
    def push(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Write a batch over the oldest slots.

        Args:
            features: (N, D); any gradient is cut.
            labels: (N,) int64, not negative; None: there are none.

        Returns:
            The labels (Q,) int64 with `NO_LABEL` at the slots just written, so those of earlier
            batches.
        """
        if self.size == 0:
            return self.labels.clone()
        number = features.shape[0]
        if labels is None:
            labels = self.labels.new_full((number,), NO_LABEL)
        skipped = max(0, number - self.size)
        slots = written_slots(self.cursor + skipped, number - skipped, self.size)
        remaining = self.labels.index_fill(0, slots, NO_LABEL)
        self.features.index_copy_(0, slots, features[skipped:].to(self.features.dtype))
        self.labels.index_copy_(0, slots, labels[skipped:])
        self.cursor.add_(number).remainder_(self.size)
        self.fill.add_(number).clamp_(max=self.size)
        return remaining

    def full(self) -> Tensor:
        """Whether every slot is written: () bool, on the queue's device."""
        return self.fill >= self.size
