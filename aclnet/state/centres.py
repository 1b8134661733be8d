"""Class centres: one moving mean of features a class (Eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def batch_classes(labels: Tensor, class_count: int) -> tuple[Tensor, Tensor | None]:
    """Classes among which are those of a batch, as few as the shapes allow to say in advance.

    They are the labels themselves, or all classes where there are fewer, so that thousands of
    classes cost no more than the rows of the batch and the host need not wait for the device.

    Args:
        labels: (N,) int64 in 0..K-1.
        class_count: K.

    Returns:
        (S,) int64 classes, S the smaller of N and K; and where a class may be named again (S,)
        int64, the place where it stands first, else None.

    >>> [tensor.tolist() for tensor in batch_classes(torch.tensor([7, 4, 7]), 10)]
    [[7, 4, 7], [0, 1, 0]]
    """
    if class_count <= len(labels):
        return torch.arange(class_count, device=labels.device), None
    return labels, (labels[:, None] == labels).to(torch.uint8).argmax(dim=1)


class ClassCentres(nn.Module):
    """Buffers `centres` (K, D) and `seen` (K,), in every checkpoint.

    Args:
        class_count: K.
        dim: D.
        random: start with N(0, 1), as the released code; else with zeros.
        generator: source of the random start; None: torch's default generator.
    """

    centres: Tensor
    seen: Tensor

    def __init__(
        self,
        class_count: int,
        dim: int,
        *,
        random: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        start = torch.zeros(class_count, dim)
        self.register_buffer("centres", start.normal_(generator=generator) if random else start)
        self.register_buffer("seen", torch.zeros(class_count, dtype=torch.bool))

    @torch.no_grad()
    def move(
        self, rows: Tensor, labels: Tensor, chosen: Tensor, momentum: float, *, begin_at_mean: bool
    ) -> tuple[Tensor, Tensor]:
        """Move the centres of a batch's classes towards the means of its chosen rows.

        Source: Eq. 7, `m = momentum * m + (1 - momentum) * mean`. A class without chosen rows keeps
        its centre. The means are one product with a matrix of shares: unlike scattered additions it
        gives the same bits each time on a GPU.

        Args:
            rows: (N, D) floating.
            labels: (N,) int64 in 0..K-1.
            chosen: (N,) bool, the rows that count.
            momentum: share of the past, 0..1.
            begin_at_mean: a class that has not been seen takes its first mean as it is.

        Returns:
            The classes (S,) of `batch_classes`, and (S, N), the derivative of each of their centres
            by each row; 0 where a class is named again.
        """
        classes, first = batch_classes(labels, len(self.centres))
        share = ((labels == classes[:, None]) & chosen).to(rows.dtype)
        number = share.sum(dim=1, keepdim=True)
        present = number > 0
        share /= number.clamp_(min=1)
        means, past = share @ rows, self.centres[classes].to(rows.dtype)
        seen = self.seen[classes]
        if begin_at_mean:
            past = torch.where(seen[:, None], past, means)
        moved = past.lerp(means, (1 - momentum) * present.to(rows.dtype))
        share *= 1 - momentum
        if first is not None:
            # A class named twice has equal means, which rounding may tell apart: the first counts.
            moved = moved[first]
            again = first != torch.arange(len(first), device=first.device)
            share.masked_fill_(again[:, None], 0)
        self.centres.index_copy_(0, classes, moved.to(self.centres.dtype))
        self.seen.index_copy_(0, classes, seen | present[:, 0])
        return classes, share
