"""What every term of an objective is, and what the objectives and terms share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.distributed import world_size
from aclnet.gradients import refuse_second_derivative
from aclnet.models.encoder import reset_layers

NORM_FLOOR = 1e-12
"""Added to a norm before dividing by it, as in the released code."""


FAR = 1e30
"""A similarity lowered by it has no share in a softmax; finite, so that no NaN comes of it."""


class Term(nn.Module):
    """One term of an objective: a loss of labelled features that holds all it learns.

    The objective calls it, with autocast off, with the keywords `logits` (N, K) and `feature`
    (N, D) of any floating type, `labels` (N,) int64, and `counts`, the rows of each rank
    (`aclnet.distributed.row_counts`), and each part of the encoder's output that its settings need
    (`TermSettings.needs`). `forward` takes those that it needs, leaves the rest to a
    `**` argument, and returns the loss, (), which the objective weights and logs.

    With several ranks each must return the loss of the joined batch such that the average of its
    gradient over the ranks is that of one rank (`aclnet.distributed`). Every parameter must take
    part in every loss, if only with a gradient of zero. Counts and memories are buffers and change
    in training mode only.
    """

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the coming steps, for a term that depends on it.

        Args:
            epoch: 1-based; the same one may be set twice.
        """


def check_class_count(class_count: int) -> None:
    """Refuse an objective for fewer than two classes.

    Raises:
        ValueError: `class_count` is below 2.
    """
    if class_count < 2:
        raise ValueError(
            f"the objective needs at least 2 classes, got {class_count}: check the labels"
        )


def check_batch(labels: Tensor, *wanted: tuple[str, Tensor, tuple[int, ...]]) -> None:
    """Refuse a batch that does not fit its objective.

    Args:
        labels: should be (N,) int64, N at least 1.
        wanted: name of each further tensor, the tensor, and the shape it should have after N.

    Raises:
        ValueError: a shape or the labels' type is another.
    """
    if labels.ndim != 1 or not len(labels) or labels.dtype != torch.int64:
        raise ValueError(
            f"labels must be int64 of shape (N,) with N >= 1, got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
    for name, tensor, shape in wanted:
        if tensor.shape != (len(labels), *shape):
            raise ValueError(
                f"{name} must have shape {(len(labels), *shape)} for {len(labels)} labels, got "
                f"{tuple(tensor.shape)}: the objective was built for batches (N, "
                f"{', '.join(map(str, shape))})"
            )


def rank_share(own: int, counts: Sequence[int]) -> float:
    """Weight of the mean over a rank's own rows in the average over the ranks.

    With it the average is the mean over all rows, even where ranks have different numbers of them.

    Args:
        own: rows of this rank.
        counts: rows of each rank.
    """
    return world_size() * own / sum(counts)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switch autocast off on a device: the loss terms are computed in float32.

    Args:
        device: where the tensors are.
    """
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Lift half precisions to float32; float32 and float64 stay."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class Projection(nn.Linear):
    """Linear map into the contrastive space, computed in float32 or better.

    Args:
        feature_dim: length of the feature.
        projection_dim: D.
        generator: source of the initial weights, PyTorch's usual; None: torch's default generator.
    """

    def __init__(
        self, feature_dim: int, projection_dim: int, generator: torch.Generator | None
    ) -> None:
        super().__init__(feature_dim, projection_dim)
        reset_layers(self, generator)

    def forward(self, feature: Tensor) -> Tensor:
        """Project (N, feature_dim) of any floating type; call it under `full_precision`.

        Returns:
            (N, D) in the better of float32 and the feature's type.
        """
        feature = at_least_float32(feature)
        return functional.linear(
            feature, self.weight.to(feature.dtype), self.bias.to(feature.dtype)
        )


def lengths_of(rows: Tensor) -> Tensor:
    """Euclidean norms (N, 1) of rows (N, D), raised by `NORM_FLOOR`: safe to divide by."""
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return norms + NORM_FLOOR


def unit_rows(rows: Tensor) -> Tensor:
    """Divide each row by its Euclidean norm.

    Args:
        rows: (N, D) floating.

    Returns:
        (N, D) of length 1; a row of zeros stays zero.

    >>> unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6..., 0.8...], [0.0, 0.0]]
    """
    return rows / lengths_of(rows)


def unit_gradient(units: Tensor, lengths: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in rows from that in the unit rows.

    Args:
        units: (N, D) unit rows.
        lengths: (N, 1) of the rows, far above `NORM_FLOOR`.
        gradient: (N, D) in the unit rows.

    Returns:
        (N, D).
    """
    along = (units * gradient).sum(dim=1, keepdim=True)
    return torch.addcmul(gradient, units, along, value=-1).div_(lengths)


def with_gradient(value: Tensor, tensor: Tensor, gradient: Tensor) -> Tensor:
    """A loss whose gradient was computed along with it, which saves keeping its steps.

    Args:
        value: (), computed without gradient.
        tensor: that it depends on.
        gradient: of the value in the tensor, of the same shape.

    Returns:
        The value, which can be differentiated once.

    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> with_gradient(x.detach().square().sum(), x, 2 * x.detach()).backward()
    >>> x.grad.tolist()
    [6.0, 8.0]
    """
    known: Tensor = _KnownGradient.apply(value, tensor, gradient)  # type: ignore[no-untyped-call]
    return known


class _KnownGradient(torch.autograd.Function):
    """A value, the tensor that it depends on, and its gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, tensor: Tensor, gradient: Tensor) -> Tensor:
        del tensor
        ctx.save_for_backward(gradient)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[None, Tensor, None]:
        refuse_second_derivative()
        (known,) = ctx.saved_tensors
        return None, outer * known, None
