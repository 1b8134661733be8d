"""The temporal unit of CTR-GCN: branches over time of several reaches.

Chen et al. 2021, section 3.4 (after Liu et al. 2020, MS-G3D), as released, in an equal form that
costs less: the branches' entries are one convolution, and so are their normalisations, since both
act on each channel by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class MultiScaleUnit(nn.Module):
    """A dilated convolution for each dilation, a maximum and a pointwise branch over the frames.

    Each branch but the pointwise one enters through a pointwise convolution, normalisation and
    ReLU; all end in a normalisation, and their channels stand side by side.

    Shapes: (n, o, T, V) to (n, o, ceil(T / stride), V).

    Args:
        channels: o, at least one a branch; the first branch takes what a division leaves over.
        kernel: frames that a dilated convolution sees; odd.
        dilations: one a branch.
        stride: frames a step.
    """

    def __init__(
        self, channels: int, kernel: int, dilations: Sequence[int], stride: int = 1
    ) -> None:
        super().__init__()
        branches = len(dilations) + 2
        width = channels // branches
        self.stride = stride
        self.active = channels - width  # channels of all branches but the pointwise one
        self.widths = [channels - (branches - 1) * width] + [width] * (branches - 2)
        self.enter = nn.Conv2d(channels, channels, 1)
        self.enter_norm = nn.BatchNorm2d(self.active)
        self.dilated = nn.ModuleList(
            nn.Conv2d(w, w, (kernel, 1), (stride, 1), (kernel // 2 * d, 0), (d, 1))
            for w, d in zip(self.widths, dilations, strict=False)
        )
        self.out_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the frames of x (n, o, T, V)."""
        weight, bias = self.enter.weight, self.enter.get_parameter("bias")
        n = self.active
        entered = self.enter_norm(functional.conv2d(x, weight[:n], bias[:n])).relu_()
        # The pointwise branch needs only the frames that stay.
        pointwise = functional.conv2d(x[:, :, :: self.stride], weight[n:], bias[n:])
        parts = entered.split(self.widths, dim=1)
        outputs = [conv(part) for conv, part in zip(self.dilated, parts, strict=False)]
        outputs.append(functional.max_pool2d(parts[-1], (3, 1), (self.stride, 1), (1, 0)))
        out: Tensor = self.out_norm(torch.cat([*outputs, pointwise], dim=1))
        return out
