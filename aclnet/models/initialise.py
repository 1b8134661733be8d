"""Initial weights from a generator that is passed in."""

from __future__ import annotations

import math

import torch
from torch import nn


def reset_layers(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all convolutions and linear layers below `module` anew.

    The distribution is PyTorch's own default for these layers (He et al. 2015 with a = sqrt 5):
    weight and bias uniform in plus or minus 1 / sqrt(fan-in). Normalisations keep weight 1, bias 0.

    Args:
        module: changed in place, layer by layer in the order of definition.
        generator: source of the draws, on the parameters' device; None: torch's default generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            bound = 1.0 / math.sqrt(layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
