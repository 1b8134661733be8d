from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from aclnet.models.batch_norm import SynchronisedBatchNorm, synchronise_batch_norm

SCRIPT = Path(__file__).with_name("batch_norm_ranks.py")


@pytest.mark.ddp
def test_two_ranks_normalise_as_one(two_ranks: Callable[..., Path]) -> None:
    """Weights, running averages and outputs after uneven batches are those of one rank."""
    out = two_ranks(SCRIPT)
    script = runpy.run_path(str(SCRIPT), run_name="ranks")
    runs = [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    for name in script["NETWORKS"]:
        alone = script["train"](name, 0, 1)
        for run in runs:
            torch.testing.assert_close(run[name], alone, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(3), (8, 3)),
        (nn.BatchNorm1d(3, affine=False), (8, 3, 5)),
        (nn.BatchNorm2d(3, momentum=None), (4, 3, 5, 2)),
    ],
)
def test_one_rank_is_as_before(layer: nn.Module, shape: tuple[int, ...]) -> None:
    inside = nn.Sequential(layer)
    inside(torch.randn(shape))  # so that the averages are not those of a new layer
    before = {name: value.clone() for name, value in inside.state_dict().items()}
    weights = list(inside.parameters())
    clips = torch.randn(shape)
    plain = inside(clips).detach()
    after = {name: value.clone() for name, value in inside.state_dict().items()}
    inside.load_state_dict(before)
    synchronise_batch_norm(inside)
    assert isinstance(inside[0], SynchronisedBatchNorm)
    # The same parameters: an optimizer or a checkpoint that has them goes on.
    assert all(one is other for one, other in zip(inside.parameters(), weights, strict=True))
    assert torch.equal(inside(clips), plain)
    assert all(torch.equal(value, after[name]) for name, value in inside.state_dict().items())
    assert not synchronise_batch_norm(inside.eval())[0].training


def test_a_frozen_bias_stays_frozen() -> None:
    neck = nn.BatchNorm1d(3)
    neck.bias.requires_grad_(False)
    whole = synchronise_batch_norm(nn.Sequential(neck))
    assert [one.requires_grad for one in whole.parameters()] == [True, False]
