"""The right score of recordings: how surely a network says what is true of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from protocols.embeddings import Embeddings
from protocols.ranking.distances import Metric, all_squared, as_pair, to_distance
from tasks.joints.hiding import Score


@dataclass(frozen=True, eq=False)
class RightScore:
    """A task's right score.

    Attributes:
        name: what it is, in words.
        unit: of a difference of two scores, such as "percentage points"; empty without one.
        scale: one in that unit.
        rows: the test samples that may have one.
        score: gives it.
    """

    name: str
    unit: str
    scale: float
    rows: Rows
    score: Score


def margin(
    tested: Embeddings,
    metric: Metric,
    rows: Rows,
    gallery_of: Callable[[int], Rows],
    embed: Callable[[Store], npt.NDArray[np.float32]],
) -> RightScore:
    """How much nearer a probe's own person is than anybody else; above 0 it is ranked first.

    The distance to the nearest gallery sample of somebody else, less that to the nearest of the
    probe's own person. A probe with nobody else or not its own person in its gallery has none.

    Args:
        tested: embeddings of the test samples.
        metric: their distance.
        rows: the probes.
        gallery_of: the gallery samples that a probe may see.
        embed: embeds recordings as the test samples were.
    """

    def score(copies: Store, of: Rows) -> npt.NDArray[np.float64]:
        vectors, found = embed(copies), np.full(len(of), np.nan)
        for row in np.unique(of).tolist():
            near, here = gallery_of(row), np.flatnonzero(of == row)
            near = near[near != row]
            own = tested.subject[near] == tested.subject[row]
            if own.any() and not own.all():
                sides = as_pair(vectors[here], tested.embedding[near], metric)
                distance = to_distance(all_squared(*sides), metric)
                found[here] = distance[:, ~own].min(axis=1) - distance[:, own].min(axis=1)
        return found

    words = f"margin of the right person ({metric} distance)"
    return RightScore(words, "", 1.0, rows, score)
