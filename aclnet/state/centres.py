"""Class centres: one moving mean of features a class (Eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def class_means(
    rows: Tensor, labels: Tensor, chosen: Tensor, class_count: int
) -> tuple[Tensor, Tensor]:
    """Mean of the chosen rows of each class.

    Written as one product with a 0/1 matrix: unlike scattered additions it gives the same bits
    each time on a GPU. It costs K x N x D multiplications, small beside an encoder also for
    thousands of classes.

    Args:
        rows: (N, D) floating.
        labels: (N,) int64 in 0..K-1.
        chosen: (N,) bool, the rows that count.
        class_count: K.

    Returns:
        Means (K, D), zero for a class without chosen rows, with gradient to `rows`; and (K,)
        bool, the classes that have some.

    >>> means, present = class_means(
    ...     torch.tensor([[2.0], [4.0], [9.0]]), torch.tensor([0, 0, 1]),
    ...     torch.tensor([True, True, False]), 2)
    >>> means.tolist(), present.tolist()
    ([[3.0], [0.0]], [True, False])
    """
    classes = torch.arange(class_count, device=labels.device)
    share = ((labels == classes[:, None]) & chosen).to(rows.dtype)
    number = share.sum(dim=1, keepdim=True)
    return (share @ rows) / number.clamp(min=1), number[:, 0] > 0


def moved_centres(
    centres: Tensor, means: Tensor, present: Tensor, fresh: Tensor, momentum: float
) -> Tensor:
    """Move the centres of the present classes towards their means.

    Source: Eq. 7, `m = momentum * m + (1 - momentum) * mean`.

    Args:
        centres: (K, D) before the step.
        means: (K, D) of this step.
        present: (K,) bool, classes with a mean; the others keep their centre.
        fresh: (K,) bool, classes whose centre has no past and takes the mean as it is.
        momentum: share of the past, 0..1.

    Returns:
        (K, D), with gradient to `means`.
    """
    past = torch.where(fresh[:, None], means, centres)
    moved = momentum * past + (1 - momentum) * means
    return torch.where(present[:, None], moved, centres)


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
    def store(self, centres: Tensor, present: Tensor) -> None:
        """Keep the moved centres and remember which classes have been seen.

        Args:
            centres: (K, D); any gradient is cut.
            present: (K,) bool.
        """
        self.centres.copy_(centres)
        self.seen.logical_or_(present)
