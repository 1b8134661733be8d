"""Ranks of mates from products on a GPU, with the proof of :mod:`protocols.ranking.proven`.

The bound of the error holds for every order of a sum, so that the ranks are the same. The library
of the GPU is the caller's: this package imports none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import IntArray, Points, row_blocks
from protocols.ranking.engines import Device
from protocols.ranking.exclusion import BoolArray
from protocols.ranking.layout import Layout
from protocols.ranking.precision import Ties, ranks_to_measures
from protocols.ranking.proven.every import AllMates
from protocols.ranking.proven.first import FirstMates
from protocols.ranking.proven.product import Right

_PAIR_BYTES = 64

_WORTH_PAIRS = 50_000_000
"""Probes times gallery rows below which the way to a GPU and back takes longer than the ranking."""

Pairs = tuple[IntArray, IntArray]
"""(K,) rows of a block, rising, and (K,) columns."""


class Block(NamedTuple):
    """How the rows of B probes are ranked.

    Attributes:
        shift: What the squared distances lack.
        error: (B,) by how much two distances must differ to differ on the grid too.
        hidden: Columns that a probe may not see; None: there are none.
        parts: The columns of each gallery, and where the mates are in them (columns of the block).
    """

    shift: float
    error: npt.NDArray[Any]
    hidden: Pairs | None
    parts: list[tuple[slice, Pairs]]


class Nearest(NamedTuple):
    """What is counted about the nearest mates of B probes in one gallery.

    Attributes:
        best: (B,) squared distance of the nearest mate, less the shift; infinite without one.
        nearer: (B,) rows that are nearer by more than the error.
        others: (B,) rows of other people that are nearer, or farther by no more than the error.
    """

    best: npt.NDArray[Any]
    nearer: IntArray
    others: IntArray


class Places(NamedTuple):
    """Where the mates of B probes stand in one gallery.

    Attributes:
        row: (K,) probes, rising.
        place: (K,) places of their mates from 0, rising.
        doubtful: (B,) whether a row of another person, or by grouped ties another mate, is within
            the error of a mate.
    """

    row: IntArray
    place: IntArray
    doubtful: BoolArray


class Engine(Protocol):
    """Multiplies, counts and sorts blocks of distances, where they then stay.

    Products must be rounded to the type of their factors, and to no shorter one such as TF32.

    Attributes:
        working_bytes: Memory that a block may take.
    """

    working_bytes: int

    def usable(self, needed: int) -> bool:
        """Whether it is here, with so many bytes of memory free."""

    def hold(self, right: npt.NDArray[Any]) -> Any:
        """Keep a gallery's side of the products, (G, D)."""

    def product(self, left: npt.NDArray[Any], held: Any) -> Any:
        """(B, G) products of (B, D) rows with those that are kept."""

    def nearest(self, squared: Any, block: Block) -> list[Nearest]:
        """Count in each gallery; ``squared`` (B, G) is overwritten."""

    def places(self, squared: Any, block: Block, ties: Ties) -> list[Places]:
        """Sort each gallery; ``squared`` (B, G) float64 is overwritten."""


def refuse_device(device: Device, elsewhere: bool) -> None:
    """Refuse a GPU for distances that are not of embeddings.

    Args:
        device: What is asked for.
        elsewhere: Whether distances come from re-ranking, query expansion, or scores of pairs.

    Raises:
        ValueError: A GPU is asked for.
    """
    if device == "gpu" and elsewhere:
        raise ValueError(
            "Re-ranking, query expansion and scores of pairs are ranked on the CPU: take device "
            "cpu or auto."
        )


