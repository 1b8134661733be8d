"""The way into the contrastive space: full precision, a linear projection, unit rows."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.encoder import reset_layers

NORM_FLOOR = 1e-12
"""Added to a norm before dividing by it, as in the released code."""


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
