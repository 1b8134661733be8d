"""k-reciprocal neighbours as sparse rows: the encoding that re-ranking compares.

Two rows are k-reciprocal when each is among the k nearest of the other. The set of a row grows by
the smaller sets of its members where more than two thirds of such a set is in it already; its
members then weigh by exp(-distance) with sum 1, and the row is averaged with those of its ``k2``
nearest. Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017,
equations 3 to 5, 7 and 11.

The paper's N x N matrix is held as a SciPy CSR array: a row has at most k2 wide (narrow + 1)
entries of 12 bytes whatever N is, and far fewer where sets overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from protocols.ranking.distances import FloatArray, IntArray, Points, row_blocks, some_squared

_ENTRY_BYTES = 64
"""Reckoned for a sparse entry while it is made: index, value, their product and its sorted copy."""


class Scale(NamedTuple):
    """Distances as shares of their row's largest.

    The paper's distance is one squared Euclidean distance over the largest. torchreid and fast-reid
    square what they are given, and give squared distances (or cosine distances, in proportion to
    them on unit vectors); OpenGait squares nothing. Both are kept so that results compare.

    Attributes:
        farthest: (N,) squared distance to the farthest row.
        power: Of the share of a squared distance: 2 where squared distances are squared once more,
            1/2 for plain Euclidean ones.
    """

    farthest: FloatArray
    power: float

    def shares(self, squared: FloatArray, farthest: FloatArray) -> FloatArray:
        """The shares of squared distances, 0..1; ``farthest`` are those of their rows."""
        return np.asarray((squared / np.maximum(farthest, np.finfo(np.float64).tiny)) ** self.power)


def reciprocal_encoding(
    points: Points,
    neighbours: IntArray,
    *,
    wide: int,
    narrow: int,
    k2: int,
    scale: Scale | None,
    block_bytes: int,
) -> csr_array:
    """Encode every row by its reciprocal neighbours.

    Args:
        points: (N, D) probe and gallery rows together.
        neighbours: (N, k) the nearest rows of each row, itself first, k >= ``wide``.
        wide: Length of the neighbour lists whose members must be mutual.
        narrow: Length of the lists that make the smaller sets.
        k2: Encodings that are averaged, the row's own among them; 1 averages nothing.
        scale: Which shares of the row's largest distance stand for it; None takes the squared
            distances as they are.
        block_bytes: Working memory in bytes, besides the encoding itself.

    Returns:
        (N, N) float64 sparse; rows sum to 1.
    """
    mutual = _mutual(neighbours[:, :wide])
    # A mutual set is symmetric: its matrix is its own transpose, and no column is longer than k.
    smaller = _mutual(neighbours[:, :narrow])
    parts = []
    for block in row_blocks(len(points), _ENTRY_BYTES * wide * (narrow + 1), block_bytes):
        grown = _grow(mutual[block], smaller)
        parts.append(_weigh(points, grown, block, scale, block_bytes))
    encoding = vstack(parts, format="csr")
    return encoding if k2 == 1 else _average(encoding, neighbours[:, :k2], block_bytes)


def weighted_blocks(costs: npt.NDArray[np.int64], block_bytes: int) -> Iterator[slice]:
    """Cut rows of different cost into slices of at most ``block_bytes`` (one row at least).

    >>> [(b.start, b.stop) for b in weighted_blocks(np.array([5, 5, 30, 1]), 10)]
    [(0, 2), (2, 3), (3, 4)]
    """
    total = np.cumsum(costs)
    start = 0
    while start < len(costs):
        spent = int(total[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(total, spent + block_bytes, side="right")))
        yield slice(start, stop)
        start = stop


def _mutual(lists: IntArray) -> csr_array:
    """(N, N) int32 ones where both rows have each other in their lists."""
    forward = _membership(lists)
    mutual = forward.multiply(forward.T).tocsr()
    mutual.sort_indices()
    return mutual


def _membership(lists: IntArray) -> csr_array:
    """(N, N) int32 with ones at each row's listed neighbours."""
    count, length = lists.shape
    ends = np.arange(0, count * length + 1, length)
    return csr_array(
        (np.ones(count * length, dtype=np.int32), lists.ravel(), ends), shape=(count, count)
    )


def _grow(mutual: csr_array, smaller: csr_array) -> csr_array:
    """(B, N) the sets with the smaller sets that lie in them by more than two thirds."""
    overlap = (mutual @ smaller).multiply(mutual).tocsr()
    size = np.diff(smaller.indptr)
    overlap.data = (3 * overlap.data > 2 * size[overlap.indices]).astype(np.int32)
    overlap.eliminate_zeros()
    grown = (overlap @ smaller + mutual).tocsr()
    grown.sort_indices()
    return grown


def _weigh(
    points: Points, grown: csr_array, block: slice, scale: Scale | None, block_bytes: int
) -> csr_array:
    """(B, N) float64: the members weighed by exp(-distance), each row summing to 1."""
    lengths = np.diff(grown.indptr)
    owner = np.repeat(np.arange(block.start, block.stop), lengths)
    weight = np.empty(len(owner))
    pair_bytes = 48 * points.values.shape[1]
    for pairs in row_blocks(len(owner), pair_bytes, block_bytes):
        members = grown.indices[pairs, None].astype(np.int64)
        squared = some_squared(points.take(owner[pairs]), points, members)[:, 0]
        if scale is not None:
            squared = scale.shares(squared, scale.farthest[owner[pairs]])
        weight[pairs] = np.exp(-squared)
    # A row is in its own set at distance 0, so no sum is empty or below 1.
    weight /= np.repeat(np.add.reduceat(weight, grown.indptr[:-1]), lengths)
    return csr_array((weight, grown.indices, grown.indptr), shape=grown.shape)


def _average(encoding: csr_array, lists: IntArray, block_bytes: int) -> csr_array:
    """(N, N) each encoding averaged with those of its listed neighbours."""
    sizes = np.diff(encoding.indptr)
    parts = []
    for block in weighted_blocks(_ENTRY_BYTES * sizes[lists].sum(axis=1), block_bytes):
        near = lists[block]
        ends = np.arange(0, near.size + 1, near.shape[1])
        share = np.full(near.size, 1.0 / near.shape[1])
        chosen = csr_array((share, near.ravel(), ends), shape=(len(near), len(lists)))
        mean = chosen @ encoding
        mean.sort_indices()
        parts.append(mean)
    return vstack(parts, format="csr")
