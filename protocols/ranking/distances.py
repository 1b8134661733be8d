"""Distances between embeddings, in float64, with ties that stay ties.

Two gallery rows that are equally far in exact arithmetic may differ in the last bits once a
computer has added them up, and the order of the ranking would then depend on the matrix library,
its block size and the number of threads. Every squared distance here is therefore computed in
float64, about the gallery's mean (under ``cosine`` from unit vectors), and rounded to a grid of
2^-40 of its own magnitude, the next power of two above |a|^2 + |b|^2. That is far finer than the
float32 embeddings themselves (2^-24), far coarser than the arithmetic's error, and exact for
vectors of integers. Rows that are equal on that grid are tied, and a tie is won by the lowest
gallery row.

Embeddings of several parts, (N, C, P) as OpenGait's networks give them, are compared part by part,
and the distance is the mean over the parts. Under ``cosine`` that is the cosine of the unit parts
side by side; the mean of Euclidean distances is the distance of no vectors, so that FAISS cannot
search by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Metric = Literal["euclidean", "cosine"]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

METRICS: tuple[Metric, ...] = ("euclidean", "cosine")
BLOCK_BYTES = 64 * 2**20
"""Default working memory of a blocked computation, in bytes, besides its input and result."""

FLOAT32_REACH = 1e37
"""(|a| + |b|)^2 below which no sum of a float32 product overflows."""

_GRID_BITS = 40
_MANTISSA_BITS = 52
_BIAS = 1023
_TILE_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Points:
    """Checked embeddings, ready for distances.

    D numbers are P parts of C numbers, one part after the other.

    Attributes:
        values: (N, D) float32, or float16 where they are given so, contiguous, finite.
        lengths: (N, P) float64, Euclidean norms of the parts.
        metric: ``euclidean``, or ``cosine`` (the parts count as unit vectors).
        centre: (D,) float64, the point that Euclidean distances are computed about.
    """

    values: npt.NDArray[Any]
    lengths: FloatArray
    metric: Metric
    centre: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def parts(self) -> int:
        """P."""
        return int(self.lengths.shape[1])

    @property
    def in_one_space(self) -> bool:
        """Whether the distance is that of :meth:`vectors`, and not a mean of several."""
        return self.metric == "cosine" or self.parts == 1

    def take(self, rows: slice | IntArray) -> Points:
        """The same points at the given rows, in that order."""
        return replace(self, values=self.values[rows], lengths=self.lengths[rows])

    def part(self, index: int) -> Points:
        """One part of every point."""
        size = self.values.shape[1] // self.parts
        here = slice(index * size, (index + 1) * size)
        lengths = self.lengths[:, index : index + 1]
        return Points(self.values[:, here], lengths, self.metric, self.centre[here])

    def vectors(self, dtype: type[np.floating[Any]] = np.float64) -> npt.NDArray[Any]:
        """(N, D) vectors of length 1 under ``cosine``, else the values about the centre.

        Under ``cosine`` all parts have the same length, so that the inner product is the mean of
        the parts' cosines. Vectors are computed in float64, through NumPy's small buffers, whatever
        they are stored as.
        """
        result = np.empty(self.values.shape, dtype=dtype)
        if self.metric == "cosine":
            by_part = (*self.lengths.shape, -1)
            lengths = self.lengths[:, :, None] * np.sqrt(self.parts)
            values, out = self.values.reshape(by_part), result.reshape(by_part)
            np.divide(values, lengths, out=out, dtype=np.float64, casting="same_kind")
        else:
            np.subtract(self.values, self.centre, out=result, dtype=np.float64, casting="same_kind")
        return result

    def squared_lengths(self, vectors: npt.NDArray[Any]) -> FloatArray:
        """(N,) float64: squared norms of these points' ``vectors``; exactly 1 under ``cosine``."""
        if self.metric == "cosine":
            return np.ones(len(self))
        return np.asarray(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))


