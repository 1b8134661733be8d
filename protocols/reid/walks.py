"""Whole walks from sequences: one embedding a recording, by pooling.

A recording (walk) is cut into several sequences; rows of equal subject, condition, take, view and
camera are of one walk. Its embedding is the mean of its sequences' unit embeddings, so that no
sequence weighs more for its length; it is not normalised again, which makes no difference to
cosine.
"""

from __future__ import annotations

import numpy as np

from protocols.embeddings import Embeddings
from protocols.names import canonical
from protocols.ranking.distances import IntArray

FIRST_FRAME_MARK = "@"
"""Separates recording and first frame in the name of a sequence."""

_LABELS = ("subject", "condition", "take", "view", "camera")


def number_walks(data: Embeddings) -> IntArray:
    """(N,) int64 number of each sequence's walk, in the order in which the walks come.

    >>> take = ["1", "2", "01"]
    >>> number_walks(Embeddings(np.eye(3), subject=[7, 7, 7], take=take)).tolist()
    [0, 1, 0]
    """
    codes = np.zeros(len(data), dtype=np.int64)
    for field in _LABELS:
        names = getattr(data, field)
        names = names if field == "subject" else canonical(names)
        values = np.unique(names, return_inverse=True)[1]
        size = int(values.max(initial=0)) + 1
        codes = np.unique(codes * size + values, return_inverse=True)[1].astype(np.int64)
    first = np.unique(codes, return_index=True)[1]
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[codes]


def check_takes(data: Embeddings, why: str) -> None:
    """Refuse sequences whose walk is not known.

    Raises:
        ValueError: A sequence has no take; it is named.
    """
    nameless = np.flatnonzero(data.take == "")
    if len(nameless):
        raise ValueError(
            f"{why} needs the take of every sequence, and sample "
            f"{str(data.sample[nameless[0]])!r} has none ({len(nameless)} of {len(data)} in all): "
            "give takes, or evaluate at sequence level under another rule."
        )


def pool_walks(data: Embeddings) -> Embeddings:
    """Pool the sequences of each walk.

    Args:
        data: One embedding a sequence.

    Returns:
        One embedding a walk, in the order in which the walks come, with the labels of its first
        sequence; a sample is named after its recording.

    Raises:
        ValueError: A sequence has no take, or its embedding is all zeros.
    """
    check_takes(data, "Pooling sequences into walks")
    data.require_directions()
    number = number_walks(data)
    count = int(number.max(initial=-1)) + 1
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(count))
    unit = data.embedding.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    size = np.bincount(number, minlength=count)
    size = size.reshape(-1, *[1] * (unit.ndim - 1))
    pooled = np.add.reduceat(unit[order], starts, axis=0) / size if count else unit
    firsts = order[starts]
    labels = {name: getattr(data, name)[firsts] for name in _LABELS}
    names = [str(name).partition(FIRST_FRAME_MARK)[0] for name in data.sample[firsts]]
    return Embeddings(pooled.astype(np.float32), **labels, sample=np.array(names, dtype=np.str_))
