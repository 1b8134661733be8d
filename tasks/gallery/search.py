"""The most alike enrolled people of each probe, exactly; a person counts by the best template."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray, Metric, Points, as_points
from protocols.ranking.retrieval import search_points
from tasks.gallery.content import Candidate, Templates, Vectors

NEAR = 1e-4
"""Cosine distance below which two templates are taken for one recording."""


def to_score(distance: FloatArray, metric: Metric) -> FloatArray:
    """Cosine similarity, or minus the Euclidean distance: higher is more alike."""
    return 1.0 - distance if metric == "cosine" else -distance


def ready_points(vectors: Vectors, metric: Metric) -> Points:
    """Templates (N, D) as a search takes them without a copy: under cosine of unit length."""
    points = as_points(vectors, metric, "enrolled")
    if metric == "euclidean" or not len(points):
        return points
    return as_points(points.vectors(np.float32), metric, "enrolled")


def rank_people(probe: npt.ArrayLike, templates: Templates, count: int) -> list[list[Candidate]]:
    """The `count` most alike people of each probe, the best first; ties by the earlier template.

    Args:
        probe: (P, D) embeddings.
        templates: all that are compared.
        count: at least 1.

    Returns:
        P lists of at most `count`.

    Raises:
        ValueError: a value is not finite, or D differs.
    """
    gallery = templates.points
    points = as_points(probe, gallery.metric, "probe")
    found: list[list[Candidate]] = [[] for _ in range(len(points))]
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
        scores = to_score(near.distances, gallery.metric)
        for probe_row, rows, own in zip(left, near.rows, scores, strict=True):
            _, first = np.unique(templates.person[rows], return_index=True)
            found[probe_row] = [
                Candidate(
                    templates.names[templates.person[rows[place]]],
                    float(own[place]),
                    int(templates.number[rows[place]]),
                )
                for place in np.sort(first)[:count]
            ]
        if fetch >= len(gallery):
            break
        left = np.array([row for row in left if len(found[row]) < most], dtype=np.int64)
        fetch *= 4
    return found


def best_of(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """The `count` most alike people among candidates, each by the best one; ties as above.

    >>> some = Candidate("Ann", 0.5, 3), Candidate("Bea", 0.5, 1), Candidate("Ann", 0.7, 9)
    >>> [(one.person, one.template) for one in best_of(some, 5)]
    [('Ann', 9), ('Bea', 1)]
    """
    found: dict[str, Candidate] = {}
    for one in sorted(candidates, key=lambda one: (-one.score, one.template)):
        found.setdefault(one.person, one)
    return list(found.values())[:count]


def only(templates: Templates, person: str) -> Templates:
    """The templates of one person."""
    rows = np.flatnonzero(templates.person == list(templates.names).index(person))
    points, number = templates.points.take(rows), templates.number[rows]
    return Templates((person,), np.zeros(len(rows), dtype=np.int64), number, points)


def is_near(probe: Vectors, score: float, metric: Metric) -> bool:
    """Whether a template of this score is as good as the same recording."""
    if metric == "cosine":
        return 1.0 - score <= NEAR
    return score**2 <= 2.0 * NEAR * float(np.square(probe, dtype=np.float64).sum())
