"""Steps of the released backbone on maps that are stored channels last.

Convolutions and batch normalisations take half the time channels last on a CPU with AVX-512. Each
step is equal to a few of PyTorch's own operations: two keep less for their backward pass, a fifth
of all that the backbone keeps, and the batch norm is more exact.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.gradients import refuse_second_derivative
from aclnet.models.batch_norm import track

_LAST = torch.channels_last


def mix_joints(entered: Tensor, relations: Tensor, shared: Tensor, scale: Tensor) -> Tensor:
    """Sum over v of relu(entered[v]) times a graph's [v, w], for each clip and channel.

    The graph of channel c in subset k is `shared[k] + scale * tanh(r[c, v] - q[c, w])`. It is made
    again in the backward pass.

    Args:
        entered: (n, K * m, T, V) features.
        relations: (n, 2, K, m, V) r and q.
        shared: (n, K, V, V).
        scale: ().

    Returns:
        (n, K * m, T, V) in the features' dtype.
    """
    mixed: Tensor = _MixedJoints.apply(entered, relations, shared, scale)  # type: ignore[no-untyped-call]
    return mixed


def differences(relations: Tensor) -> Tensor:
    """tanh(r[v] - q[w]) as (n, K, m, V, V) of relations (n, 2, K, m, V)."""
    rows, columns = relations.unbind(1)
    return torch.tanh(rows.unsqueeze(-1) - columns.unsqueeze(-2))


def pool_frames(x: Tensor, stride: int) -> Tensor:
    """Maximum of three frames; its places, of 8 bytes each, are found again in the backward pass.

    Args:
        x: (n, c, T, V).
        stride: frames a step.

    Returns:
        (n, c, ceil(T / stride), V).
    """
    pooled: Tensor = _PooledFrames.apply(x, stride)  # type: ignore[no-untyped-call]
    return pooled


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, as exact for maps stored channels last as for others on a CPU.

    PyTorch's own kernel for them adds up all rows one by one in float32, which costs a digit.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the channels of x (n, c, T, V)."""
        count = x.numel() // x.shape[1]
        own = self.training and x.device.type == "cpu" and x.dtype == torch.float32 and count > 1
        normalised: Tensor
        if not own or torch.compiler.is_compiling():
            normalised = super().forward(x)
            return normalised
        normalised, mean, variance = _Normalised.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        track(self, mean, variance * (count / (count - 1)))
        return normalised


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        x = x.contiguous(memory_format=_LAST)
        mean = x.sum(dim=(0, 2, 3)).div_(x.numel() // x.shape[1])
        squares = torch.zeros_like(mean)
        for body in x.permute(0, 2, 3, 1):  # one after another, so that each stays in the cache
            squares += (body - mean).square_().sum(dim=(0, 1))
        variance = squares.div_(x.numel() // x.shape[1])
        ctx.eps = eps
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps))
        ctx.mark_non_differentiable(mean, variance)
        normalised = functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)
        return normalised, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> Any:
        refuse_second_derivative()
        x, weight, mean, inverse = ctx.saved_tensors
        gradients = torch.ops.aten.native_batch_norm_backward(
            gradient.contiguous(memory_format=_LAST),
            *(x, weight, None, None, mean, inverse, True, ctx.eps, (True, True, True)),
        )
        return *gradients, None


class _MixedJoints(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, entered: Tensor, relations: Tensor, shared: Tensor, scale: Tensor) -> Any:
        apart = differences(relations.to(shared.dtype))
        # A matrix product for each channel needs frames and joints side by side.
        features = entered.clone(memory_format=torch.contiguous_format).relu_()
        ctx.save_for_backward(features, relations, shared, scale)
        mixed = torch.bmm(_matrices(features), _graph(features, apart, shared, scale))
        mixed = mixed.to(features.dtype).view_as(features)
        return mixed.contiguous(memory_format=_LAST)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        refuse_second_derivative()
        features, relations, shared, scale = ctx.saved_tensors
        apart = differences(relations.to(shared.dtype))
        along = _matrices(gradient.contiguous())
        back = torch.bmm(along, _graph(features, apart, shared, scale).mT).view_as(features)
        back = torch.ops.aten.threshold_backward(back, features, 0)
        of_graph = torch.bmm(_matrices(features).mT, along).view_as(apart).to(apart.dtype)
        steep = torch.ops.aten.tanh_backward(of_graph, apart) * scale
        of_relations = torch.stack([steep.sum(-1), steep.sum(-2).neg_()], dim=1)
        return (
            back.contiguous(memory_format=_LAST),
            of_relations.to(relations.dtype),
            of_graph.sum(2),
            of_graph.mul_(apart).sum(),
        )


def _graph(features: Tensor, apart: Tensor, shared: Tensor, scale: Tensor) -> Tensor:
    """(n * K * m, V, V) in the features' dtype."""
    graph = torch.addcmul(shared.unsqueeze(2), apart, scale)
    return _matrices(graph.to(features.dtype))


def _matrices(x: Tensor) -> Tensor:
    return x.flatten(0, -3)


class _PooledFrames(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Any:
        ctx.save_for_backward(x)
        ctx.window = ((3, 1), (stride, 1), (1, 0))
        return functional.max_pool2d(x, *ctx.window)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        _, places = torch.ops.aten.max_pool2d_with_indices(x, *ctx.window)
        back = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, x, *ctx.window, (1, 1), False, places
        )
        return back, None