def as_points(embedding: npt.ArrayLike, metric: Metric, role: str) -> Points:
    """Check embeddings and prepare them for distances.

    Args:
        embedding: (N, D) numbers, or (N, C, P) numbers of P parts, read as float32; float16 is
            kept, as half the memory.
        metric: ``euclidean`` or ``cosine``.
        role: Name of the rows in errors, such as ``probe``.

    Returns:
        The points.

    Raises:
        ValueError: The metric is unknown, the array is not of two or three axes and numeric, a
            value is not finite in float32, or ``cosine`` meets a part of zeros.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}.")
    array: npt.NDArray[Any] = np.asarray(embedding)
    if array.ndim not in (2, 3) or 0 in array.shape[2:] or array.dtype.kind not in "fiu":
        raise ValueError(
            f"The {role} embeddings must be a numeric array of shape (N, D) or (N, C, parts), not "
            f"{array.dtype} of shape {array.shape}."
        )
    parts = array.shape[2] if array.ndim == 3 else 1
    if array.ndim == 3:
        array = array.transpose(0, 2, 1).reshape(len(array), array.shape[1] * parts)
    kept = np.float16 if array.dtype == np.float16 else np.float32
    with np.errstate(over="ignore"):
        values: npt.NDArray[Any] = np.ascontiguousarray(array, dtype=kept)
    by_part = values.reshape(len(values), parts, values.shape[1] // parts)
    lengths = np.sqrt(np.einsum("npc,npc->np", by_part, by_part, dtype=np.float64))
    # Squares of float32 do not overflow in float64, so that the lengths tell.
    broken = np.flatnonzero(~np.isfinite(lengths).all(axis=1))
    if len(broken):
        raise ValueError(
            f"The {role} embedding in row {broken[0]} is not finite ({len(broken)} in "
            "all): leave these samples out or embed them again."
        )
    empty = np.flatnonzero((lengths == 0).any(axis=1))
    if metric == "cosine" and len(empty):
        raise ValueError(
            f"The {role} embedding in row {empty[0]} is all zeros ({len(empty)} in all) "
            "and has no direction: use the euclidean metric or embed it again."
        )
    return Points(values, lengths, metric, np.zeros(values.shape[1]))


def as_pair(probe: npt.ArrayLike, gallery: npt.ArrayLike, metric: Metric) -> tuple[Points, Points]:
    """Check probe and gallery embeddings together.

    Args:
        probe: (P, D) numbers, or (P, C, parts).
        gallery: (G, D) numbers, or (G, C, parts), G >= 1.
        metric: ``euclidean`` or ``cosine``.

    Returns:
        Both as points, about the gallery's mean under ``euclidean``.

    Raises:
        ValueError: As :func:`as_points`; or the gallery is empty; or the dimensions differ.
    """
    gallery_points = as_points(gallery, metric, "gallery")
    probe_points = as_points(probe, metric, "probe")
    if not len(gallery_points):
        raise ValueError("The gallery is empty: at least one enrolled embedding is needed.")
    require_alike(probe_points, gallery_points)
    if metric == "euclidean":
        # Distances do not change with the origin, but about a far origin their digits cancel.
        centre = gallery_points.values.mean(axis=0, dtype=np.float64)
        return replace(probe_points, centre=centre), replace(gallery_points, centre=centre)
    return probe_points, gallery_points


def require_alike(probe: Points, gallery: Points) -> None:
    """Check that probe and gallery can be compared.

    Raises:
        ValueError: They have other dimensions, or parts.
    """
    for what, own, enrolled in (
        ("dimensions", probe.values.shape[1], gallery.values.shape[1]),
        ("parts", probe.parts, gallery.parts),
    ):
        if own != enrolled:
            raise ValueError(
                f"Probe embeddings have {own} {what} and gallery embeddings {enrolled}: both must "
                "come from the same model."
            )


def _on_grid(squared: FloatArray, scale: FloatArray) -> FloatArray:
    """Round squared distances to 2^-40 of the power of two above ``scale``; never below zero."""
    exponent = scale.view(np.int64) >> _MANTISSA_BITS  # biased by 1023; scale is never negative
    if exponent.min(initial=_BIAS) <= _GRID_BITS:  # zero, or too small for the powers of two below
        return _on_grid_by_exponent(squared, scale)
    # Powers of two made from their bits: the same result as frexp and ldexp, four times faster.
    finer = ((2 * _BIAS - 1 + _GRID_BITS - exponent) << _MANTISSA_BITS).view(np.float64)
    coarser = ((exponent + 1 - _GRID_BITS) << _MANTISSA_BITS).view(np.float64)
    rounded = np.rint(squared * finer)
    np.maximum(rounded, 0.0, out=rounded)
    return np.multiply(rounded, coarser, out=rounded)


def _on_grid_by_exponent(squared: FloatArray, scale: FloatArray) -> FloatArray:
    """The same for any scale."""
    _, exponent = np.frexp(scale)
    shift = _GRID_BITS - exponent
    rounded = np.maximum(np.rint(np.ldexp(squared, shift)), 0.0)
    return np.asarray(np.ldexp(rounded, -shift), dtype=np.float64)


def all_squared(probe: Points, gallery: Points) -> FloatArray:
    """Squared distances of every probe to every gallery row, on the tie grid.

    Args:
        probe: (B, D) points, a block small enough that (B, G) fits in memory.
        gallery: (G, D) points of the same metric.

    Returns:
        (B, G) float64; under ``cosine`` the squared distance of unit vectors, 2 - 2 cos.
    """
    if not probe.in_one_space:
        return _mean_of_parts(all_squared, probe, gallery)
    left = probe.vectors()
    left_squared = probe.squared_lengths(left)
    result = np.empty((len(probe), len(gallery)))
    for start in range(0, len(gallery), _TILE_ROWS):
        tile = gallery.take(slice(start, start + _TILE_ROWS))
        right = tile.vectors()
        right_squared = tile.squared_lengths(right)
        part = result[:, start : start + _TILE_ROWS]
        np.matmul(left, right.T, out=part)
        for inner, squared in zip(part, left_squared, strict=True):
            # A row at a time stays in the cache: several times faster than whole temporaries.
            scale = squared + right_squared
            inner[:] = _on_grid(scale - 2.0 * inner, scale)
    return result


def some_squared(probe: Points, gallery: Points, rows: IntArray) -> FloatArray:
    """Squared distances of each probe to its own candidates, on the tie grid.

    Args:
        probe: (B, D) points.
        gallery: (G, D) points.
        rows: (B, k) gallery rows.

    Returns:
        (B, k) float64, equal to ``all_squared`` at those rows.
    """
    if not probe.in_one_space:
        return _mean_of_parts(some_squared, probe, gallery, rows)
    near = gallery.take(rows.ravel())
    left, right = probe.vectors(), near.vectors()
    scale = probe.squared_lengths(left)[:, None] + near.squared_lengths(right).reshape(rows.shape)
    inner = np.einsum("bd,bkd->bk", left, right.reshape(*rows.shape, -1))
    return _on_grid(scale - 2.0 * inner, scale)


def squared_between(vectors: tuple[FloatArray, FloatArray], scale: FloatArray) -> FloatArray:
    """(K,) squared distances of pairs, on the tie grid, equal to ``all_squared`` at these pairs.

    Args:
        vectors: (K, D) and (K, D), of :meth:`Points.vectors`.
        scale: (K,) sums of their squared lengths.
    """
    return _on_grid(scale - 2.0 * np.einsum("kd,kd->k", *vectors), scale)


def _mean_of_parts(
    squared_of: Callable[..., FloatArray], probe: Points, gallery: Points, *rows: IntArray
) -> FloatArray:
    """The square of the mean of the parts' distances.

    It is rounded to 2^-40 of its own magnitude: parts added in another order make no difference.
    """
    total = np.sqrt(squared_of(probe.part(0), gallery.part(0), *rows))
    for index in range(1, probe.parts):
        total += np.sqrt(squared_of(probe.part(index), gallery.part(index), *rows))
    mean = total / probe.parts
    mean *= mean
    return _on_grid(mean, mean)


def to_distance(squared: FloatArray, metric: Metric) -> FloatArray:
    """Turn squared distances into distances: Euclidean, or 1 - cosine similarity."""
    return squared / 2.0 if metric == "cosine" else np.sqrt(squared)


def row_blocks(count: int, row_bytes: int, block_bytes: int = BLOCK_BYTES) -> Iterator[slice]:
    """Cut ``count`` rows into slices that need at most ``block_bytes`` (one row at least).

    >>> [(block.start, block.stop) for block in row_blocks(5, 10, 20)]
    [(0, 2), (2, 4), (4, 5)]
    """
    step = max(1, block_bytes // max(1, row_bytes))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def distance_blocks(
    probe: Points, gallery: Points, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[slice, FloatArray]]:
    """The whole probe x gallery matrix, block by block.

    Args:
        probe: (P, D) points.
        gallery: (G, D) points.
        block_bytes: Working memory in bytes; about 64 bytes a probe-gallery pair are reckoned.

    Yields:
        A slice of probe rows and their (B, G) squared distances on the tie grid.
    """
    for block in row_blocks(len(probe), 64 * len(gallery), block_bytes):
        yield block, all_squared(probe.take(block), gallery)
