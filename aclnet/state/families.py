"""Motion families: the classes that a class is confused with, directly or through others.

From the confusion counts H to families in three steps (Eq. 3-6), all in integers: the K nearest
classes of each class, the number of them that two classes share, and the classes whose affinity
weight exceeds a threshold.

Few classes: with C classes a row has at most C - 1 neighbours (C in the released code, which may
list the class itself); the threshold stays the share n_a / K of the nominal K, so that it means
the same for any C. Thousands of classes: almost all counts are zero, so they are read once, for the
largest of each stretch of classes, and only the best stretches are sorted; shared neighbours are
counted through the K short lists, C^2 K additions of bytes instead of a C^3 product. Besides the
buffers (C^2 bytes of families) two tables of C^2 bytes are held. No shape depends on the counts, so
that the host never waits for the device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aclnet.state.variant import Variant

BLOCK_BYTES = 1 << 20
"""Shared neighbours are counted for so many pairs of classes at a time, within the cache."""


def nearest_classes(counts: Tensor, neighbours: int, variant: Variant) -> Tensor:
    """The classes that each class is confused with most.

    Source: Eq. 3. Ties go to the smaller class index. `paper`: other classes with at least one
    confusion, so a list may be short. `released`: the largest counts, zeros included, and the
    class itself (whose count is 0) not excluded.

    Args:
        counts: (C, C) int64, not negative.
        neighbours: K.
        variant: paper or released.

    Returns:
        (C, min(K, C)) int64, best first; C marks an empty place.

    >>> counts = torch.tensor([[0, 5, 5], [0, 0, 0], [1, 0, 0]])
    >>> nearest_classes(counts, 1, "paper").tolist()
    [[1], [3], [0]]
    """
    class_count = counts.shape[0]
    columns = _hopeful_columns(counts, neighbours + 1)  # one more: the class itself may be dropped
    inside = columns < class_count
    found = counts.gather(1, columns.clamp(max=class_count - 1))
    # One number orders by count and then by smaller index, the same on every device.
    keys = found * class_count + (class_count - 1 - columns)
    if variant == "paper":
        itself = torch.arange(class_count, device=counts.device)[:, None]
        inside &= (found > 0) & (columns != itself)
    best, place = keys.masked_fill_(~inside, -1).topk(min(neighbours, class_count), dim=1)
    return columns.gather(1, place).masked_fill(best < 0, class_count)


def _hopeful_columns(counts: Tensor, number: int) -> Tensor:
    """Columns (C, W) among which are the `number` largest counts of each row, the first of ties.

    The row is cut into stretches; the stretches with the largest maxima hold the largest counts.
    Columns of C and more are past the end of the last stretch.
    """
    class_count = counts.shape[0]
    length = max(1, math.isqrt(class_count // number))
    whole = class_count // length
    tops = counts[:, : whole * length].view(class_count, whole, length).amax(dim=2)
    if whole * length < class_count:
        tops = torch.cat([tops, counts[:, whole * length :].amax(dim=1, keepdim=True)], dim=1)
    stretches = tops.shape[1]
    earlier = stretches - 1 - torch.arange(stretches, device=counts.device)
    chosen = (tops * stretches + earlier).topk(min(number, stretches), dim=1).indices
    places = torch.arange(length, device=counts.device)
    columns: Tensor = chosen[:, :, None] * length + places
    return columns.flatten(1)


def membership_table(lists: Tensor) -> Tensor:
    """Which classes list a class: Eq. 4 transposed, with one more row for empty places.

    Args:
        lists: (C, K) from `nearest_classes`.

    Returns:
        (C + 1, C) uint8; [p, i] is 1 where p is a neighbour of i, the last row is 0.
    """
    class_count = lists.shape[0]
    table = torch.zeros(class_count + 1, class_count, dtype=torch.uint8, device=lists.device)
    table.scatter_(0, lists.t(), 1)
    table[class_count] = 0
    return table


def family_members(
    lists: Tensor, neighbours: int, overlap: int, variant: Variant, context: bool = True
) -> Tensor:
    """Members of the motion families.

    Source: Eq. 5 and 6, `w > n_a / K`, where w is 1/2 for a neighbour plus the share of the class's
    neighbours that are the other's too; compared in integers, so that a weight exactly at the
    threshold never depends on rounding. `released`: neighbours, or more than n_a shared. By Eq. 5 a
    class has the weight 1 with itself, but a family consists of the others: a class belongs to its
    own only if it is among its neighbours (released).

    Args:
        lists: (C, K) from `nearest_classes`, K <= 255.
        neighbours: nominal K.
        overlap: n_a, at most 255.
        variant: paper or released.
        context: whether shared neighbours count; else a family is the neighbours, whatever n_a is:
            the pairwise part of Eq. 5 alone.

    Returns:
        (C, C) bool.
    """
    class_count, width = lists.shape
    table = membership_table(lists)
    if not context:
        return table[:-1].t().bool().contiguous()
    empty = lists == class_count
    sizes = (~empty).sum(dim=1, keepdim=True)
    itself = torch.arange(class_count, device=lists.device)[:, None]
    listed = torch.where(empty, itself, lists)  # an empty place stands for the class itself
    enough = torch.full_like(sizes, overlap)
    if variant == "paper":
        enough = (overlap * sizes).div(neighbours, rounding_mode="floor")
    members = torch.empty(class_count, class_count, dtype=torch.bool, device=lists.device)
    near = torch.empty_like(lists)
    height = max(1, BLOCK_BYTES // class_count)
    for start in range(0, class_count, height):
        rows = slice(start, min(start + height, class_count))
        shared = torch.zeros_like(table[rows])
        found = torch.empty_like(shared)
        for place in range(width):
            torch.index_select(table, 0, lists[rows, place], out=found)
            shared += found
        torch.gt(shared, enough[rows].to(torch.uint8), out=members[rows])
        near[rows] = shared.gather(1, listed[rows]).to(torch.int64)
    belongs = torch.ones_like(empty)
    if variant == "paper":
        belongs = ~empty & (neighbours * (sizes + 2 * near) > 2 * overlap * sizes)
    return members.fill_diagonal_(False).scatter_(1, listed, belongs)


class MotionFamilies(nn.Module):
    """Buffers: `nearest` (C, K) int64, `members` (C, C) bool, `built_epoch` () int64 (0: never).

    Row i of `members` holds the members of the family W(i).

    Args:
        class_count: C.
        neighbours: K, at most 255 (shared neighbours are counted in bytes).
        overlap: n_a, at most 255.
        variant: paper or released.
        context: whether classes that share neighbours are a family too.
    """

    nearest: Tensor
    members: Tensor
    built_epoch: Tensor

    def __init__(
        self,
        class_count: int,
        neighbours: int,
        overlap: int,
        variant: Variant,
        context: bool = True,
    ) -> None:
        super().__init__()
        self.context = context
        self.neighbours = neighbours
        self.overlap = overlap
        self.variant: Variant = variant
        empty = torch.full((class_count, min(neighbours, class_count)), class_count)
        self.register_buffer("nearest", empty)
        self.register_buffer("members", torch.zeros(class_count, class_count, dtype=torch.bool))
        self.register_buffer("built_epoch", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def rebuild(self, counts: Tensor, epoch: int) -> None:
        """Rebuild the families from the counts so far.

        Args:
            counts: (C, C) int64.
            epoch: the epoch in which this happens, 1-based.
        """
        lists = nearest_classes(counts, self.neighbours, self.variant)
        self.nearest.copy_(lists)
        self.members.copy_(
            family_members(lists, self.neighbours, self.overlap, self.variant, self.context)
        )
        self.built_epoch.fill_(epoch)
