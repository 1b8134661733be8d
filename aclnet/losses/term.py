"""What every term of an objective is, and the way into the contrastive space."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import reset_layers

NORM_FLOOR = 1e-12
"""Added to a norm before dividing by it, as in the released code."""


class Term(nn.Module):
    """One term of an objective: a loss of labelled features, with all that it learns in itself.

    The objective calls it, with autocast off, by these names: `logits` (N, K) and `feature` (N, D)
    of any floating type, `labels` (N,) int64, and `counts`, the rows of each rank
    (`aclnet.distributed.row_counts`). `forward` takes those that it needs, leaves the rest to a
    `**` argument, and returns the loss, (), which the objective weighs and logs.

    With several ranks each must return the loss of the joined batch such that the ranks' average
    of its gradient is that of one rank (`aclnet.distributed`). Every parameter takes part in every
    loss, if only with a gradient of zero. What is counted or remembered is kept in buffers and
    changes in training mode only.
    """

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the coming steps belong to, for a term that depends on it.

        Args:
            epoch: 1-based; the same one may be said twice.
        """


def check_class_count(class_count: int) -> None:
    """Refuse an objective for fewer than two classes.

    Raises:
        ValueError: there are fewer.
    """
    if class_count < 2:
        raise ValueError(
            f"the objective needs at least 2 classes, got {class_count}: check the labels"
        )


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


def projection(
    feature_dim: int, projection_dim: int, generator: torch.Generator | None = None
) -> nn.Linear:
    """Make a projection with PyTorch's usual initial weights.

    Args:
        feature_dim: length of the feature.
        projection_dim: D.
        generator: source of the weights; None: torch's default generator.
    """
    layer = nn.Linear(feature_dim, projection_dim)
    reset_layers(layer, generator)
    return layer


def project(layer: nn.Linear, feature: Tensor) -> Tensor:
    """Apply a projection in float32 or better; call it under `full_precision`.

    Args:
        layer: Linear(feature_dim -> D).
        feature: (N, feature_dim), any floating type.

    Returns:
        (N, D) in the better of float32 and the feature's type.
    """
    feature = at_least_float32(feature)
    return functional.linear(feature, layer.weight.to(feature.dtype), layer.bias.to(feature.dtype))


def unit_rows(rows: Tensor) -> Tensor:
    """Divide each row by its Euclidean norm.

    Args:
        rows: (N, D) floating.

    Returns:
        (N, D) of length 1; a row of zeros stays zero.

    >>> unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6..., 0.8...], [0.0, 0.0]]
    """
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / (norms + NORM_FLOOR)
