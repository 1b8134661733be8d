"""Ranks of the mates: rank of the first, average precision, INP.

Only the mates' ranks are needed, not the order of the whole gallery: each row of distances is
sorted as it is (several times faster than sorting it with its indices), and each mate is looked up
in it. Mates that are tied with another row are ranked by the full stable order, so that the result
is that of a stable sort.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray, ExclusionRule

Ties = Literal["row", "grouped"]
"""Equal distances in average precision: ``row``, the lowest gallery row goes first; ``grouped``,
they enter together and share the precision of the last of them, as in scikit-learn."""


class MateRanks(NamedTuple):
    """Ranks of the mates of B probes.

    Attributes:
        first: (B,) int64 rank of the first mate from 1 beyond the ``skip`` nearest rows; 0 where
            there is none.
        average: (B,) average precision, NaN for unmated probes.
        inverse: (B,) INP, mates / rank of the last mate, NaN for unmated probes.
    """

    first: IntArray
    average: FloatArray
    inverse: FloatArray

    @classmethod
    def nobody(cls, count: int) -> MateRanks:
        """The ranks of probes without a mate, to be filled in."""
        first = np.zeros(count, dtype=np.int64)
        return cls(first, np.full(count, np.nan), np.full(count, np.nan))


def check_ties(ties: str) -> None:
    """Refuse an unknown treatment of ties.

    Raises:
        ValueError: It is unknown.
    """
    if ties not in ("row", "grouped"):
        raise ValueError(f"ties must be row or grouped, not {ties!r}.")


def rank_mates(
    distances: FloatArray, mate: BoolArray, *, ties: Ties = "row", skip: int = 0
) -> MateRanks:
    """Rank the mates of a block of probes.

    Average precision is the mean, over the mates, of the precision at each, not interpolated.

    Args:
        distances: (B, G), any order-preserving numbers; ``inf`` for rows that a probe may not see.
        mate: (B, G) whether the gallery row is a mate that the probe may see.
        ties: How AP treats equal distances.
        skip: Nearest rows, whatever they are, that ``first`` leaves out; AP and INP do not.

    Returns:
        One entry a probe.

    Raises:
        ValueError: ``ties`` is unknown.

    >>> found = rank_mates(np.array([[0.3, 0.1, 0.2]]), np.array([[True, False, True]]))
    >>> int(found.first[0]), round(float(found.average[0]), 4), round(float(found.inverse[0]), 4)
    (2, 0.5833, 0.6667)
    """
    check_ties(ties)
    count = len(distances)
    probe, row = np.nonzero(mate)
    values = distances[probe, row]
    ordered = np.sort(distances, axis=1)
    nearer = _count_below(ordered, probe, values, equal=False)
    reached = _count_below(ordered, probe, values, equal=True)
    rank = nearer + 1
    tied = np.unique(probe[reached > rank])
    if len(tied):
        _rank_tied(distances, tied, probe, row, rank)
    order = np.lexsort((rank, probe))
    return ranks_to_measures(probe[order], rank[order], reached[order], count, ties, skip)


def ranks_to_measures(
    probe: IntArray, rank: IntArray, reached: IntArray, count: int, ties: Ties, skip: int
) -> MateRanks:
    """What follows from the ranks of K mates of B probes, in order of probe, then rank.

    Args:
        probe: (K,) probes, 0 to B-1.
        rank: (K,) ranks from 1.
        reached: (K,) rows that are as near, or nearer; only ``grouped`` ties use it.
        count: B.
        ties: As in :func:`rank_mates`.
        skip: As in :func:`rank_mates`.

    Returns:
        One entry a probe.
    """
    total = np.bincount(probe, minlength=count)
    start = np.cumsum(total) - total
    place = np.arange(1, len(probe) + 1) - start[probe]
    precision = place / rank
    if ties == "grouped":
        precision = _last_of_group(probe, reached, place) / reached
    average, inverse = np.full(count, np.nan), np.full(count, np.nan)
    mated = total > 0
    sums = np.bincount(probe, weights=precision, minlength=count)
    average[mated] = sums[mated] / total[mated]
    inverse[mated] = total[mated] / rank[(start + total - 1)[mated]]
    return MateRanks(_first(probe, rank, count, skip), average, inverse)


def rank_blocks(
    blocks: Iterable[tuple[slice, FloatArray]],
    own: IntArray,
    enrolled: IntArray,
    exclude: ExclusionRule | None,
    *,
    ties: Ties = "row",
    skip: int = 0,
) -> MateRanks:
    """Rank the mates of all probes, block by block.

    Args:
        blocks: Slices of the P probes and their (B, G) distances, which are overwritten.
        own: (P,) identity numbers of the probes.
        enrolled: (G,) identity numbers of the gallery.
        exclude: Which gallery rows a probe may not see; None removes nothing.
        ties: As in :func:`rank_mates`.
        skip: As in :func:`rank_mates`.

    Returns:
        One entry a probe.
    """
    first = np.zeros(len(own), dtype=np.int64)
    average, inverse = np.full(len(own), np.nan), np.full(len(own), np.nan)
    for block, distances in blocks:
        mate = own[block, None] == enrolled
        if exclude is not None:
            hidden = exclude(block)
            distances[hidden] = np.inf  # a removed row ranks last and shifts no other
            mate &= ~hidden
        found = rank_mates(distances, mate, ties=ties, skip=skip)
        first[block], average[block], inverse[block] = found
    return MateRanks(first, average, inverse)


def _first(probe: IntArray, rank: IntArray, count: int, skip: int) -> IntArray:
    """(B,) lowest rank beyond the skipped rows; the mates come in order of probe, then rank."""
    first = np.zeros(count, dtype=np.int64)
    late = rank > skip
    people, at = np.unique(probe[late], return_index=True)
    first[people] = rank[late][at] - skip
    return first


def _count_below(
    ordered: FloatArray, probe: IntArray, values: FloatArray, *, equal: bool
) -> IntArray:
    """(K,) sorted distances below that of each mate, equal ones too if ``equal``, by bisection."""
    low = np.zeros(len(probe), dtype=np.int64)
    high = np.full(len(probe), ordered.shape[1], dtype=np.int64)
    flat, base = ordered.ravel(), probe * ordered.shape[1]
    for _ in range(ordered.shape[1].bit_length()):
        middle = (low + high) // 2
        found = flat[np.minimum(base + middle, len(flat) - 1)]
        below = (found <= values if equal else found < values) & (middle < high)
        low = np.where(below, middle + 1, low)
        high = np.where(below, high, middle)
    return low


def _rank_tied(
    distances: FloatArray, tied: IntArray, probe: IntArray, row: IntArray, rank: IntArray
) -> None:
    """Put the ranks of a stable sort in place, for the probes that have tied mates."""
    position = np.arange(1, distances.shape[1] + 1)
    starts = np.searchsorted(probe, tied, side="left")
    stops = np.searchsorted(probe, tied, side="right")
    place = np.empty(distances.shape[1], dtype=np.int64)
    for index, start, stop in zip(tied, starts, stops, strict=True):
        place[np.argsort(distances[index], kind="stable")] = position
        rank[start:stop] = place[row[start:stop]]


def _last_of_group(probe: IntArray, reached: IntArray, place: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(K,) place of the last mate that is as far as this one; mates in order of probe, rank."""
    if not len(probe):
        return place
    ends = np.flatnonzero(np.append((np.diff(probe) != 0) | (np.diff(reached) != 0), True))
    return np.repeat(place[ends], np.diff(ends, prepend=-1))
