"""The graph unit of the affinity GCN: joints mixed by a learned and a dynamic graph.

Released ACLNet backbone, `gcn` of every block, in an equal form that costs less: the two relation
maps are one convolution of the mean over time, the entry and the short cut are one convolution
with one normalisation, and the joints are mixed by one batched matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_TOPOLOGY_MEAN = 0.04  # of the released initial adjacency
_TOPOLOGY_STD = 0.02


class GraphUnit(nn.Module):
    """Dynamic graph convolution in K subsets, each with its own graph.

    With p the entry features, r and q the two relation features (means over time), A the learned
    topology, and a, b two learned scalars, the graph of a channel of subset k is

        A[k] + a * tanh(r[v] - q[w]) + b * softmax_v(sum over the subset's channels of r[v] q[w])

    and the output relu(BN(leave(p graph)) + short cut). The released code keeps K values of a and
    of b but reads the first only; here there is one of each.

    Shapes: (n, c, T, V) to (n, o, T, V); the dynamic part of the graph is (n, V, V).

    Args:
        in_channels: c.
        out_channels: o, at least K.
        joint_count: V.
        subsets: K.
    """

    def __init__(self, in_channels: int, out_channels: int, joint_count: int, subsets: int) -> None:
        super().__init__()
        self.subsets = subsets
        self.inner = out_channels // subsets * subsets  # K * m
        self.has_projection = in_channels != out_channels
        enter = self.inner + (out_channels if self.has_projection else 0)
        self.topology = nn.Parameter(torch.empty(subsets, joint_count, joint_count))
        self.channel_scale = nn.Parameter(torch.zeros(()))
        self.adaptive_scale = nn.Parameter(torch.zeros(()))
        self.enter = nn.Conv2d(in_channels, enter, 1)
        self.enter_norm = nn.BatchNorm2d(enter)
        self.relate = nn.Conv1d(in_channels, 2 * self.inner, 1)
        self.leave = nn.Conv2d(self.inner, out_channels, 1)
        self.leave_norm = nn.BatchNorm2d(out_channels)
        self.reset_topology(None)

    def reset_topology(self, generator: torch.Generator | None) -> None:
        """Draw the learned topology anew: dense, normally distributed, blind to the skeleton."""
        nn.init.normal_(self.topology, _TOPOLOGY_MEAN, _TOPOLOGY_STD, generator=generator)

    def forward(self, x: Tensor, with_graph: bool = False) -> tuple[Tensor, Tensor | None]:
        """Mix the joints of x (n, c, T, V).

        Args:
            x: features.
            with_graph: also return the dynamic part of the graph, averaged over channels.

        Returns:
            Features (n, o, T, V) and the graph (n, V, V), None where it was not asked for.
        """
        n, _, T, V = x.shape
        entered = self.enter_norm(self.enter(x))
        short_cut = entered[:, self.inner :] if self.has_projection else x
        features = torch.relu(entered[:, : self.inner])
        graph, dynamic = self._graph(x, with_graph)
        mixed = torch.bmm(features.reshape(-1, T, V), graph.reshape(-1, V, V))
        left = self.leave_norm(self.leave(mixed.reshape(n, self.inner, T, V)))
        return left.add_(short_cut).relu_(), dynamic

    def _graph(self, x: Tensor, with_graph: bool) -> tuple[Tensor, Tensor | None]:
        """The whole graph (n, K, m, V, V) and the mean of its dynamic part (n, V, V)."""
        relations = self.relate(x.mean(dim=2))  # a mean over time commutes with the convolution
        rows, columns = relations.unflatten(1, (2, self.subsets, -1)).unbind(1)  # (n, K, m, V)
        differences = torch.tanh(rows.unsqueeze(-1) - columns.unsqueeze(-2))
        attention = torch.softmax(rows.transpose(-1, -2) @ columns, dim=-2)  # columns sum to one
        shared = self.topology + self.adaptive_scale * attention
        graph = torch.addcmul(shared.unsqueeze(2), differences, self.channel_scale)
        if not with_graph:
            return graph, None
        by_channel = self.channel_scale * differences.mean(dim=(1, 2))
        return graph, by_channel + self.adaptive_scale * attention.mean(dim=1)
