"""The temporal unit of the affinity GCN: six branches over time and a global joint.

Released ACLNet backbone, `tcn` of every block, in an equal form that costs less: the branches'
entries are one convolution with one normalisation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_DILATIONS = (1, 2, 3, 4)
_BRANCHES = len(_DILATIONS) + 2


class TemporalUnit(nn.Module):
    """Four dilated convolutions, a maximum and a pointwise branch over the frames.

    The mean over the joints is carried along as one more joint; each joint takes a learned share
    of it at the end.

    Shapes: (n, o, T, V) to (n, o, ceil(T / stride), V).

    Args:
        channels: o, at least the six branches; the first branch takes what a division by six
            leaves over.
        joint_count: V.
        stride: frames a step.
    """

    def __init__(self, channels: int, joint_count: int, stride: int = 1) -> None:
        super().__init__()
        width = channels // _BRANCHES
        self.stride = stride
        self.active = channels - width  # channels of all branches but the pointwise one
        first = channels - (_BRANCHES - 1) * width
        self.widths = [first] + [width] * (_BRANCHES - 2)
        self.global_scale = nn.Parameter(torch.zeros(joint_count))
        self.squeeze = nn.Conv2d(channels, channels, 1)
        self.squeeze_norm = nn.BatchNorm2d(self.active)
        self.dilated = nn.ModuleList(
            nn.Conv2d(w, w, (3, 1), (stride, 1), padding=(d, 0), dilation=(d, 1))
            for w, d in zip(self.widths, _DILATIONS, strict=False)
        )
        self.mix_norm = nn.BatchNorm2d(channels)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.out_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the frames of x (n, o, T, V)."""
        x = torch.cat([x, x.mean(dim=3, keepdim=True)], dim=3)
        branches = self._branches(x)
        local, common = branches[..., :-1], branches[..., -1:]
        x = torch.addcmul(local, common, self.global_scale)
        out: Tensor = self.out_norm(self.mix(self.mix_norm(x).relu_()))
        return out

    def _branches(self, x: Tensor) -> Tensor:
        weight, bias = self.squeeze.weight, self.squeeze.get_parameter("bias")
        n = self.active
        squeezed = functional.conv2d(x, weight[:n], bias[:n])
        # The pointwise branch needs only the frames that stay.
        pointwise = functional.conv2d(x[:, :, :: self.stride], weight[n:], bias[n:])
        parts = self.squeeze_norm(squeezed).relu_().split(self.widths, dim=1)
        outputs = [conv(part) for conv, part in zip(self.dilated, parts, strict=False)]
        outputs.append(functional.max_pool2d(parts[-1], (3, 1), (self.stride, 1), (1, 0)))
        outputs.append(pointwise)
        return torch.cat(outputs, dim=1)
