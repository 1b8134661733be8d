"""One rank of `test_distributed.py`: OUT RANK WORLD STORE."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from aclnet import distributed


def main(out: Path, rank: int, world: int, store: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    rows = 3 - 2 * rank  # 3 rows on rank 0, 1 on rank 1
    numbers = torch.arange(rows * 2).reshape(rows, 2) + 100 * rank
    own = numbers.double().requires_grad_()
    joined = distributed.join_rows(own)
    loss = distributed.undo_gradient_average((joined**2).mean())
    torch.autograd.backward(loss)
    empty = numbers[:0] if rank == 0 else numbers
    found = {
        "rank": distributed.rank(),
        "world": distributed.world_size(),
        "counts": distributed.row_counts(numbers),
        "integers": distributed.all_gather_rows(numbers),
        "booleans": distributed.all_gather_rows(numbers % 3 == 0),
        "one_empty": distributed.all_gather_rows(empty),
        "given": distributed.all_gather_rows(own, (3, 1)),
        "joined": joined.detach(),
        "loss": loss.detach(),
        "gradient": own.grad,
    }
    torch.save(found, out / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
