"""Identification from distances that are already there: re-ranked, or someone else's ranking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import BLOCK_BYTES, FloatArray
from protocols.ranking.exclusion import ExclusionRule, count_mates, identity_codes
from protocols.ranking.identification import Identification
from protocols.ranking.precision import Ties, rank_blocks


def identify_by_distances(
    blocks: Iterable[tuple[slice, FloatArray]],
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    depth: int = 10,
    ties: Ties = "row",
    skip: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> Identification:
    """Identify every probe by given distances (:mod:`protocols.ranking.identification`).

    Args:
        blocks: Slices of probe rows, from the first to the last without gaps, and their (B, G)
            distances, which are overwritten; such as :func:`protocols.ranking.reranking.rerank`
            yields.
        probe_identity: (P,) identities, text or integers, of any naming.
        gallery_identity: (G,) identities, G >= 1.
        exclude: Which gallery rows a probe may not see; None removes nothing.
        depth: The deepest rank wanted, at least 1.
        ties: Equal distances in AP: ``row`` (the lowest gallery row goes first) or ``grouped``.
        skip: Nearest rows, whatever they are, that rank-k looks past; AP and INP do not.
        block_bytes: Working memory in bytes of the counting, beside the blocks as they come.

    Returns:
        One entry a probe, with average precision and INP.

    Raises:
        ValueError: ``depth`` or ``skip`` is out of its range, the gallery is empty, the blocks do
            not cover the probes one after the other, or a block has another shape than its slice
            and the gallery ask for, or holds a distance that is not a number.
    """
    if depth < 1 or skip < 0:
        raise ValueError(f"depth must be at least 1 and skip at least 0, not {depth} and {skip}.")
    own, enrolled = identity_codes(probe_identity, gallery_identity)
    if not len(enrolled):
        raise ValueError("The gallery is empty: at least one enrolled identity is needed.")
    mates, removed = count_mates(own, enrolled, exclude, block_bytes)
    checked = _checked(blocks, len(own), len(enrolled))
    ranks = rank_blocks(checked, own, enrolled, exclude, ties=ties, skip=skip)
    first = np.where(ranks.first <= depth, ranks.first, 0)
    return Identification(
        first, depth, mates, len(enrolled) - removed, ranks.average, ranks.inverse
    )


def _checked(
    blocks: Iterable[tuple[slice, FloatArray]], probes: int, gallery: int
) -> Iterator[tuple[slice, FloatArray]]:
    """Hand the blocks on, refusing the first that does not fit."""
    expected = 0
    for block, distances in blocks:
        if block.start != expected or not expected < block.stop <= probes:
            raise ValueError(
                f"A distance block of probes {block.start} to {block.stop} came where one from "
                f"probe {expected} on was expected, of {probes} probes in all."
            )
        if distances.shape != (block.stop - block.start, gallery):
            raise ValueError(
                f"The distances of probes {block.start} to {block.stop} have shape "
                f"{distances.shape}, but the gallery has {gallery} rows: give one row a probe and "
                "one column a gallery row."
            )
        if np.isnan(distances).any():
            raise ValueError(
                f"A distance of probes {block.start} to {block.stop} is not a number and cannot "
                "be ranked: leave these samples out."
            )
        expected = block.stop
        yield block, distances
    if expected != probes:
        raise ValueError(
            f"The distance blocks end at probe {expected}, but there are {probes} probes."
        )
