"""The modules that ResGCN is stacked from: a spatial block, a temporal block, a short cut.

Song et al. 2020 (ResGCN). Attribute names are those of published checkpoints: `scn` is the spatial
block, `tcn` the temporal one, `edge` the learned weight of each entry of the adjacency.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

HOPS = 3  # hop distances 0, 1 and 2 are convolved
_WINDOW = 9  # frames
_LINEAR_STD = 0.001


class ResGcnModule(nn.Module):
    """Spatial block, then temporal block; (n, c, T, V) to (n, o, ceil(T / stride), V).

    Args:
        in_channels: c.
        out_channels: o.
        edge_shape: (hops, V, V).
        stride: frames a step.
        reduction: how far the bottlenecks narrow; None: plain blocks without any short cut.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_shape: tuple[int, int, int],
        stride: int,
        reduction: int | None,
    ) -> None:
        super().__init__()
        self.scn: nn.Module
        self.tcn: nn.Module
        if reduction is None:
            self.scn = _SpatialBasic(in_channels, out_channels)
            self.tcn = _TemporalBasic(out_channels, stride)
        else:
            self.scn = _SpatialBottleneck(in_channels, out_channels, reduction)
            self.tcn = _TemporalBottleneck(out_channels, stride, reduction)
        self.edge = nn.Parameter(torch.ones(edge_shape))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Features x (n, c, T, V) over the graph adjacency (hops, V, V)."""
        out: Tensor = self.tcn(self.scn(x, adjacency * self.edge))
        return out


class _HopConv(nn.Module):
    """One pointwise convolution a hop distance, each over its own adjacency, summed."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.gcn = nn.Conv2d(in_channels, out_channels * HOPS, 1)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        by_hop = self.gcn(x).unflatten(1, (HOPS, -1))
        return torch.einsum("nkctv,kvw->nctw", by_hop, graph)


class _SpatialBasic(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = _HopConv(in_channels, out_channels)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x, graph)))


class _SpatialBottleneck(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, reduction: int) -> None:
        super().__init__()
        inner = out_channels // reduction
        self.residual = _short_cut(in_channels, out_channels, 1)
        self.conv_down = nn.Conv2d(in_channels, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = _HopConv(inner, inner)
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, out_channels, 1)
        self.bn_up = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        narrow = torch.relu(self.bn_down(self.conv_down(x)))
        narrow = torch.relu(self.bn(self.conv(narrow, graph)))
        return torch.relu(self.bn_up(self.conv_up(narrow)) + self.residual(x))


class _TemporalBasic(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = _over_time(channels, stride)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)))


class _TemporalBottleneck(nn.Module):
    def __init__(self, channels: int, stride: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.residual = _short_cut(channels, channels, stride)
        self.conv_down = nn.Conv2d(channels, inner, 1)
        self.bn_down = nn.BatchNorm2d(inner)
        self.conv = _over_time(inner, stride)
        self.bn = nn.BatchNorm2d(inner)
        self.conv_up = nn.Conv2d(inner, channels, 1)
        self.bn_up = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        narrow = torch.relu(self.bn_down(self.conv_down(x)))
        narrow = torch.relu(self.bn(self.conv(narrow)))
        return torch.relu(self.bn_up(self.conv_up(narrow)) + self.residual(x))


def _over_time(channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, (_WINDOW, 1), (stride, 1), (_WINDOW // 2, 0))


def _short_cut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
    )


def reset_resgcn(module: nn.Module, generator: torch.Generator | None) -> None:
    """Draw GaitGraph's initial weights for everything below `module`.

    Convolutions: normal with variance 2 / fan-out (He et al. 2015), bias zero; linear layers:
    normal with deviation 0.001, bias zero; the last normalisation of each bottleneck starts at
    zero, so that it begins as its short cut.

    Args:
        module: changed in place, in the order of definition.
        generator: source of the draws, on the parameters' device; None: torch's default generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels * math.prod(layer.kernel_size)
            nn.init.normal_(layer.weight, std=math.sqrt(2.0 / fan_out), generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=_LINEAR_STD, generator=generator)
        elif isinstance(layer, _SpatialBottleneck | _TemporalBottleneck):
            nn.init.zeros_(layer.bn_up.weight)
            continue
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
