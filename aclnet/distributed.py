"""Several ranks as one: sums, joined rows, and gradients that survive averaging.

All functions also work without a process group, as with one rank. Every rank computes a loss of
the whole batch over the joined rows, of which only its own have a gradient. The sum of the ranks'
gradients is then the gradient of one rank with the joined batch. `DistributedDataParallel` averages
instead of summing, which `undo_gradient_average` compensates. Ranks may have unequal batches.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from aclnet.gradients import refuse_second_derivative

T = TypeVar("T")
_SHARING: ContextVar[bool] = ContextVar("sharing", default=False)


def world_size() -> int:
    """Number of ranks; 1 without a process group."""
    return dist.get_world_size() if _grouped() else 1


def rank() -> int:
    """This process's rank; 0 without a process group."""
    return dist.get_rank() if _grouped() else 0


@torch.no_grad()
def row_counts(tensor: Tensor) -> tuple[int, ...]:
    """Number of rows of each rank, in rank order.

    With several ranks the host waits for the device here, because the counts are shapes: call it
    once a step and pass the result to `all_gather_rows` and `join_rows`.

    Args:
        tensor: (N, ...), N of this rank.

    Returns:
        One count a rank.
    """
    if world_size() == 1:
        return (tensor.shape[0],)
    own = torch.tensor([tensor.shape[0]], dtype=torch.int64, device=tensor.device)
    parts = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(parts, own)
    return tuple(torch.cat(parts).tolist())


@torch.no_grad()
def all_gather_rows(tensor: Tensor, counts: Sequence[int] | None = None) -> Tensor:
    """Join the rows of all ranks, in rank order.

    Args:
        tensor: (N, ...); only N may differ between ranks, and may be 0.
        counts: the result of `row_counts`, if it is known.

    Returns:
        (sum of N, ...), the same on every rank, without gradient.
    """
    tensor = tensor.detach()
    if world_size() == 1:
        return tensor
    counts = row_counts(tensor) if counts is None else counts
    # Collectives need one shape on all ranks, and not every backend sends booleans.
    rows = tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor
    padded = rows.new_zeros((max(counts), *rows.shape[1:]))
    padded[: rows.shape[0]] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    joined = torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])
    return joined.to(tensor.dtype)


def join_rows(tensor: Tensor, counts: Sequence[int] | None = None) -> Tensor:
    """Join the rows of all ranks and keep the gradient of this rank's own rows.

    Args:
        tensor: (N, ...) of this rank.
        counts: the result of `row_counts`, if it is known.

    Returns:
        (sum of N, ...); equal on every rank, with gradient to this rank's part only.
    """
    if world_size() == 1:
        return tensor
    counts = row_counts(tensor) if counts is None else counts
    everyone = all_gather_rows(tensor, counts)
    start = sum(counts[: rank()])
    return torch.cat([everyone[:start], tensor, everyone[start + tensor.shape[0] :]])


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all ranks, with gradient.

    Args:
        tensor: of one shape and dtype on all ranks, which must all call this.

    Returns:
        The same shape, equal on every rank. The gradient of each rank's tensor is the sum of all
        ranks' gradients of the result, as each rank's loss depends on it.
    """
    if world_size() == 1:
        return tensor
    total: Tensor = _SumOverRanks.apply(tensor)  # type: ignore[no-untyped-call]
    return total


class _SumOverRanks(torch.autograd.Function):
    """The sum over all ranks, of values forward and of gradients backward."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        del ctx
        return _summed(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        refuse_second_derivative()
        return _summed(gradients[0])


def _summed(tensor: Tensor) -> Tensor:
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def undo_gradient_average(loss: Tensor) -> Tensor:
    """Multiply the gradient of a joined loss by the number of ranks, but not its value.

    Args:
        loss: a loss over `join_rows`, the same value on every rank.

    Returns:
        The same value, whose gradients, averaged over the ranks, are those of one rank with the
        joined batch.
    """
    ranks = world_size()
    if ranks == 1:
        return loss
    return loss.detach() + ranks * (loss - loss.detach())


def gather_objects(value: T) -> list[T]:
    """The values of all ranks, in rank order; any that can be pickled."""
    if world_size() == 1:
        return [value]
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, value)
    return found


def in_agreement(work: Callable[[], T]) -> T:
    """Do something on every rank that may fail on some, such as read a file of this machine.

    Returns:
        This rank's result.

    Raises:
        ValueError: on every rank, if the work raised ValueError or OSError on any, so that no rank
            waits for another that has ended.
    """
    if world_size() == 1:
        return work()
    result, failure = None, ""
    try:
        result = work()
    except (ValueError, OSError) as error:
        failure = str(error)
    told = gather_objects((failure, socket.gethostname()))
    failed = [number for number, (sentence, _) in enumerate(told) if sentence]
    if failed:
        sentence, host = told[failed[0]]
        where = "" if failed[0] == 0 else f"on rank {failed[0]} ({host}): "
        raise ValueError(f"{where}{sentence}")
    return result  # type: ignore[return-value]


def require_same(value: Any, sentence: str) -> None:
    """Check that all ranks have the same value.

    Raises:
        ValueError: on every rank, if they have not; with the sentence.
    """
    # All are compared with rank 0's, so that all ranks come to one answer.
    first, *others = gather_objects(value)
    if any(other != first for other in others):
        raise ValueError(sentence)


@contextmanager
def every_rank() -> Iterator[None]:
    """While entered, all ranks do the same work, and may share it (`aclnet.runs.turns`)."""
    token = _SHARING.set(world_size() > 1)
    try:
        yield
    finally:
        _SHARING.reset(token)


def is_shared() -> bool:
    """Whether all ranks do what this one does, and there are several."""
    return _SHARING.get()


@torch.no_grad()
def copy_from_first(module: nn.Module) -> None:
    """Give all ranks the weights and buffers of rank 0; batch norms may have seen other clips."""
    for tensor in (*module.parameters(), *module.buffers()):
        # Not every backend sends booleans, and none what is not contiguous.
        sent = tensor.to(torch.uint8 if tensor.dtype == torch.bool else tensor.dtype).contiguous()
        dist.broadcast(sent, 0)
        tensor.copy_(sent)


def _grouped() -> bool:
    return dist.is_available() and dist.is_initialized()
