"""Motion families: the classes that a class is confused with, directly or through others.

From the confusion counts H to families in three steps (Eq. 3-6), all in integers: the K nearest
classes of each class, the number of them that two classes share, and the classes whose affinity
weight exceeds a threshold.

Few classes: with C classes a row has at most C - 1 neighbours (C in the released code, which may
list the class itself); the threshold stays the share n_a / K of the nominal K, so that it means
the same for any C. Thousands of classes: shared neighbours are counted through the K short lists,
C^2 K additions of bytes instead of a C^3 product, and in blocks of rows, so that besides the
buffers (C^2 bytes of families) only one block and one C^2-byte table are held.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from aclnet.state.variant import Variant

BLOCK_ENTRIES = 1 << 23
"""Matrix entries that one block of rows may hold while families are rebuilt (64 MB of keys)."""


def nearest_classes(counts: Tensor, neighbours: int, variant: Variant) -> Tensor:
    """The classes that each class is confused with most.

    Source: Eq. 3. Ties go to the smaller class index. `paper`: other classes with at least one
    confusion, so a list may be short. `released`: the largest counts, zeros included, and the
    class itself (whose count is 0) not excluded.

    Args:
        counts: (C, C) int64.
        neighbours: K.
        variant: paper or released.

    Returns:
        (C, min(K, C)) int64, best first; C marks an empty place.

    >>> counts = torch.tensor([[0, 5, 5], [0, 0, 0], [1, 0, 0]])
    >>> nearest_classes(counts, 1, "paper").tolist()
    [[1], [3], [0]]
    """
    class_count = counts.shape[0]
    column = torch.arange(class_count, device=counts.device)
    width = min(neighbours, class_count)
    lists = torch.empty(class_count, width, dtype=torch.int64, device=counts.device)
    for rows in _row_blocks(class_count):
        # One number orders by count and then by smaller index, the same on every device.
        keys = counts[rows] * class_count + (class_count - 1 - column)
        if variant == "paper":
            unrelated = (counts[rows] == 0) | (column == column[rows, None])
            keys = keys.masked_fill(unrelated, -1)
        best, index = keys.topk(width, dim=1)
        lists[rows] = index.masked_fill(best < 0, class_count)
    return lists


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


def shared_neighbours(lists: Tensor, table: Tensor) -> Tensor:
    """M(i, j) of Eq. 5 for some rows: how many neighbours of i are neighbours of j.

    Args:
        lists: (R, K), the rows' neighbours, K <= 255.
        table: (C + 1, C) of `membership_table`.

    Returns:
        (R, C) uint8.
    """
    shared = torch.zeros(lists.shape[0], table.shape[1], dtype=torch.uint8, device=lists.device)
    for place in range(lists.shape[1]):
        shared += table[lists[:, place]]
    return shared


def family_members(
    direct: Tensor, shared: Tensor, sizes: Tensor, neighbours: int, overlap: int, variant: Variant
) -> Tensor:
    """Members of the motion families for some rows; the class itself is decided in `rebuild`.

    Source: Eq. 6, `w > n_a / K`, multiplied by 2 K and the list's size, so that a weight exactly
    at the threshold never depends on rounding. `released`: neighbours, or more than n_a shared.

    Args:
        direct: (R, C) bool, neighbours (Eq. 4).
        shared: (R, C) uint8, M of Eq. 5.
        sizes: (R, 1) int64, number of neighbours of the row.
        neighbours: K.
        overlap: n_a.
        variant: paper or released.

    Returns:
        (R, C) bool.
    """
    if variant == "released":
        return direct | (shared > overlap)
    sizes = sizes.to(torch.int32)  # half the time and memory of int64 for thousands of classes
    weight = neighbours * (sizes * direct + 2 * shared.to(torch.int32))
    return weight > 2 * overlap * sizes


class MotionFamilies(nn.Module):
    """Buffers: `nearest` (C, K) int64, `members` (C, C) bool, `built_epoch` () int64 (0: never).

    Row i of `members` holds the members of the family W(i).

    Args:
        class_count: C.
        neighbours: K, at most 255 (shared neighbours are counted in bytes).
        overlap: n_a.
        variant: paper or released.
    """

    nearest: Tensor
    members: Tensor
    built_epoch: Tensor

    def __init__(self, class_count: int, neighbours: int, overlap: int, variant: Variant) -> None:
        super().__init__()
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
        class_count = counts.shape[0]
        column = torch.arange(class_count, device=counts.device)
        lists = nearest_classes(counts, self.neighbours, self.variant)
        table = membership_table(lists)
        for rows in _row_blocks(class_count):
            direct = table[:class_count, rows].t().bool()
            shared = shared_neighbours(lists[rows], table)
            sizes = (lists[rows] < class_count).sum(dim=1, keepdim=True)
            itself = column == column[rows, None]
            # By Eq. 5 a class has the weight 1 with itself, but a family consists of the others: a
            # class belongs to its own only if it is among its neighbours (released).
            found = family_members(
                direct, shared, sizes, self.neighbours, self.overlap, self.variant
            )
            self.members[rows] = torch.where(itself, direct, found)
        self.nearest.copy_(lists)
        self.built_epoch.fill_(epoch)


def _row_blocks(class_count: int) -> Iterator[slice]:
    height = max(1, BLOCK_ENTRIES // class_count)
    for start in range(0, class_count, height):
        yield slice(start, min(start + height, class_count))
