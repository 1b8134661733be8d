"""Batch normalisation over the joined batch of all ranks.

PyTorch's own `SyncBatchNorm` needs GPUs; this one runs wherever sums over ranks do, so that it is
tested on two CPU ranks as it is used on two GPUs.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from aclnet.distributed import sum_over_ranks, world_size

Module = TypeVar("Module", bound=nn.Module)


class SynchronisedBatchNorm(_BatchNorm):
    """As `nn.BatchNorm1d` to 3d, in training over the rows of all ranks together.

    Ranks may have different numbers of rows, and none. In evaluation, and on one rank, it is the
    same as the layer that it replaces. Two sums over all ranks are taken in each pass, forward and
    backward, so every rank must call it equally often.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the channels.

        Args:
            x: (N, C, ...), N of this rank.

        Returns:
            The same shape and dtype.
        """
        if not self.training or world_size() == 1:
            normalised: Tensor = super().forward(x)
            return normalised
        normalised, mean, variance, count = _joined(x, self.weight, self.bias, self.eps)
        track(self, mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        return normalised

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of axes; the layer that was replaced knew its own."""


@torch.no_grad()
def track(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Move a layer's running mean and variance, if it has them, towards a batch's.

    Args:
        norm: the layer.
        mean: (C,).
        variance: (C,), with Bessel's correction.
    """
    momentum: float | Tensor | None = norm.momentum
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked += 1
        momentum = 1 / norm.num_batches_tracked if momentum is None else momentum
    for running, new in ((norm.running_mean, mean), (norm.running_var, variance)):
        if running is not None:
            running.lerp_(new.to(running.dtype), momentum)  # type: ignore[arg-type]


class UntrackedBatchNorm(nn.Module):
    """Batch normalisation (rows, D) in training only; in evaluation mean 0 and variance 1.

    Attributes:
        synchronised: whether the rows of all ranks are normalised together.
    """

    synchronised = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the channels of (rows, D)."""
        if not self.training:
            return x * self.weight + self.bias
        if self.synchronised and world_size() > 1:
            return _joined(x, self.weight, self.bias, 1e-5)[0]
        return functional.batch_norm(x, None, None, self.weight, self.bias, training=True)


def synchronise_batch_norm(module: Module) -> Module:
    """Make every batch norm below a module see the rows of all ranks.

    Args:
        module: changed in place; parameters and buffers stay the same objects of the same names.

    Returns:
        The module, or what replaces it if it is a batch norm itself.
    """
    if isinstance(module, UntrackedBatchNorm):
        module.synchronised = True
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        new = SynchronisedBatchNorm(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
            device="meta",
        )
        for name, own in module.named_parameters():  # assigning would thaw a frozen one
            new.get_parameter(name).requires_grad_(own.requires_grad)
        new.load_state_dict(module.state_dict(keep_vars=True), assign=True)
        return new.train(module.training)  # type: ignore[return-value]
    for name, child in module.named_children():
        setattr(module, name, synchronise_batch_norm(child))
    return module


def _joined(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalised rows of this rank, and mean (C,), variance (C,) and count () of all ranks' rows.

    The variance is the mean of squared deviations from the joined mean, not a difference of large
    sums.
    """
    whole = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    axes = [0, *range(2, x.ndim)]
    shape = [1, -1, *[1] * (x.ndim - 2)]
    own = whole.new_full((1,), x.numel() / x.shape[1])
    totals = sum_over_ranks(torch.cat([whole.sum(axes), own]))
    count = totals[-1].detach().clamp(min=1)
    mean = totals[:-1] / count
    apart = whole - mean.view(shape)
    variance = sum_over_ranks(apart.square().sum(axes)) / count
    scaled = apart * torch.rsqrt(variance + eps).view(shape)
    if weight is not None:
        scaled = scaled * weight.to(scaled.dtype).view(shape)
    if bias is not None:
        scaled = scaled + bias.to(scaled.dtype).view(shape)
    return scaled.to(x.dtype), mean, variance, count
