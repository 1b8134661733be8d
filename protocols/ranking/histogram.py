"""How far apart people are: a histogram of all distances, of one person and of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FloatArray,
    IntArray,
    Metric,
    as_pair,
    distance_blocks,
    to_distance,
)
from protocols.ranking.exclusion import ExclusionRule, identity_codes

_FINE_BINS = 8192


class DistanceCounts(NamedTuple):
    """A histogram of distances.

    Attributes:
        edges: (B + 1,) float64 rising edges of equal bins, from the nearest pair to the farthest.
        genuine: (B,) int64 pairs of one person.
        impostor: (B,) int64 pairs of two people.
    """

    edges: FloatArray
    genuine: IntArray
    impostor: IntArray


def count_distances(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike,
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    metric: Metric = "cosine",
    bins: int = 60,
    block_bytes: int = BLOCK_BYTES,
) -> DistanceCounts:
    """Count the distances of all probes to all gallery rows that they may see, in one pass.

    Args:
        probe: (P, D) embeddings.
        gallery: (G, D) embeddings, G >= 1.
        probe_identity: (P,) identities.
        gallery_identity: (G,) identities.
        exclude: Which gallery rows a probe may not see; None removes nothing.
        metric: ``cosine`` or ``euclidean``.
        bins: Bins at most.
        block_bytes: Working memory in bytes; about 64 bytes a pair of a block are reckoned.

    Returns:
        The counts; the first and the last bin are not empty. Without any pair one empty bin.

    Raises:
        ValueError: ``bins`` is below 1, or as :func:`protocols.ranking.distances.as_pair`.

    >>> found = count_distances([[0.0]], [[1.0], [3.0]], "a", ["a", "b"], metric="euclidean")
    >>> int(found.genuine.sum()), int(found.impostor.sum())
    (1, 1)
    """
    if bins < 1:
        raise ValueError(f"Distances are counted in at least one bin, not {bins}.")
    points = as_pair(probe, gallery, metric)
    own, enrolled = identity_codes(np.atleast_1d(probe_identity), np.atleast_1d(gallery_identity))
    farthest = 2.0
    if metric == "euclidean":  # the triangle about the common centre
        reach = [side.squared_lengths(side.vectors()).max(initial=0.0) for side in points]
        farthest = float(np.sqrt(reach).sum()) or 1.0
    width = farthest / _FINE_BINS
    fine = np.zeros((2, _FINE_BINS), dtype=np.int64)
    for block, squared in distance_blocks(*points, block_bytes):
        place = np.minimum(to_distance(squared, metric) / width, _FINE_BINS - 1).astype(np.int64)
        mate = own[block, None] == enrolled
        seen = np.ones_like(mate) if exclude is None else ~exclude(block)
        for kind, chosen in enumerate((seen & mate, seen & ~mate)):
            fine[kind] += np.bincount(place[chosen], minlength=_FINE_BINS)
    return _coarse(fine, width, bins)


def _coarse(fine: IntArray, width: float, bins: int) -> DistanceCounts:
    """Join the fine bins between the nearest pair and the farthest to at most ``bins``."""
    occupied = np.flatnonzero(fine.any(axis=0))
    first, last = (int(occupied[0]), int(occupied[-1])) if len(occupied) else (0, 0)
    step = -(-(last - first + 1) // bins)
    count = -(-(last - first + 1) // step)
    padded = np.zeros((2, count * step), dtype=np.int64)
    padded[:, : last - first + 1] = fine[:, first : last + 1]
    sums = padded.reshape(2, count, step).sum(axis=2)
    edges = width * (first + step * np.arange(count + 1, dtype=np.float64))
    return DistanceCounts(edges, sums[0], sums[1])
