"""Gradients written by hand: to autograd they are constants, without a gradient of their own."""

from __future__ import annotations

import torch


def refuse_second_derivative() -> None:
    """Stop a backward pass whose own gradient is asked for; call it first in `backward`.

    `torch.autograd.function.once_differentiable` lets it pass, and the result be wrong, where the
    incoming gradient is a constant, as it is of a loss. torch.compile refuses by itself.

    Raises:
        RuntimeError: the pass is run with `create_graph=True`.
    """
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        raise RuntimeError(
            "this step of aclnet can be differentiated only once: leave out create_graph=True"
        )
