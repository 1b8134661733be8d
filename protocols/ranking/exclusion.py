"""Which gallery rows a probe may not see, and how many mates that leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import IntArray, row_blocks

BoolArray = npt.NDArray[np.bool_]
ExclusionRule = Callable[[slice], BoolArray]
"""Given a block of B probe rows, the (B, G) gallery rows that these probes may not see."""


def same_identity_and_group(
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    probe_group: npt.ArrayLike,
    gallery_group: npt.ArrayLike,
) -> ExclusionRule:
    """Remove gallery rows of the probe's own identity in the probe's own group.

    The group is a view (gait, "identical views excluded"), a camera (person re-identification), or
    a take.

    Args:
        probe_identity: (P,) identities.
        gallery_identity: (G,) identities.
        probe_group: (P,) views, cameras or takes.
        gallery_group: (G,) views, cameras or takes.

    Returns:
        The exclusion rule.

    >>> rule = same_identity_and_group([7], [7, 7, 8], ["018"], ["018", "036", "018"])
    >>> rule(slice(0, 1)).tolist()
    [[True, False, False]]
    """
    own, enrolled = identity_codes(probe_identity, gallery_identity)
    seen, stored = identity_codes(probe_group, gallery_group)

    def rule(block: slice) -> BoolArray:
        same: BoolArray = (own[block, None] == enrolled) & (seen[block, None] == stored)
        return same

    return rule


def same_key(probe_key: npt.ArrayLike, gallery_key: npt.ArrayLike) -> ExclusionRule:
    """Remove gallery rows of the probe's own key: itself, or its own walk.

    Args:
        probe_key: (P,) integers or names.
        gallery_key: (G,) likewise.

    Returns:
        The exclusion rule.

    >>> same_key([4, 6], [4, 5])(slice(0, 2)).tolist()
    [[True, False], [False, False]]
    """
    own, stored = identity_codes(probe_key, gallery_key)

    def rule(block: slice) -> BoolArray:
        same: BoolArray = own[block, None] == stored
        return same

    return rule


def identity_codes(probe: npt.ArrayLike, gallery: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Number the names of both sides alike: (P,) and (G,) int64."""
    left: npt.NDArray[Any] = np.asarray(probe)
    right: npt.NDArray[Any] = np.asarray(gallery)
    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    codes = codes.astype(np.int64)
    return codes[: len(left)], codes[len(left) :]


def count_mates(
    own: IntArray, enrolled: IntArray, exclude: ExclusionRule | None, block_bytes: int
) -> tuple[IntArray, IntArray]:
    """Count what an exclusion rule leaves.

    Args:
        own: (P,) identity numbers of the probes.
        enrolled: (G,) identity numbers of the gallery.
        exclude: The rule; None removes nothing.
        block_bytes: Working memory in bytes.

    Returns:
        (P,) mates that are left to each probe, and (P,) gallery rows removed from it.
    """
    size = int(max(own.max(initial=0), enrolled.max(initial=0))) + 1
    mates = np.bincount(enrolled, minlength=size)[own].astype(np.int64)
    removed = np.zeros(len(own), dtype=np.int64)
    if exclude is None:
        return mates, removed
    for block in row_blocks(len(own), 4 * len(enrolled), block_bytes):
        hidden = exclude(block)
        removed[block] = hidden.sum(axis=1)
        mates[block] -= (hidden & (own[block, None] == enrolled)).sum(axis=1)
    return mates, removed
