"""The probes of a gait protocol whose own person came furthest down the list."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.gait.assignment import assign, read_views
from protocols.gait.gallery_probe import GalleryProbe
from protocols.ranking.distances import FloatArray, IntArray, Metric, as_pair, distance_blocks
from protocols.ranking.distances import to_distance as as_distance
from protocols.ranking.exclusion import BoolArray


class MissedProbe(NamedTuple):
    """A probe whose nearest gallery sample shows somebody else.

    Attributes:
        probe: Row of the probe.
        nearest: (k,) rows of the gallery samples nearest to it, nearest first.
        distances: (k,) float64.
        mate: Row of its own person's nearest gallery sample.
        rank: Place of that one, from 1.
        compared: Gallery samples that it was compared with.
    """

    probe: int
    nearest: IntArray
    distances: FloatArray
    mate: int
    rank: int
    compared: int


def own_view(data: Embeddings, view: TextArray, row: int, gallery: IntArray) -> BoolArray:
    """Which gallery samples (G,) show a probe's own person in its own view, and are not shown.

    Args:
        data: The samples.
        view: (N,) their views as the protocol reads them, empty where it ignores them.
        row: The probe.
        gallery: (G,) rows.
    """
    own = data.subject[gallery] == data.subject[row]
    return np.asarray(own & (view[gallery] == view[row]) & (view[row] != ""), dtype=np.bool_)


def missed_probes(
    data: Embeddings,
    protocol: GalleryProbe,
    metric: Metric,
    count: int,
    depth: int,
    generator: np.random.Generator | None = None,
) -> list[MissedProbe]:
    """The probes whose own person came furthest down, the worst first.

    Every probe meets its whole gallery without its own person in its own view (of a protocol that
    ignores views, the whole one); the table's separate galleries per view are not distinguished.

    Args:
        data: One embedding (D,) a sample.
        protocol: Which are gallery and which probes.
        metric: ``cosine`` or ``euclidean``.
        count: Probes at most.
        depth: Gallery samples a probe at most.
        generator: Draws the gallery takes where the protocol says ``random N``.

    Raises:
        ValueError: The protocol finds no gallery or no probe in the data.
    """
    roles = assign(protocol, data, generator)
    view = read_views(protocol, data)
    found: dict[int, MissedProbe] = {}
    for places, gallery in roles.settings():
        probe = np.unique(roles.probe[places])
        if not len(probe) or not len(gallery):
            continue
        sides = as_pair(data.embedding[probe], data.embedding[gallery], metric)
        for block, squared in distance_blocks(*sides):
            rows = zip(probe[block].tolist(), as_distance(squared, metric), strict=True)
            for row, distance in rows:
                own = data.subject[gallery] == data.subject[row]
                visible = np.flatnonzero(~own_view(data, view, row, gallery))
                order = visible[np.argsort(distance[visible], kind="stable")]
                mates = np.flatnonzero(own[order])
                if len(mates) and mates[0] > 0 and row not in found:
                    near = order[:depth]
                    found[row] = MissedProbe(
                        probe=row,
                        nearest=gallery[near],
                        distances=np.asarray(distance[near], dtype=np.float64),
                        mate=int(gallery[order[mates[0]]]),
                        rank=int(mates[0]) + 1,
                        compared=len(order),
                    )
    return sorted(found.values(), key=lambda one: (-one.rank, one.probe))[:count]
