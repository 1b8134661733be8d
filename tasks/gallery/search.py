"""The most alike enrolled people of each probe, exactly; a person counts by the best template."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray, Metric, as_points
from protocols.ranking.retrieval import search_points
from tasks.gallery.content import Templates

NEAR = 1e-4
"""Cosine distance below which two templates are taken for one recording."""


class Ranked(NamedTuple):
    """The most alike people of P probes, the best first.

    Attributes:
        person: (P, k) index of the person; -1 where there are fewer.
        score: (P, k) float64: cosine similarity, or minus the Euclidean distance; minus infinity
            where there are fewer.
        row: (P, k) that person's most alike template.
    """

    person: IntArray
    score: FloatArray
    row: IntArray


def to_score(distance: FloatArray, metric: Metric) -> FloatArray:
    """Cosine similarity, or minus the Euclidean distance: higher is more alike."""
    return 1.0 - distance if metric == "cosine" else -distance


def rank_people(probe: npt.ArrayLike, templates: Templates, count: int) -> Ranked:
    """The `count` most alike people of each probe; ties by the earlier template.

    Args:
        probe: (P, D) embeddings.
        templates: all enrolled.
        count: k, at least 1.

    Raises:
        ValueError: a value is not finite, or D differs.
    """
    gallery = templates.points
    points = as_points(probe, gallery.metric, "probe")
    shape = (len(points), count)
    found = Ranked(np.full(shape, -1), np.full(shape, -np.inf), np.full(shape, -1))
    if not len(gallery) or not len(points):
        return found
    if points.values.shape[1] != gallery.values.shape[1]:
        raise ValueError(
            f"the recordings have embeddings of {points.values.shape[1]} dimensions and the "
            f"enrolled people of {gallery.values.shape[1]}: both must come from the same model"
        )
    most = min(count, len(templates.names))
    left: IntArray = np.arange(len(points))
    fetch = 4 * count
    while len(left):
        near = search_points(points.take(left), gallery, fetch)
        done = np.zeros(len(left), dtype=np.bool_)
        scores = to_score(near.distances, gallery.metric)
        for place, (rows, own) in enumerate(zip(near.rows, scores, strict=True)):
            people, first = np.unique(templates.person[rows], return_index=True)
            first = np.sort(first)[:count]
            done[place] = len(people) >= most or fetch >= len(gallery)
            if done[place]:
                at = left[place], slice(len(first))
                found.row[at], found.score[at] = rows[first], own[first]
                found.person[at] = templates.person[rows[first]]
        left, fetch = left[~done], 4 * fetch
    return found


def scores_with(probe: npt.ArrayLike, templates: Templates, person: int) -> FloatArray:
    """(P,) the score of each probe with one person: that of the most alike template."""
    rows = np.flatnonzero(templates.person == person)
    own = templates._replace(points=templates.points.take(rows), person=templates.person[rows])
    return rank_people(probe, own, 1).score[:, 0]


def are_near(probe: npt.NDArray[np.float32], score: FloatArray, metric: Metric) -> FloatArray:
    """(P,) whether a template of this score is as good as the same recording."""
    if metric == "cosine":
        return np.asarray(1.0 - score <= NEAR)
    lengths = np.linalg.norm(probe, axis=1)
    return np.asarray(score**2 <= 2.0 * NEAR * lengths**2)
