"""One rank of `test_batch_norm.py`: OUT RANK WORLD STORE."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from aclnet.distributed import join_rows, undo_gradient_average
from aclnet.models.batch_norm import UntrackedBatchNorm, synchronise_batch_norm

ROWS = ((5, 3), (1, 4), (3, 0), (8, 8))
"""Rows of the two ranks in each step: uneven, one alone, none on one rank, even."""

NETWORKS = {
    "1d": lambda: nn.Sequential(
        nn.BatchNorm1d(6, affine=False), nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)
    ),
    "2d": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 3, 1)), nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4, momentum=None),
        nn.Flatten(), nn.Linear(12, 2),
    ),
    "untracked": lambda: nn.Sequential(nn.Linear(6, 6), UntrackedBatchNorm(6), nn.Linear(6, 2)),
}  # fmt: skip


def train(name: str, rank: int, world: int) -> dict[str, Any]:
    """Train on a rank's share of each step's rows; returns the state and the outputs at the end."""
    torch.manual_seed(0)
    network = NETWORKS[name]().double()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.affine:
            nn.init.normal_(layer.weight)
    synchronise_batch_norm(network)
    whole = network if world == 1 else DistributedDataParallel(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(1)
    for rows in ROWS:
        # Far from 0, where a difference of large sums would lose digits.
        clips = 1e3 + torch.randn(sum(rows), 6, generator=generator, dtype=torch.float64)
        targets = torch.randn(sum(rows), 2, generator=generator, dtype=torch.float64)
        mine = [slice(0, rows[0]), slice(rows[0], None)][rank] if world == 2 else slice(None)
        joined: Tensor = join_rows(whole(clips[mine]))
        loss = undo_gradient_average((joined - targets).square().mean())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    network.eval()
    return {"state": network.state_dict(), "output": network(clips).detach()}


def main(out: Path, rank: int, world: int, store: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    torch.save({name: train(name, rank, world) for name in NETWORKS}, out / f"rank{rank}.pt")
    gc.collect()  # networks hold the group, which must not be freed with the interpreter
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