def is_chosen(engine: Engine | None, device: Device, probe: Points, gallery: Points) -> bool:
    """Whether an engine is to rank: it can, and it is asked for or worth the way there.

    Args:
        engine: The engine, if any.
        device: ``gpu`` asks for it, ``cpu`` does not want it.
        probe: (P, D) points.
        gallery: (G, D) points.
    """
    if engine is None or device not in ("auto", "gpu") or not probe.in_one_space:
        return False
    if device == "auto" and len(probe) * len(gallery) < _WORTH_PAIRS:
        return False
    held = 8 * len(gallery) * (gallery.values.shape[1] + 2)
    return engine.usable(held + engine.working_bytes)


def refuse_ranking(device: Device, probe: Points, precision: bool) -> None:
    """Refuse a GPU where no engine ranks and FAISS cannot either.

    Args:
        device: What is asked for.
        probe: (P, D) points.
        precision: Whether all ranks are wanted, which FAISS does not give.

    Raises:
        ValueError: A GPU is asked for and cannot be had.
    """
    if device == "gpu" and not probe.in_one_space:
        raise ValueError(
            "The mean of several parts' Euclidean distances is computed on the CPU: take device "
            "cpu or auto, or the cosine metric."
        )
    if device == "gpu" and precision:
        raise ValueError("There is no GPU here with the memory to rank by: use device cpu or auto.")


def first_mates_on(
    engine: Engine, probe: Points, gallery: Points, layout: Layout, depth: int
) -> FirstMates:
    """As :func:`protocols.ranking.proven.first.first_mates`."""
    first = np.zeros((len(probe), layout.parts), np.int64)
    proven = np.zeros((len(probe), layout.parts), np.bool_)
    for rows, squared, block, safe in _blocks(engine, probe, gallery, layout, np.float32):
        for part, (best, nearer, others) in enumerate(engine.nearest(squared, block)):
            within = np.isfinite(best) & (nearer < depth)
            first[rows, part] = np.where(within, nearer + 1, 0)
            proven[rows, part] = (~within | (nearer == others)) & safe
    return FirstMates(first, proven)


def all_mates_on(
    engine: Engine,
    probe: Points,
    gallery: Points,
    layout: Layout,
    *,
    ties: Ties = "row",
    skip: int = 0,
) -> list[AllMates]:
    """As :func:`protocols.ranking.proven.every.all_mates`."""
    found = [AllMates.nobody(len(probe)) for _ in range(layout.parts)]
    for rows, squared, block, safe in _blocks(engine, probe, gallery, layout, np.float64):
        placed = engine.places(squared, block, ties)
        for whole, (own, at, doubtful) in zip(found, placed, strict=True):
            ranks = ranks_to_measures(own, at + 1, at + 1, len(safe), ties, skip)
            whole.fill(rows, AllMates(ranks, safe & ~doubtful))
    return found


def _blocks(
    engine: Engine,
    probe: Points,
    gallery: Points,
    layout: Layout,
    dtype: type[np.floating[Any]],
) -> Iterator[tuple[slice, Any, Block, BoolArray]]:
    """Slices of the probes, their distances, how they are ranked, and whether no sum overflows."""
    right = _Held(engine, gallery, dtype)
    for rows in row_blocks(len(probe), _PAIR_BYTES * len(gallery), engine.working_bytes):
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not proven
            product = right.product(probe.take(rows))
        hidden = None if layout.hidden is None else layout.hidden.of(rows)
        numbers = range(layout.parts)
        parts = [(layout.columns(part), layout.mates_of(rows, part)) for part in numbers]
        yield (
            rows,
            product.squared,
            Block(product.shift, product.error, hidden, parts),
            product.safe,
        )


class _Held(Right):
    """The gallery's side of the products, kept by an engine."""

    def __init__(self, engine: Engine, gallery: Points, dtype: type[np.floating[Any]]) -> None:
        super().__init__(gallery, dtype, blocks=1)
        with np.errstate(over="ignore"):
            self._held = engine.hold(self._tile(slice(0, len(gallery))))
        self._engine = engine

    def _times(self, left: npt.NDArray[Any]) -> Any:
        return self._engine.product(left, self._held)
