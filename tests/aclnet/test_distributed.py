from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from aclnet import distributed


def test_without_a_group_there_is_one_rank() -> None:
    rows = torch.arange(6.0).reshape(3, 2).requires_grad_()
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.row_counts(rows) == (3,)
    assert distributed.sum_over_ranks(rows) is rows
    assert torch.equal(distributed.all_gather_rows(rows), rows)
    assert not distributed.all_gather_rows(rows).requires_grad
    torch.autograd.backward(distributed.undo_gradient_average(distributed.join_rows(rows).sum()))
    assert rows.grad is not None
    assert torch.equal(rows.grad, torch.ones(3, 2))


@pytest.mark.ddp
def test_two_ranks_join_uneven_rows(two_ranks: Callable[..., Path]) -> None:
    out = two_ranks(Path(__file__).with_name("distributed_ranks.py"))
    everything = torch.tensor([[0, 1], [2, 3], [4, 5], [100, 101]])
    alone = everything.double().requires_grad_()
    torch.autograd.backward((alone**2).mean())
    assert alone.grad is not None
    gradients = []
    for rank in range(2):
        found = torch.load(out / f"rank{rank}.pt", weights_only=True)
        assert (found["rank"], found["world"]) == (rank, 2)
        assert tuple(found["counts"]) == (3, 1)
        assert torch.equal(found["integers"], everything)
        assert torch.equal(found["booleans"], everything % 3 == 0)
        assert torch.equal(found["one_empty"], everything[3:])
        assert torch.equal(found["given"], everything.double())
        assert torch.equal(found["joined"], everything.double())
        assert torch.equal(found["loss"], (everything.double() ** 2).mean())
        gradients.append(found["gradient"])
    # Averaged over the ranks, each row's gradient is half of what its own rank holds.
    torch.testing.assert_close(torch.cat(gradients) / 2, alone.grad)
