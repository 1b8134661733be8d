"""A network's output on many clips, block by block, by all ranks in turn."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from aclnet.distributed import (
    all_gather_rows,
    copy_from_first,
    is_shared,
    rank,
    row_counts,
    sum_over_ranks,
    world_size,
)
from aclnet.training.machine.interrupts import Signalled, StopRequest

BlockT = TypeVar("BlockT")


def in_turns(
    network: nn.Module,
    blocks: Sequence[BlockT],
    compute: Callable[[BlockT], tuple[Tensor, ...]],
) -> Iterator[tuple[BlockT, tuple[Tensor, ...]]]:
    """Compute all blocks, in order; where all ranks do so (`every_rank`), each its share.

    A block is computed by one rank, as it would be by a single one, so that the tensors are the
    same to the last bit on ranks of one kind of machine. A signal at one rank stops all.

    Args:
        network: what computes; all ranks get the weights and buffers of rank 0.
        blocks: the same on every rank.
        compute: gives tensors (N, ...) of a block; only N may differ between blocks.

    Yields:
        A block and its tensors; every block on every rank.

    Raises:
        Signalled: a rank was asked to stop.
    """
    if not is_shared():
        for block in blocks:
            yield block, compute(block)
        return
    copy_from_first(network)
    ranks = world_size()
    for first in range(0, len(blocks), ranks):
        some = blocks[first : first + ranks]
        # Ranks without a block compute the last one again, and it is not used.
        own = compute(some[min(rank(), len(some) - 1)])
        _stop_together(own[0].device)
        counts = row_counts(own[0])
        gathered = [torch.split(all_gather_rows(tensor, counts), list(counts)) for tensor in own]
        for number, block in enumerate(some):
            yield block, tuple(tensors[number] for tensors in gathered)


def _stop_together(device: torch.device) -> None:
    own = StopRequest.asked()
    if int(sum_over_ranks(torch.tensor(own, device=device))):
        raise Signalled(own or signal.SIGTERM)
