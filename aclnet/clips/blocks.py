"""Batches of clips worked on in blocks that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_BLOCK_BYTES = 256 * 1024


def by_blocks(make: Callable[..., Tensor], clips: Tensor, *others: Tensor) -> Tensor:
    """What `make` makes of a batch of clips, each by itself.

    On the CPU a few clips at a time: intermediate results are then small, so that they neither
    leave the cache nor take new memory from the system, which costs more than the arithmetic. The
    result is the same. Elsewhere, and while a network is compiled or exported, all clips at once.

    Args:
        make: of the rows of `clips` and `others`, as many rows; each row depends on its own alone.
        clips: (N, ...).
        others: (N, ...) each.

    Returns:
        (N, ...).
    """
    if torch.compiler.is_compiling() or clips.device.type != "cpu" or clips.requires_grad:
        return make(clips, *others)
    if clips.nbytes <= 2 * _BLOCK_BYTES:
        return make(clips, *others)
    step = max(1, _BLOCK_BYTES * len(clips) // clips.nbytes)
    made = None
    for start in range(0, len(clips), step):
        rows = slice(start, start + step)
        block = make(clips[rows], *(other[rows] for other in others))
        if made is None:
            made = block.new_empty(len(clips), *block.shape[1:])
        made[rows] = block
    return clips if made is None else made
