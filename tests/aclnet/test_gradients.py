from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aclnet.losses.term import with_gradient
from aclnet.models.channels_last import BatchNorm, mix_joints

STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "loss": lambda x: with_gradient(x.detach().square().sum(), x, 2 * x.detach()),
    "mixed joints": lambda x: mix_joints(
        x, torch.ones(2, 2, 2, 2, 5), torch.ones(2, 2, 5, 5), torch.ones(())
    ),
    "batch norm": lambda x: BatchNorm(4)(x),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_second_derivative_is_refused_and_not_wrong(name: str) -> None:
    x = torch.randn(2, 4, 3, 5, requires_grad=True)
    loss = STEPS[name](x).sum()
    with pytest.raises(RuntimeError, match=r"differentiated only once: leave out create_graph"):
        torch.autograd.grad(loss, x, create_graph=True)
    loss.backward()
    assert x.grad is not None
