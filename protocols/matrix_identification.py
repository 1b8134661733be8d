"""Identification by distances that are already there: re-ranked, or someone else's ranking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.distances import BLOCK_BYTES, FloatArray, row_blocks
from protocols.exclusion import ExclusionRule, count_mates, identity_codes
from protocols.identification import Identification
from protocols.precision import Ties, rank_blocks


def identify_blocks(
    blocks: Iterable[tuple[slice, FloatArray]],
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    depth: int = 10,
    ties: Ties = "row",
    skip: int = 0,
) -> Identification:
    """Identify every probe by distances that come in blocks, such as re-ranked ones.

    Args:
        blocks: Slices of probe rows and their (B, G) float64 distances, all P probes once; the
            arrays are overwritten.
        probe_identity: (P,) identities.
        gallery_identity: (G,) identities.
        exclude: Which gallery rows a probe may not see; None removes nothing.
        depth: The deepest rank wanted.
        ties: Equal distances in AP: ``row`` (the lowest gallery row goes first) or ``grouped``.
        skip: Nearest rows, whatever they are, that rank-k looks past; AP and INP do not.

    Returns:
        One entry a probe, with AP and INP.
    """
    own, enrolled = identity_codes(probe_identity, gallery_identity)
    mates, removed = count_mates(own, enrolled, exclude, BLOCK_BYTES)
    ranks = rank_blocks(blocks, own, enrolled, exclude, ties=ties, skip=skip)
    first = np.where(ranks.first <= depth, ranks.first, 0)
    seen = len(enrolled) - removed
    return Identification(first, depth, mates, seen, ranks.average, ranks.inverse)


def identify_matrix(
    distances: npt.ArrayLike,
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    depth: int = 10,
    ties: Ties = "row",
    skip: int = 0,
) -> Identification:
    """Identify every probe by a whole matrix of distances.

    A ranking without distances, (P, G) gallery rows nearest first, is judged by its positions:
    ``np.argsort(order, axis=1)``.

    Args:
        distances: (P, G) finite numbers, lower is more alike, G >= 1.
        probe_identity: (P,) identities.
        gallery_identity: (G,) identities.
        exclude: As in :func:`identify_blocks`.
        depth: The deepest rank wanted.
        ties: As in :func:`identify_blocks`.
        skip: As in :func:`identify_blocks`.

    Returns:
        One entry a probe, with AP and INP.

    Raises:
        ValueError: The matrix is not numeric, finite and two-dimensional, or does not have one row
            a probe and one column a gallery row.

    >>> found = identify_matrix([[0.2, 0.1]], ["a"], ["a", "b"])
    >>> found.first_mate.tolist(), found.mean_average_precision()
    ([2], 0.5)
    """
    matrix: npt.NDArray[Any] = np.asarray(distances)
    shape = (np.size(probe_identity), np.size(gallery_identity))
    if matrix.shape != shape or matrix.dtype.kind not in "fiu" or not shape[1]:
        raise ValueError(
            f"The distances of {shape[0]} probes to {shape[1]} gallery rows must be a numeric "
            f"array of that shape, with a column at least, not {matrix.dtype} of shape "
            f"{matrix.shape}."
        )
    if not np.isfinite(matrix).all():
        raise ValueError("A distance is not finite: each probe needs a number for every row.")
    return identify_blocks(
        (
            (block, matrix[block].astype(np.float64))
            for block in row_blocks(len(matrix), 64 * matrix.shape[1])
        ),
        probe_identity,
        gallery_identity,
        exclude=exclude,
        depth=depth,
        ties=ties,
        skip=skip,
    )
