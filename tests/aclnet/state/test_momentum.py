from __future__ import annotations

import torch
from torch import nn

from aclnet.state.momentum import SlowCopy


def test_parameters_follow_and_statistics_do_not() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    copy = SlowCopy(network, 0.9)
    start = network[0].weight.detach().clone()
    with torch.no_grad():
        network[0].weight.add_(1)
    network(torch.randn(8, 2))
    copy.follow(network)
    torch.testing.assert_close(copy.network[0].weight, start + 0.1)
    assert copy.state_dict()["network.1.num_batches_tracked"] == 0
    assert not any(p.requires_grad for p in copy.parameters())
    assert all(p.requires_grad for p in network.parameters())
