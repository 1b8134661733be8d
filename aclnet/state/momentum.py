"""A slow copy of a network: the moving average of its parameters."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

Network = TypeVar("Network", bound=nn.Module)


class SlowCopy(nn.Module, Generic[Network]):
    """A copy whose parameters follow those of the network, in every checkpoint.

    The momentum encoder of He et al., "Momentum contrast for unsupervised visual representation
    learning" (MoCo), CVPR 2020, Eq. 2. Only parameters are averaged: the copy has its own
    statistics of batch normalisations.

    Args:
        network: to copy as it is now; it is not kept.
        momentum: share of the past in each step, 0 to below 1.

    Attributes:
        network: the copy.
    """

    network: Network

    def __init__(self, network: Network, momentum: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._average = get_ema_multi_avg_fn(momentum)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def follow(self, network: Network) -> None:
        """One step towards the network's parameters, equal on every rank as those are."""
        self._average(list(self.network.parameters()), list(network.parameters()), 0)
