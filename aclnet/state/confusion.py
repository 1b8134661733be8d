"""Confusion counts: how often each class is taken for each other one (H in Eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aclnet.memory import require_memory
from aclnet.state.variant import Variant


def confusion_entries(
    labels: Tensor, predicted: Tensor, class_count: int, variant: Variant
) -> tuple[Tensor, Tensor]:
    """Entries of the counts that a batch changes, and by how much.

    A batch changes at most 2 N of the K x K entries, so that thousands of classes cost no more
    than a few. Source: the paper counts each mistake once at (label, predicted). The released
    code also counts it at (predicted, label), once for every sample in the batch whose label is
    the predicted class.

    Args:
        labels: (N,) int64 in 0..K-1.
        predicted: (N,) int64 in 0..K-1.
        class_count: K.
        variant: paper or released.

    Returns:
        Entries of the flattened (K, K) matrix and amounts, both (N,) or (2 N,) int64. Right
        predictions have amount 0, so that shapes never depend on the data.

    >>> entries, amounts = confusion_entries(
    ...     torch.tensor([0, 1, 1]), torch.tensor([1, 1, 1]), 2, "released")
    >>> entries.tolist(), amounts.tolist()
    ([1, 3, 3, 2, 3, 3], [1, 0, 0, 2, 0, 0])
    """
    wrong = (labels != predicted).to(torch.int64)
    entries = labels * class_count + predicted
    if variant == "paper":
        return entries, wrong
    in_batch = (labels == predicted[:, None]).sum(dim=1)
    reverse = predicted * class_count + labels
    return torch.cat([entries, reverse]), torch.cat([wrong, wrong * in_batch])


class ConfusionCounts(nn.Module):
    """Buffer `counts` (K, K) int64: row = class, column = the class it is taken for.

    The memory is 8 K^2 bytes: 29 kB for 60 classes, 1.3 MB for 400, 800 MB for 10,000.

    Args:
        class_count: K.
        variant: paper or released.
    """

    counts: Tensor

    def __init__(self, class_count: int, variant: Variant) -> None:
        super().__init__()
        self.variant: Variant = variant
        require_memory(
            8 * class_count**2,
            "the counted mistakes",
            "the classes, or set objective.inter_weight=0",
        )
        self.register_buffer("counts", torch.zeros(class_count, class_count, dtype=torch.int64))

    @torch.no_grad()
    def add(self, labels: Tensor, predicted: Tensor) -> None:
        """Count a batch; the counts are integers, so the order of samples does not matter.

        Args:
            labels: (N,) int64 in 0..K-1.
            predicted: (N,) int64 in 0..K-1.
        """
        entries, amounts = confusion_entries(labels, predicted, self.counts.shape[0], self.variant)
        self.counts.view(-1).index_add_(0, entries, amounts)
