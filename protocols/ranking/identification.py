"""Closed-set identification: rank-k, CMC, average precision and INP.

A probe is compared with every gallery row that an exclusion rule leaves it. Its *mates* are the
remaining rows of the same identity; a probe without any is *unmated*, and a table counts it as
``wrong`` (a failure that stays in the denominator, as in the gait tables) or leaves it out
(``skip``, as in the re-ID toolboxes). The CMC is at sample level: the rank of the first mate among
the gallery rows, ties won by the lowest gallery row.

Average precision is the mean, over the mates, of the precision at each mate's rank, without
interpolation. INP is (number of mates) / (rank of the last mate): Ye et al., "Deep Learning for
Person Re-identification: A Survey and Outlook", TPAMI 2022.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import (
    BLOCK_BYTES,
    FloatArray,
    IntArray,
    Metric,
    Points,
    as_pair,
    distance_blocks,
    row_blocks,
)
from protocols.ranking.engines import Device, choose_backend
from protocols.ranking.exclusion import BoolArray, ExclusionRule, identity_codes
from protocols.ranking.gpu import (
    Engine,
    all_mates_on,
    first_mates_on,
    is_chosen,
    refuse_ranking,
)
from protocols.ranking.layout import Layout, lay_out, split_rows
from protocols.ranking.precision import MateRanks, Ties, check_ties, rank_blocks
from protocols.ranking.proven.every import all_mates
from protocols.ranking.proven.first import first_mates
from protocols.ranking.retrieval import search

Unmated = Literal["wrong", "skip"]
"""Policy for probes without a mate."""


@dataclass(frozen=True, eq=False)
class Identification:
    """The result of each probe.

    Attributes:
        first_mate: (P,) int64, rank of the first mate from 1; 0 where none is within ``depth``.
        depth: The deepest rank that was searched.
        mates: (P,) int64, gallery rows of the same identity that the probe may see.
        candidates: (P,) int64, gallery rows that the probe may see.
        average_precision: (P,) float64; NaN for unmated probes, or where it was not computed.
        inverse_penalty: (P,) float64 INP, likewise.
    """

    first_mate: IntArray
    depth: int
    mates: IntArray
    candidates: IntArray
    average_precision: FloatArray
    inverse_penalty: FloatArray

    def hits(self, k: int) -> BoolArray:
        """(P,) whether a mate is among the first ``k`` rows.

        Raises:
            ValueError: ``k`` is below 1 or above ``depth``.
        """
        if not 1 <= k <= self.depth:
            raise ValueError(f"Rank {k} is not known: ranks 1 to {self.depth} were searched.")
        return (self.first_mate > 0) & (self.first_mate <= k)

    def cmc(self, counted: BoolArray) -> FloatArray:
        """(depth,) rank-1 to rank-depth of the probes that count; NaN where none does.

        Args:
            counted: (P,) which probes count.
        """
        total = int(np.count_nonzero(counted))
        if not total:
            return np.full(self.depth, np.nan)
        hits = np.bincount(self.first_mate[counted], minlength=self.depth + 1)[1:]
        return np.asarray(np.cumsum(hits) / total, dtype=np.float64)


def identify(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike,
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    depth: int = 10,
    precision: bool = True,
    metric: Metric = "cosine",
    device: Device = "auto",
    engine: Engine | None = None,
    block_bytes: int = BLOCK_BYTES,
    ties: Ties = "row",
    skip: int = 0,
) -> Identification:
    """Identify every probe in a gallery.

    Ranks come from one matrix product, where its error proves them
    (:mod:`protocols.ranking.proven`), and else from the exact distances; with a GPU and without
    average precision from FAISS (:func:`protocols.ranking.retrieval.search`), fetching as many rows
    beyond ``depth`` as the exclusion rule can remove. All ways give the same. No array of size
    P x G is ever held.

    Args:
        probe: (P, D) embeddings.
        gallery: (G, D) embeddings, G >= 1.
        probe_identity: (P,) identities, text or integers, of any naming.
        gallery_identity: (G,) identities.
        exclude: Which gallery rows a probe may not see, such as
            :func:`protocols.ranking.exclusion.same_labels`; None removes nothing.
        depth: The deepest rank wanted.
        precision: Whether to compute AP and INP.
        metric: ``cosine`` or ``euclidean``.
        device: Where to rank: ``cpu``; ``gpu``, by the engine or without AP by FAISS; or ``auto``,
            a GPU where there is one and enough to rank.
        engine: Ranks on a GPU (:class:`protocols.ranking.gpu.Engine`).
        block_bytes: Working memory in bytes of the blocked parts.
        ties: Equal distances in AP: ``row`` (the lowest gallery row goes first) or ``grouped``.
        skip: Nearest rows, whatever they are, that rank-k leaves out; AP and INP do not.

    Returns:
        One entry a probe, in the given order.

    Raises:
        ValueError: Lengths disagree, ``skip`` is negative, ``gpu`` is asked for and cannot be had,
            or as :func:`protocols.ranking.retrieval.search`.
    """
    (found,) = identify_in_parts(
        probe,
        gallery,
        probe_identity,
        gallery_identity,
        None,
        exclude=exclude,
        depth=depth,
        precision=precision,
        metric=metric,
        device=device,
        engine=engine,
        block_bytes=block_bytes,
        ties=ties,
        skip=skip,
    )
    return found


def identify_in_parts(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike,
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    part: IntArray | None,
    *,
    exclude: ExclusionRule | None = None,
    depth: int = 10,
    precision: bool = True,
    metric: Metric = "cosine",
    device: Device = "auto",
    engine: Engine | None = None,
    block_bytes: int = BLOCK_BYTES,
    ties: Ties = "row",
    skip: int = 0,
) -> list[Identification]:
    """Identify every probe in several galleries, such as one of each view, by one matrix product.

    Args:
        probe: As in :func:`identify`.
        gallery: (G, D) embeddings of all galleries.
        probe_identity: As in :func:`identify`.
        gallery_identity: (G,) identities.
        part: (G,) int64 gallery of each row, 0 to S-1, none empty; None: one gallery.
        exclude: As in :func:`identify`.
        depth: As in :func:`identify`.
        precision: As in :func:`identify`.
        metric: As in :func:`identify`.
        device: As in :func:`identify`.
        engine: As in :func:`identify`.
        block_bytes: As in :func:`identify`.
        ties: As in :func:`identify`.
        skip: As in :func:`identify`.

    Returns:
        S results.

    Raises:
        ValueError: As :func:`identify`.
    """
    _check_ranks(depth, skip)
    check_ties(ties)
    left, right = as_pair(probe, gallery, metric)
    own, enrolled = identity_codes(probe_identity, gallery_identity)
    if (len(own), len(enrolled)) != (len(left), len(right)):
        raise ValueError(
            f"{len(own)} probe and {len(enrolled)} gallery identities were given for "
            f"{len(left)} probe and {len(right)} gallery embeddings."
        )
    ranker = engine if is_chosen(engine, device, left, right) else None
    on_gpu = False
    if ranker is None and (not precision or device not in ("auto", "cpu")):
        refuse_ranking(device, left, precision)
        on_gpu = choose_backend(device) == "faiss-gpu" and not precision  # imports FAISS
    galleries = [np.arange(len(right))] if part is None else split_rows(part)
    exact = _Exact(
        np.asarray(probe),
        np.asarray(gallery),
        own,
        enrolled,
        exclude,
        metric,
        device if ranker is None else "auto",
        block_bytes,
    )
    ranking = _Ranks(depth, skip, ties)
    if on_gpu or not left.in_one_space:
        everyone = np.arange(len(left))
        return [exact.identify(everyone, rows, ranking, precision) for rows in galleries]
    layout = lay_out(own, enrolled, part, exclude)
    stored = right.take(layout.order)
    found: list[Identification] = []
    for place, (ranks, proven) in enumerate(
        _proven(left, stored, layout, ranking, precision, block_bytes, ranker)
    ):
        first, average, inverse = ranks
        open_rows = np.flatnonzero(~proven)
        if len(open_rows):
            rest = exact.identify(open_rows, galleries[place], ranking, precision)
            first[open_rows] = rest.first_mate
            average[open_rows] = rest.average_precision
            inverse[open_rows] = rest.inverse_penalty
        mates, candidates = layout.mates[:, place], layout.candidates[:, place]
        found.append(Identification(first, depth, mates, candidates, average, inverse))
    return found


class _Ranks(NamedTuple):
    """Which ranks are wanted; as in :func:`identify`."""

    depth: int
    skip: int
    ties: Ties


def _proven(
    probe: Points,
    gallery: Points,
    layout: Layout,
    ranking: _Ranks,
    precision: bool,
    block_bytes: int,
    engine: Engine | None,
) -> Iterator[tuple[MateRanks, BoolArray]]:
    """The ranks in each gallery, and which are proven."""
    depth, skip, ties = ranking
    if engine is None:
        first_of = partial(first_mates, block_bytes=block_bytes)
        all_of = partial(all_mates, block_bytes=block_bytes)
    else:
        first_of, all_of = partial(first_mates_on, engine), partial(all_mates_on, engine)
    if precision or skip:
        for ranks, proven in all_of(probe, gallery, layout, ties=ties, skip=skip):
            within = np.where(ranks.first <= depth, ranks.first, 0)
            if not precision:
                ranks = MateRanks.nobody(len(probe))
            yield ranks._replace(first=within), proven
        return
    first, proven = first_of(probe, gallery, layout, depth)
    open_rows = np.flatnonzero(~proven.all(axis=1))
    if len(open_rows):  # float64 proves nearly all of the rest
        again = all_of(probe.take(open_rows), gallery, layout.take(open_rows))
        for place, (ranks, certain) in enumerate(again):
            first[open_rows, place] = np.where(ranks.first <= depth, ranks.first, 0)
            proven[open_rows, place] = certain
    for place in range(layout.parts):
        ranks = MateRanks.nobody(len(probe))._replace(first=first[:, place])
        yield ranks, proven[:, place]


@dataclass(frozen=True, eq=False)
class _Exact:
    """Identification on the tie grid, of some probes in some gallery rows."""

    probe: npt.NDArray[Any]
    gallery: npt.NDArray[Any]
    own: IntArray
    enrolled: IntArray
    exclude: ExclusionRule | None
    metric: Metric
    device: Device
    block_bytes: int

    def identify(
        self, probes: IntArray, rows: IntArray, ranking: _Ranks, precision: bool
    ) -> Identification:
        """Rank the whole gallery, or without average precision search as deep as is wanted."""
        depth, skip, ties = ranking
        own, enrolled = self.own[probes], self.enrolled[rows]
        exclude = None if self.exclude is None else self.exclude.take(probes, rows)
        sides = (self.probe[probes], self.gallery[rows])
        if precision:
            return identify_by_distances(
                distance_blocks(*as_pair(*sides, self.metric), self.block_bytes),
                own,
                enrolled,
                exclude=exclude,
                depth=depth,
                ties=ties,
                skip=skip,
            )
        mates, candidates = _count(own, enrolled, exclude)
        removed = len(enrolled) - int(candidates.min(initial=len(enrolled)))
        fetch = min(len(enrolled), depth + skip + removed)
        near = search(
            *sides, fetch, metric=self.metric, device=self.device, block_bytes=self.block_bytes
        ).rows
        first = _first_mate(own, enrolled, near, exclude, (depth, skip), self.block_bytes)
        unknown = np.full(len(own), np.nan)
        return Identification(first, depth, mates, candidates, unknown, unknown)


def _check_ranks(depth: int, skip: int) -> None:
    if depth < 1 or skip < 0:
        raise ValueError(f"depth must be at least 1 and skip at least 0, not {depth} and {skip}.")


def _first_mate(
    own: IntArray,
    enrolled: IntArray,
    rows: IntArray,
    exclude: ExclusionRule | None,
    ranks: tuple[int, int],
    block_bytes: int,
) -> IntArray:
    """(P,) rank of the first mate among the rows that a probe may see, 0 beyond the depth."""
    depth, skip = ranks
    first = np.zeros(len(own), dtype=np.int64)
    for block in row_blocks(len(own), 4 * len(enrolled), block_bytes):
        near = rows[block]
        seen = np.ones(near.shape, dtype=np.bool_)
        if exclude is not None:
            seen = ~np.take_along_axis(exclude(block), near, axis=1)
        rank = np.cumsum(seen, axis=1) - skip
        mate = seen & (rank > 0) & (enrolled[near] == own[block, None])
        found = np.where(mate.any(axis=1), rank[np.arange(len(near)), mate.argmax(axis=1)], 0)
        first[block] = np.where(found <= depth, found, 0)
    return first


def identify_by_distances(
    blocks: Iterable[tuple[slice, FloatArray]],
    probe_identity: npt.ArrayLike,
    gallery_identity: npt.ArrayLike,
    *,
    exclude: ExclusionRule | None = None,
    depth: int = 10,
    ties: Ties = "row",
    skip: int = 0,
) -> Identification:
    """Identify every probe by given distances.

    Args:
        blocks: Slices of probe rows, from the first to the last without gaps, and their (B, G)
            distances, which are overwritten; such as :func:`protocols.ranking.reranking.rerank`
            yields.
        probe_identity: (P,) identities, text or integers, of any naming.
        gallery_identity: (G,) identities, G >= 1.
        exclude: Which gallery rows a probe may not see; None removes nothing.
        depth: The deepest rank wanted, at least 1.
        ties: Equal distances in AP: ``row`` (the lowest gallery row goes first) or ``grouped``.
        skip: Nearest rows, whatever they are, that rank-k leaves out; AP and INP do not.

    Returns:
        One entry a probe, with average precision and INP.

    Raises:
        ValueError: ``depth`` or ``skip`` is out of its range, the gallery is empty, the blocks do
            not cover the probes one after the other, or a block does not have a row a probe of its
            slice and a column a gallery row, or holds NaN.
    """
    _check_ranks(depth, skip)
    own, enrolled = identity_codes(probe_identity, gallery_identity)
    if not len(enrolled):
        raise ValueError("The gallery is empty: at least one enrolled identity is needed.")
    mates, candidates = _count(own, enrolled, exclude)
    checked = _checked(blocks, len(own), len(enrolled))
    ranks = rank_blocks(checked, own, enrolled, exclude, ties=ties, skip=skip)
    first = np.where(ranks.first <= depth, ranks.first, 0)
    return Identification(first, depth, mates, candidates, ranks.average, ranks.inverse)


def _count(
    own: IntArray, enrolled: IntArray, exclude: ExclusionRule | None
) -> tuple[IntArray, IntArray]:
    """(P,) mates and (P,) gallery rows that each probe may see."""
    layout = lay_out(own, enrolled, None, exclude)
    return layout.mates[:, 0], layout.candidates[:, 0]


def _checked(
    blocks: Iterable[tuple[slice, FloatArray]], probes: int, gallery: int
) -> Iterator[tuple[slice, FloatArray]]:
    """Pass the blocks on; refuse the first that does not fit."""
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
                f"{distances.shape}, but the gallery has {gallery} rows: give one row per probe "
                "and one column per gallery row."
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
