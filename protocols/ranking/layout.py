"""Where the mates of every probe stand in a gallery that is ordered by person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import ExclusionRule


@dataclass(frozen=True, eq=False)
class Layout:
    """A gallery of G rows in S parts, ordered by part and person: mates are one run of columns.

    Attributes:
        order: (G,) the row of each column.
        bounds: (S + 1,) the first column of each part, and G.
        start: (P, S) the first column of each probe's mates in each part.
        same: (P, S) rows of the probe's person in each part, hidden ones too.
        hidden: Columns that a probe may not see; None where it sees all.
        mates: (P, S) mates that the probe may see.
        candidates: (P, S) rows that the probe may see.
    """

    order: IntArray
    bounds: IntArray
    start: IntArray
    same: IntArray
    hidden: Runs | None
    mates: IntArray
    candidates: IntArray

    @property
    def parts(self) -> int:
        """S."""
        return len(self.bounds) - 1

    def take(self, probes: IntArray) -> Layout:
        """The layout for some of the probes."""
        return replace(
            self,
            start=self.start[probes],
            same=self.same[probes],
            hidden=None if self.hidden is None else self.hidden.take(probes),
            mates=self.mates[probes],
            candidates=self.candidates[probes],
        )

    def columns(self, part: int) -> slice:
        """The columns of a part."""
        return slice(int(self.bounds[part]), int(self.bounds[part + 1]))

    def mates_of(self, probes: slice, part: int) -> tuple[IntArray, IntArray]:
        """Every pair of one of the probes and a row of its person in a part.

        Returns:
            (K,) place of the probe in the slice, rising, and (K,) column.
        """
        return spread_runs(self.start[probes, part], self.same[probes, part])

    def all_mates_of(self, probes: slice | IntArray) -> Mates:
        """Every pair of one of the probes and a row of its person, in all parts."""
        total = self.same[probes]
        pair, column = spread_runs(self.start[probes].reshape(-1), total.reshape(-1))
        return Mates(pair, pair // self.parts * len(self.order) + column, total)

    @cached_property
    def part_of(self) -> IntArray:
        """(G,) the part of each column."""
        return np.asarray(np.repeat(np.arange(self.parts), np.diff(self.bounds)))

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of parts (B, S) for each of their columns: (B, G), or (B, 1) of one part."""
        if self.parts == 1:
            return values
        return np.asarray(np.repeat(values, np.diff(self.bounds), axis=1))

    def count(self, chosen: npt.NDArray[np.bool_]) -> IntArray:
        """(B, S) how many of the columns (B, G) of each part are chosen."""
        if self.parts == 1:
            return np.asarray(np.count_nonzero(chosen, axis=1, keepdims=True))
        ones = chosen.view(np.uint8)
        counts = np.add.reduceat(ones, self.bounds[:-1], axis=1, dtype=np.int32)
        return np.asarray(counts, dtype=np.int64)


