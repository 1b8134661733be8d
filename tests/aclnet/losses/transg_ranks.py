"""One step of TranSG's objective, as one rank of several or alone: OUT RANK WORLD STORE."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from aclnet.losses.settings import TransgObjectiveSettings
from aclnet.losses.transg import TransgObjective


def gradients(rank: int, world: int) -> dict[str, Tensor]:
    """Gradients and loss of this rank's share of a batch of 5."""
    generator = torch.Generator().manual_seed(0)
    settings = TransgObjectiveSettings(dropped_joints=0, dropped_frames=0)  # nothing is drawn
    objective = TransgObjective(settings, 3, 6, (4, 7, 2), generator).double()
    objective.store_prototypes(torch.randn(3, 6, generator=generator), 1)
    model = objective if world == 1 else DistributedDataParallel(objective)
    sizes = ((5, 4, 7, 6), (5, 4, 7, 2))
    batch = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
    batch.append(torch.tensor([0, 2, 1, 1, 0]))
    parts = model(*(each.tensor_split(world)[rank] for each in batch))
    parts["loss"].backward()
    found = {name: weight.grad for name, weight in objective.named_parameters()}
    return {**found, "loss": parts["loss"].detach()}


def main(out: Path, rank: int, world: int, store: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    torch.save(gradients(rank, world), out / f"rank{rank}.pt")
    gc.collect()  # networks hold the group, which must not be freed with the interpreter
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
