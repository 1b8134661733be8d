"""The threshold of a gallery, chosen on people who are not in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, Metric, as_pair, distance_blocks, to_distance
from tasks.gallery.content import Storage, Threshold, Vectors
from tasks.gallery.search import to_score

Kind = Literal["fmr", "fpir"]


def calibrate(
    embedding: npt.ArrayLike, people: Sequence[str], storage: Storage, kind: Kind, target: float
) -> Threshold:
    """The least threshold at which a rate is not above the target on other people.

    Args:
        embedding: (N, D) recordings of other people.
        people: N names.
        storage: the gallery.
        kind: "fmr": among all pairs of recordings of two of these people; "fpir": among their
            recordings, each compared with the whole gallery.
        target: the rate, above 0 and below 1.

    Raises:
        ValueError: a person is enrolled or has no name, there are fewer than two people or nobody
            is enrolled, or so few comparisons cannot show the rate.
    """
    names: npt.NDArray[np.str_] = np.asarray(people, dtype=np.str_)
    enrolled = {one.name for one in storage.people()}
    _check(names, enrolled, kind, target)
    vectors: Vectors = np.asarray(embedding, dtype=np.float32)
    ranked = storage.rank(vectors, 1) if enrolled else []
    strangers = np.sort([row[0].score for row in ranked])[::-1]
    genuine, others, count = _pairs(vectors, names, storage.about.metric, target)
    if kind == "fpir":
        others, count = strangers, len(strangers)
    allowed = int(target * count)
    if allowed < 1:
        what = "comparisons of two people" if kind == "fmr" else "recordings of strangers"
        raise ValueError(
            f"a rate of {target:g} cannot be seen in {count} {what}: it takes at least "
            f"{int(np.ceil(1 / target))}; give more recordings of more people, or a higher "
            f"--{kind}"
        )
    # `allowed` is below `count`, as the target is below 1.
    value = float(np.nextafter(others[allowed], np.inf))
    return Threshold(
        value=value,
        kind=kind,
        target=target,
        achieved=float(np.count_nonzero(others >= value)) / count,
        comparisons=count,
        recordings=len(names),
        people=len(np.unique(names)),
        enrolled=len(enrolled),
        fnmr=float(np.mean(genuine < value)) if len(genuine) else None,
        fpir=float(np.mean(strangers >= value)) if enrolled else None,
    )


def _check(
    names: npt.NDArray[np.str_], enrolled: Collection[str], kind: Kind, target: float
) -> None:
    if not 0.0 < target < 1.0:
        raise ValueError(f"--{kind} is a rate above 0 and below 1, not {target:g}: such as 0.01")
    if both := sorted({*names.tolist()} & {*enrolled}):
        raise ValueError(
            f"{both[0]} is enrolled ({len(both)} in all): a threshold is chosen on people who are "
            "not in the gallery; leave these recordings out"
        )
    if kind == "fmr" and len(np.unique(names)) < 2:
        raise ValueError("a false match rate takes recordings of at least two other people")
    if kind == "fpir" and not enrolled:
        raise ValueError(
            "nobody is enrolled, so that nobody can be named wrongly: enrol first, or calibrate "
            "with --fmr"
        )


def _pairs(
    vectors: Vectors, names: npt.NDArray[np.str_], metric: Metric, target: float
) -> tuple[FloatArray, FloatArray, int]:
    """Scores of pairs: all of one person; the highest of two people, falling, and their number.

    Of the latter only as many are kept as the target may let pass, and one more.
    """
    points, same = as_pair(vectors, vectors, metric)
    _, person, sizes = np.unique(names, return_inverse=True, return_counts=True)
    count = (len(names) ** 2 - int((sizes**2).sum())) // 2
    kept = int(target * count) + 1
    genuine: list[FloatArray] = []
    highest: FloatArray = np.empty(0)
    column = np.arange(len(names))
    for block, squared in distance_blocks(points, same):
        scores = to_score(to_distance(squared, metric), metric)
        after = column[None, :] > column[block, None]
        alike = person[None, :] == person[block, None]
        genuine.append(scores[after & alike])
        every = np.concatenate([highest, scores[after & ~alike]])
        highest = -np.partition(-every, kept)[:kept] if len(every) > kept else every
    return np.concatenate(genuine), np.sort(highest)[::-1], count
