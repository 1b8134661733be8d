"""Distances by one matrix product, block by block, and by how much they can be wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController, threadpool_limits

from protocols.ranking.distances import FLOAT32_REACH, FloatArray, Points, row_blocks
from protocols.ranking.exclusion import BoolArray

_GRID = 2.0**-36
_WORKING_BYTES = 4 * 2**20
_TILE_BYTES = 64 * 2**20
_KEPT_BYTES = 2 * 2**30
_FEWEST_ROWS = 256  # fewer make the product slow


class Product(NamedTuple):
    """What is known of the distances of B probes to the gallery without the grid.

    Attributes:
        squared: (B, G) squared distances, less ``shift``.
        shift: What is left out, the same for all: it would only make them less exact.
        error: (B,) by how much two of them must differ to differ on the grid too.
        reach: (B,) float64 above all squared distances.
    """

    squared: npt.NDArray[Any]
    shift: float
    error: npt.NDArray[Any]
    reach: FloatArray

    @property
    def safe(self) -> BoolArray:
        """(B,) whether no sum can overflow."""
        return self.reach < FLOAT32_REACH

    def rows(self, rows: slice) -> Product:
        """The same of some of the probes."""
        return self._replace(
            squared=self.squared[rows], error=self.error[rows], reach=self.reach[rows]
        )


def each_block(
    work: Callable[[slice, Product], None],
    probe: Points,
    gallery: Points,
    dtype: type[np.floating[Any]],
    block_bytes: int,
) -> None:
    """Work on blocks of probes, in as many threads as a matrix product would take."""
    row_bytes = 2 * np.dtype(dtype).itemsize * len(gallery)
    working = _WORKING_BYTES if dtype is np.float32 else 4 * _WORKING_BYTES
    budget = min(block_bytes, max(working, _FEWEST_ROWS * row_bytes))
    blocks = list(row_blocks(len(probe), row_bytes, budget))
    right = Right(gallery, dtype, len(blocks))

    def one(block: slice) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not proven
            work(block, right.product(probe.take(block)))

    threads = _blas_threads() if len(blocks) > 1 else 1
    if threads == 1:
        for block in blocks:
            one(block)
        return
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, blocks))


def _blas_threads() -> int:
    """Threads of NumPy's matrix product, as its library and the environment set them."""
    return max((entry["num_threads"] for entry in _blas().info()), default=1)


@cache
def _blas() -> ThreadpoolController:
    """The libraries of matrix products, which take a millisecond to find."""
    return ThreadpoolController().select(user_api="blas")


class Right:
    """The gallery's side of the products, kept if several blocks of probes need it."""

    def __init__(self, gallery: Points, dtype: type[np.floating[Any]], blocks: int) -> None:
        self._gallery, self._dtype = gallery, dtype
        self._unit = gallery.metric == "cosine"
        shape = (len(gallery), gallery.values.shape[1] + (0 if self._unit else 2))
        row_bytes = np.dtype(dtype).itemsize * shape[1]
        self._tiles = list(row_blocks(len(gallery), row_bytes, _TILE_BYTES))
        self._kept: npt.NDArray[Any] | None = None
        self._own = threading.local()
        if blocks > 1 and len(gallery) * row_bytes <= _KEPT_BYTES:
            self._kept = np.empty(shape, dtype)
            with np.errstate(over="ignore"):
                for tile in self._tiles:
                    self._kept[tile] = self._tile(tile)
        self.longest = 1.0
        if not self._unit:
            parts = map(gallery.take, self._tiles)
            longest = (part.squared_lengths(part.vectors()).max() for part in parts)
            self.longest = float(np.sqrt(max(longest)))

    def product(self, probe: Points) -> Product:
        """The distances of B probes."""
        left = probe.vectors(self._dtype)
        lengths = probe.squared_lengths(left)
        reach = (np.sqrt(lengths) + self.longest) ** 2
        about = np.finfo(self._dtype)
        # Sums and roundings of D + 8 terms at most, each by half of eps; twice, for two distances.
        # Their magnitudes add up to the reach, to half of it where the lengths are left out.
        terms = left.shape[1] + 8
        summed = reach / 2 if self._unit else reach
        error = terms * (float(about.eps) * summed + 2 * float(about.tiny))
        # The exact ranking of a part is about the part's own mean, which is within ``longest`` of
        # this centre: (|a| + |b|)^2 is there at most 9 times the reach, |a|^2 + |b|^2 5 times. Two
        # roundings to the grid are thus below 2^-36 of the reach, two sums in float64 below 2^-48
        # a term.
        error = (error + (_GRID + terms * 2.0**-48) * reach).astype(self._dtype)
        left *= -2
        if self._unit:
            return Product(self._times(left), 2.0, error, reach)
        ones = np.ones((len(left), 1), self._dtype)
        both = np.concatenate([left, lengths[:, None].astype(self._dtype), ones], axis=1)
        return Product(self._times(both), 0.0, error, reach)

    def _times(self, left: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(B, G) products of rows as wide as the gallery's."""
        # Each thread uses its memory again: fresh memory costs a fifth of the product.
        if not hasattr(self._own, "products"):
            self._own.products = np.empty((len(left), len(self._gallery)), self._dtype)
        result: npt.NDArray[Any] = self._own.products[: len(left)]
        if self._kept is not None:
            return np.matmul(left, self._kept.T, out=result)
        for tile in self._tiles:
            np.matmul(left, self._tile(tile).T, out=result[:, tile])
        return result

    def _tile(self, rows: slice) -> npt.NDArray[Any]:
        """(R, D) unit vectors, or (R, D + 2) vectors, then 1 and the squared length."""
        part = self._gallery.take(rows)
        vectors = part.vectors(self._dtype)
        if self._unit:
            return vectors
        lengths = part.squared_lengths(vectors).astype(self._dtype)
        ones = np.ones((len(vectors), 1), self._dtype)
        return np.concatenate([vectors, ones, lengths[:, None]], axis=1)
