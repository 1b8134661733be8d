"""Steps of the released backbone on maps that are stored channels last.

Each is equal to a few of PyTorch's own operations, but makes fewer copies, keeps less for its
backward pass, and returns gradients in the same layout: autograd's own for slices are stored
channels first, and every later layer would have to turn them round. Convolutions and batch
normalisations take half the time channels last on a CPU with AVX-512.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.gradients import refuse_second_derivative

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


def with_mean(x: Tensor) -> Tensor:
    """The mean over the joints of x (n, c, T, V) as one more joint: (n, c, T, V + 1)."""
    joined: Tensor = _WithMean.apply(x)  # type: ignore[no-untyped-call]
    return joined


def spread(parts: list[Tensor], scale: Tensor) -> Tensor:
    """Channels joined, and a share of the last joint added to each of the others.

    Args:
        parts: each (n, some channels, T, V + 1).
        scale: (V,) shares.

    Returns:
        (n, c, T, V).
    """
    joined: Tensor = _Spread.apply(scale, *parts)  # type: ignore[no-untyped-call]
    return joined


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


def _empty(like: Tensor, channels: int, joints: int) -> Tensor:
    """A map (n, channels, T, joints) channels last."""
    n, _, T, _ = like.shape
    return like.new_empty((n, T, joints, channels)).permute(0, 3, 1, 2)


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, as exact for maps stored channels last as for others on a CPU.

    PyTorch's own kernel for them adds up all rows one by one in float32, which costs a digit.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the channels of x (n, c, T, V)."""
        share = self.momentum
        plain = not self.training or x.device.type != "cpu" or x.dtype != torch.float32
        plain |= torch.compiler.is_compiling() or x.numel() <= x.shape[1]
        if plain or share is None or self.running_mean is None:
            whole: Tensor = super().forward(x)
            return whole
        normalised, mean, variance = _Normalised.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            count = x.numel() // x.shape[1]
            self.get_buffer("num_batches_tracked").add_(1)
            for name, new in (("mean", mean), ("var", variance * (count / (count - 1)))):
                self.get_buffer(f"running_{name}").lerp_(new, share)
        joined: Tensor = normalised
        return joined


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


class _WithMean(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, x: Tensor) -> Any:
        V = x.shape[3]
        joined = _empty(x, x.shape[1], V + 1)
        joined[..., :V] = x
        joined[..., V] = x.mean(dim=3)
        return joined

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Any:
        V = gradient.shape[3] - 1
        gradient = gradient.contiguous(memory_format=_LAST)
        return gradient[..., :V] + gradient[..., V:] / V


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scale: Tensor, *parts: Tensor) -> Any:
        V = parts[0].shape[3] - 1
        widths = [part.shape[1] for part in parts]
        joined = _empty(parts[0], sum(widths), V)
        start = 0  # not `split`: an exported graph may not fill its views where gradients are on
        for part, width in zip(parts, widths, strict=True):
            place = joined[:, start : start + width]
            place.copy_(torch.addcmul(part[..., :V], part[..., V:], scale.to(part.dtype)))
            start += width
        ctx.widths = widths
        ctx.save_for_backward(scale, torch.cat([part[..., V] for part in parts], dim=1))
        return joined

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        refuse_second_derivative()
        scale, common = ctx.saved_tensors
        V = gradient.shape[3]
        rows = gradient.permute(0, 2, 3, 1).contiguous()  # (n, T, V, c)
        shares = torch.matmul(scale.to(rows.dtype), rows).transpose(1, 2)  # (n, c, T)
        of_scale = torch.matmul(rows, common.transpose(1, 2).unsqueeze(-1)).sum((0, 1, 3))
        gradients = []
        pairs = (torch.split(t, ctx.widths, dim=1) for t in (rows.permute(0, 3, 1, 2), shares))
        for local, share in zip(*pairs, strict=True):
            back = _empty(local, local.shape[1], V + 1)
            back[..., :V] = local
            back[..., V] = share
            gradients.append(back)
        return of_scale.to(scale.dtype), *gradients


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
