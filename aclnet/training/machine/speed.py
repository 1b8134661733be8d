"""Settings that change what a step takes in time and memory, not what it computes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from aclnet.models.encoder import Encoder
from aclnet.training.settings import TrainSettings


@contextmanager
def accelerated(
    task: nn.Module, settings: TrainSettings, remark: Callable[[str], None]
) -> Iterator[None]:
    """Apply the settings to a task while it trains; afterwards it is as before.

    Names and values of parameters and buffers stay the same. After `channels_last` the weights
    stay in that order.

    Args:
        task: holds an encoder.
        settings: `activation_checkpointing`, `channels_last`, `compile`, `tf32`.
        remark: takes a sentence about a setting that has no effect here.

    Raises:
        ValueError: activation checkpointing without an encoder made of blocks.
    """
    with ExitStack() as stack:
        if settings.tf32 is not None:
            stack.enter_context(tf32(settings.tf32))
        if settings.channels_last:
            task.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if settings.activation_checkpointing:
            for block in _blocks(task):
                block.forward = functools.partial(_recomputed, block, block.forward)
                stack.callback(block.__dict__.pop, "forward")
        if settings.compile:
            problem = compiler_problem()
            for encoder in _encoders(task):
                if problem is None:
                    encoder.compile()
                    stack.callback(setattr, encoder, "_compiled_call_impl", None)
            if problem is not None:
                remark(f"train.compile has no effect: no working compiler here ({problem})")
        yield


@functools.cache
def compiler_problem() -> str | None:
    """Why torch.compile does not work here, in a line; None if it does."""
    try:
        torch.compile(_increment, fullgraph=True)(torch.zeros(2))
    except Exception as error:  # of torch, the compiler or the system
        return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    finally:
        torch.compiler.reset()
    return None


def _increment(x: torch.Tensor) -> torch.Tensor:
    return x + 1


def _encoders(task: nn.Module) -> list[nn.Module]:
    return [module for module in task.modules() if isinstance(module, Encoder)]


def _blocks(task: nn.Module) -> list[nn.Module]:
    encoders = _encoders(task)
    groups = [getattr(encoder, "blocks", None) for encoder in encoders]
    found = [list(group) for group in groups if isinstance(group, nn.ModuleList | nn.Sequential)]
    if not found:
        names = ", ".join(type(encoder).__name__ for encoder in encoders) or "the network"
        raise ValueError(
            f"train.activation_checkpointing: {names} is not made of blocks; leave it out"
        )
    return [block for group in found for block in group]


def _recomputed(block: nn.Module, forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    """A block's output, of which only the inputs are kept for the backward pass."""
    if not torch.is_grad_enabled():
        return forward(*inputs, **named)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _restored(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts, **named)


@contextmanager
def _restored(block: nn.Module) -> Iterator[None]:
    """Buffers are as before afterwards: batch norms have counted this batch already."""
    before = [(buffer, buffer.clone()) for buffer in block.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


@contextmanager
def tf32(allowed: bool, *, convolutions: bool = True) -> Iterator[None]:
    """Round the factors of float32 products on a GPU to 10 bits, or not; afterwards as before.

    torch has older and newer names for it and raises where a process mixes them: the older are
    taken, which torch.compile reads, unless the caller has used the newer.

    Args:
        allowed: whether to round.
        convolutions: whether this goes for convolutions too.
    """
    with ExitStack() as stack:
        matmul, cudnn = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn)
        try:
            before = torch.get_float32_matmul_precision()
        except RuntimeError:
            _set(stack, matmul, "fp32_precision", "tf32" if allowed else "ieee")
        else:
            stack.callback(torch.set_float32_matmul_precision, before)
            matmul.allow_tf32 = allowed
        if convolutions:
            try:
                _set(stack, cudnn, "allow_tf32", allowed)
            except RuntimeError:
                _set(stack, cudnn.conv, "fp32_precision", "tf32" if allowed else "ieee")
        yield


def _set(stack: ExitStack, owner: Any, name: str, value: object) -> None:
    """Set an attribute until the stack is closed."""
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)
