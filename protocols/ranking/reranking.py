"""k-reciprocal re-ranking of a probe x gallery distance matrix, block by block.

The new distance is (1 - weight) times the Jaccard distance of two rows' reciprocal encodings
(:mod:`protocols.ranking.reciprocal`) plus weight times the original distance: Zhong et al.,
"Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, equations 10 and 12.
Three forms go by that name and give different results:

``matrix``
    As torchreid, and fast-reid's function on distance matrices: lists of k1 + 1 neighbours, the row
    itself among them; distances divided by the row's largest over probes and gallery, squared.
``features``
    As fast-reid at test time: lists of k1 neighbours, the row itself among them, except that its
    smaller lists have round(k1 / 2) + 1 (an off-by-one of the released code, kept so that results
    compare); squared distances as they are in the weights, and 1 - cosine or the squared Euclidean
    distance in the sum.
``opengait``
    As OpenGait for the HID competition, there with k1 = k2 = 6: as ``matrix``, but nothing is
    squared, neither a Euclidean distance nor its share of the row's largest.

Memory, besides the input and a few copies of it in float32: the neighbour lists (8 (k1 + 1) bytes a
row), the encodings (12 bytes an entry; some hundred entries a row, twice while they are put
together) and ``block_bytes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FloatArray,
    IntArray,
    Metric,
    Points,
    all_squared,
    as_pair,
    distance_blocks,
    some_squared,
)
from protocols.ranking.reciprocal import Scale, reciprocal_encoding, weighted_blocks
from protocols.ranking.retrieval import search, search_points

Form = Literal["matrix", "features", "opengait"]
DistanceBlocks = Iterator[tuple[slice, FloatArray]]
"""Slices of probe rows and their (B, G) distances, from the first probe to the last."""

_JACCARD_GRID_BITS = 40
_PAIR_BYTES = 112  # a probe-gallery pair: 64 for its original distance, the rest for the new one
_HIT_BYTES = 64  # an entry of the gallery's encodings that a probe's encoding meets


def rerank(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    metric: Metric = "cosine",
    form: Form = "matrix",
    block_bytes: int = BLOCK_BYTES,
) -> DistanceBlocks:
    """Re-rank a gallery for every probe.

    Probes are neighbours too: the distances depend on which probes are ranked together. Of a probe
    that is given as a gallery row as well, each copy takes a place in the lists.

    Args:
        probe: (P, D) numbers, or (P, C, parts), read as float32.
        gallery: (G, D) numbers, or (G, C, parts), read as float32, G >= 1. None: the probes are
            also the gallery, and each takes one place in the lists.
        k1: Neighbours that must be mutual, at least 1.
        k2: Encodings that are averaged, at least 1, which averages nothing.
        weight: Share of the original distance, 0..1 (the paper's lambda).
        metric: ``cosine`` or ``euclidean``.
        form: ``matrix``, ``features`` or ``opengait``.
        block_bytes: Working memory in bytes; one probe at a time is the least.

    Returns:
        An iterator over slices of probe rows and their (B, G) float64 distances. Neighbours and
        encodings are made before the first block.

    Raises:
        ValueError: A setting is out of its range, or as :func:`protocols.ranking.retrieval.search`.

    >>> ((rows, distances),) = rerank([[1.0, 0.0]], [[0.0, 1.0], [1.0, 0.1]], k1=1, k2=1)
    >>> rows, distances.shape, int(distances.argmin())
    (slice(0, 1, None), (1, 2), 1)
    """
    if form not in get_args(Form):
        raise ValueError(f"form must be one of {', '.join(get_args(Form))}, not {form!r}.")
    for name, value in (("k1", k1), ("k2", k2)):
        if value < 1:
            raise ValueError(f"Re-ranking needs {name} of at least 1, not {value}.")
    if not 0.0 <= weight <= 1.0:
        raise ValueError(
            f"The weight of the original distance in re-ranking must be 0 to 1, not {weight}."
        )
    own, stored = as_pair(probe, probe if gallery is None else gallery, metric)
    points = own
    if gallery is not None:
        values = np.concatenate([own.values, stored.values])
        points = replace(own, values=values, lengths=np.concatenate([own.lengths, stored.lengths]))
    wide = k1 if form == "features" else k1 + 1
    # fast-reid's lists end at k1 for k2 too.
    longest = wide if form == "features" else max(wide, k2)
    near = search_points(points, points, longest, block_bytes=block_bytes)
    scale = None if form == "features" else _scale(points, form, block_bytes)
    encoding = reciprocal_encoding(
        points,
        _itself_first(near.rows),
        wide=wide,
        narrow=round(k1 / 2) + 1,
        k2=k2,
        scale=scale,
        block_bytes=block_bytes,
    )
    # For each row, which gallery encodings hold it.
    inverted = encoding[len(points) - len(stored) :].T.tocsr()
    return _blocks(own, stored, encoding[: len(own)], inverted, scale, weight, block_bytes)


def _itself_first(rows: IntArray) -> IntArray:
    """(N, k) the lists with each row at the head of its own.

    Among exact copies the lowest row comes first, and with more copies than places a row would not
    be in its own list; the released code leaves that to an unstable sort.
    """
    own = np.arange(len(rows))[:, None]
    lists = rows.copy()
    absent = ~(lists == own).any(axis=1)
    lists[absent, -1] = own[absent, 0]
    order = np.argsort(lists != own, axis=1, kind="stable")
    return np.take_along_axis(lists, order, axis=1)


def _scale(points: Points, form: Form, block_bytes: int) -> Scale:
    """How the form takes squared distances to shares of the row's largest."""
    # The released codes get squared Euclidean distances, plain ones (opengait), or 1 - cosine.
    plain = 1.0 if points.metric == "cosine" else 0.5
    return Scale(_farthest(points, block_bytes), 2.0 if form == "matrix" else plain)


def _farthest(points: Points, block_bytes: int) -> FloatArray:
    """(N,) squared distance to the farthest row.

    In one space it is found by a search for the nearest, else in the whole matrix.

    With R the longest of the vectors, |(-a, 0) - (b, sqrt(2 R^2 - 2 |b|^2))|^2 is
    2 |a|^2 + 2 R^2 - |a - b|^2: the row that is farthest from a is nearest to its lifted opposite.
    The lift is stored in float32, so that of two rows within 3e-7 of equally far either may be
    taken; its distance is then measured in float64.
    """
    result = np.empty(len(points))
    if not points.in_one_space:
        for block, matrix in distance_blocks(points, points, block_bytes):
            result[block] = matrix.max(axis=1)
        return result
    vectors = points.vectors(np.float32)
    squared = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    lift = np.sqrt(2.0 * (squared.max() - squared))
    lifted = np.column_stack([vectors, lift.astype(np.float32)])
    opposite = np.column_stack([-vectors, np.zeros(len(vectors), dtype=np.float32)])
    found = search(opposite, lifted, 1, metric="euclidean", block_bytes=block_bytes).rows
    row_bytes = np.full(len(points), 48 * points.values.shape[1], dtype=np.int64)
    for block in weighted_blocks(row_bytes, block_bytes):
        result[block] = some_squared(points.take(block), points, found[block])[:, 0]
    return result


def _blocks(
    probe: Points,
    gallery: Points,
    encoding: csr_array,
    inverted: csr_array,
    scale: Scale | None,
    weight: float,
    block_bytes: int,
) -> DistanceBlocks:
    """The weighted sum of both distances, block by block; (P, N) encodings, (N, G) inverted."""
    held = np.diff(inverted.indptr).astype(np.float64)
    ones = np.ones(encoding.nnz)
    pattern = csr_array((ones, encoding.indices, encoding.indptr), shape=encoding.shape)
    hits = np.asarray(pattern @ held).astype(np.int64)
    for block in weighted_blocks(_PAIR_BYTES * len(gallery) + _HIT_BYTES * hits, block_bytes):
        distances = _jaccard(encoding[block], inverted)
        distances *= 1.0 - weight
        original = all_squared(probe.take(block), gallery)
        if scale is not None:
            original = scale.shares(original, scale.farthest[block, None])
        elif probe.metric == "cosine":
            original /= 2.0
        original *= weight
        distances += original
        yield block, distances


def _jaccard(encoding: csr_array, inverted: csr_array) -> FloatArray:
    """(B, G) Jaccard distances 1 - sum of minima / sum of maxima, on a grid of 2^-40.

    Both rows sum to 1, so the maxima sum to 2 less the minima. The grid is for ties: equal sums
    taken in another order differ in their last bits.
    """
    met = inverted[encoding.indices]
    lengths = np.diff(met.indptr)
    probe = np.repeat(np.arange(encoding.shape[0]), np.diff(encoding.indptr))
    low = np.minimum(np.repeat(encoding.data, lengths), met.data)
    cell = np.repeat(probe, lengths) * inverted.shape[1] + met.indices
    size = encoding.shape[0] * inverted.shape[1]
    shared = np.bincount(cell, low, minlength=size).reshape(encoding.shape[0], -1)
    distance = np.maximum(1.0 - shared / (2.0 - shared), 0.0)
    return np.asarray(
        np.ldexp(np.rint(np.ldexp(distance, _JACCARD_GRID_BITS)), -_JACCARD_GRID_BITS)
    )