class Mates(NamedTuple):
    """Pairs of B probes and K rows of their people, by probe, part and column.

    Attributes:
        pair: (K,) number of the probe and part, S times the place of the probe and the part.
        at: (K,) place in the flat (B, G) columns.
        total: (B, S) how many they are.
    """

    pair: IntArray
    at: IntArray
    total: IntArray

    def least(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(B, S) the least of (K,) values of a probe and part, infinite where there is none."""
        least = np.full(self.total.size, np.inf, np.float32)
        some = np.flatnonzero(self.total)
        if len(some):
            start = (np.cumsum(self.total) - self.total.reshape(-1))[some]
            least[some] = np.minimum.reduceat(values, start)
        return least.reshape(self.total.shape)


@dataclass(frozen=True, eq=False)
class Runs:
    """Columns hidden from each of P probes.

    Attributes:
        columns: (G,) columns, those that are hidden together side by side.
        start: (P,) where the hidden ones of a probe begin among them.
        count: (P,) how many they are.
    """

    columns: IntArray
    start: IntArray
    count: IntArray

    def take(self, probes: IntArray) -> Runs:
        """Those of some of the probes."""
        return replace(self, start=self.start[probes], count=self.count[probes])

    def of(self, probes: slice) -> tuple[IntArray, IntArray]:
        """(K,) place of the probe in the slice, rising, and (K,) column."""
        place, at = spread_runs(self.start[probes], self.count[probes])
        return place, self.columns[at]


def lay_out(
    own: IntArray,
    enrolled: IntArray,
    part: IntArray | None = None,
    exclude: ExclusionRule | None = None,
) -> Layout:
    """Order a gallery.

    Args:
        own: (P,) identity numbers of the probes, from 0 on.
        enrolled: (G,) identity numbers of the gallery.
        part: (G,) 0 to S-1, which gallery each row belongs to; None: one gallery.
        exclude: The exclusion rule.
    """
    parts = np.zeros(len(enrolled), np.int64) if part is None else part
    size, people = int(parts.max(initial=0)) + 1, int(max(own.max(initial=0), enrolled.max())) + 1
    codes = parts * people + enrolled
    order = np.argsort(codes, kind="stable")
    # One entry a part and person: the first column, and how many there are.
    count = np.bincount(codes, minlength=size * people)
    first = np.cumsum(count) - count
    at = np.arange(size) * people + own[:, None]
    bounds = np.append(first[::people], len(enrolled))
    same = count[at]
    total = np.broadcast_to(np.diff(bounds), same.shape)
    if exclude is None:
        return Layout(order, bounds, first[at], same, None, same, total)
    hidden, removed, removed_mates = _hide(exclude, order, own, enrolled, parts, size)
    return Layout(order, bounds, first[at], same, hidden, same - removed_mates, total - removed)


def split_rows(part: IntArray) -> list[IntArray]:
    """The rows of each part, 0 to the last; rising.

    >>> [rows.tolist() for rows in split_rows(np.array([1, 0, 1]))]
    [[1], [0, 2]]
    """
    order = np.argsort(part, kind="stable")
    return np.split(order, np.cumsum(np.bincount(part))[:-1])


def _hide(
    exclude: ExclusionRule,
    order: IntArray,
    own: IntArray,
    enrolled: IntArray,
    parts: IntArray,
    size: int,
) -> tuple[Runs, IntArray, IntArray]:
    """The hidden columns, and (P, S) rows and mates among them."""
    left, right = exclude.codes
    kinds = int(max(left.max(initial=0), right.max(initial=0))) + 1
    by_code = right[order]
    columns = np.argsort(by_code, kind="stable")
    count = np.bincount(by_code, minlength=kinds)
    runs = Runs(columns, (np.cumsum(count) - count)[left], count[left])
    removed = np.zeros((len(own), size), np.int64)
    removed_mates = np.zeros((len(own), size), np.int64)
    for number in range(size):
        here = parts == number
        removed[:, number] = np.bincount(right[here], minlength=kinds)[left]
        removed_mates[:, number] = _count_pairs(right[here], enrolled[here], left, own)
    return runs, removed, removed_mates


def _count_pairs(
    codes: IntArray, people: IntArray, wanted_codes: IntArray, wanted_people: IntArray
) -> IntArray:
    """(P,) how often each wanted pair of code and person is there."""
    size = int(max(people.max(initial=0), wanted_people.max(initial=0))) + 1
    pairs, count = np.unique(codes * size + people, return_counts=True)
    wanted = wanted_codes * size + wanted_people
    if not len(pairs):
        return np.zeros(len(wanted), np.int64)
    place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    return np.where(pairs[place] == wanted, count[place], 0).astype(np.int64)


def spread_runs(start: IntArray, count: npt.NDArray[np.int64]) -> tuple[IntArray, IntArray]:
    """Runs as single entries: (K,) number of the run, and (K,) start, start + 1 ... within it."""
    run = np.repeat(np.arange(len(count)), count)
    begin = np.cumsum(count) - count
    return run, np.arange(len(run)) - begin[run] + start[run]
