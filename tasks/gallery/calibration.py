"""The thresholds of a gallery, chosen on people who are not in it.

A person counts by the best of k templates, which reaches a score more often than one: a claim is
accepted from a threshold of its own for each k, on which the best of k recordings of one of the
other people does so no more often than wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import (
    FloatArray,
    IntArray,
    Metric,
    as_pair,
    distance_blocks,
    to_distance,
)
from tasks.gallery.content import Storage, Threshold, Vectors
from tasks.gallery.search import to_score

Kind = Literal["fmr", "fpir"]
_MOST_TEMPLATES = 32
"""Of a person whose threshold is kept; those of more have a higher rate, which is said."""


def calibrate(
    embedding: npt.ArrayLike, people: Sequence[str], storage: Storage, kind: Kind, target: float
) -> Threshold:
    """The least threshold at which a rate is not above the target on other people.

    Args:
        embedding: (N, D) recordings of other people; what is given twice counts once.
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
    vectors: Vectors = np.asarray(embedding, dtype=np.float32)
    rows = _distinct(names, vectors)
    names, vectors = names[rows], vectors[rows]
    enrolled = {one.name for one in storage.people()}
    _check(names, enrolled, kind, target)
    ranked = storage.rank(vectors, 1) if enrolled else []
    strangers = np.sort([row[0].score for row in ranked])[::-1]
    genuine, alike, count = _pairs(vectors, names, storage.about.metric, target)
    others = alike.score
    if kind == "fpir":
        others, count = strangers, len(strangers)
    allowed = int(target * count)
    if allowed < 1:
        what = "comparisons of two people" if kind == "fmr" else "recordings of strangers"
        raise ValueError(
            f"a rate of {target:g} cannot be measured on {count} {what}: it takes at least "
            f"{_count(1 / target)}; give more recordings of more people, or a higher "
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
        claims=() if kind == "fpir" else _claims(alike, names, target, value, count),
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


def _distinct(names: npt.NDArray[np.str_], vectors: Vectors) -> list[int]:
    """The first row of each recording: one given twice would count as more than it shows."""
    found: dict[tuple[str, bytes], int] = {}
    for row, one in enumerate(zip(names.tolist(), map(bytes, vectors), strict=True)):
        found.setdefault(one, row)
    return list(found.values())


def _count(least: float) -> str:
    return str(int(np.ceil(least))) if least < 1e15 else f"{least:.0e}"


class _Pairs(NamedTuple):
    """Pairs of recordings of two people: scores, falling, and rows of both."""

    score: FloatArray
    one: IntArray
    other: IntArray


def _pairs(
    vectors: Vectors, names: npt.NDArray[np.str_], metric: Metric, target: float
) -> tuple[FloatArray, _Pairs, int]:
    """Scores of pairs of one person; the most alike pairs of two people, and their number.

    Of the latter only as many are kept as the target may let pass, and one more.
    """
    points, same = as_pair(vectors, vectors, metric)
    _, person, sizes = np.unique(names, return_inverse=True, return_counts=True)
    count = (len(names) ** 2 - int((sizes**2).sum())) // 2
    kept = int(target * count) + 1
    genuine: list[FloatArray] = []
    row: IntArray = np.empty(0, dtype=np.int64)
    highest = _Pairs(np.empty(0), row, row)
    column = np.arange(len(names))
    for block, squared in distance_blocks(points, same):
        scores = to_score(to_distance(squared, metric), metric)
        after = column[None, :] > column[block, None]
        alike = person[None, :] == person[block, None]
        genuine.append(scores[after & alike])
        least = highest.score.min() if len(highest.score) == kept else -np.inf
        one, other = np.nonzero(after & ~alike & (scores >= least))
        here = (scores[one, other], column[block][one], other)
        every = [np.concatenate(both) for both in zip(highest, here, strict=True)]
        if len(every[0]) > kept:
            best = np.argpartition(-every[0], kept)[:kept]
            every = [values[best] for values in every]
        highest = _Pairs(*every)
    falling = np.argsort(-highest.score, kind="stable")
    one, other = highest.one[falling], highest.other[falling]
    return np.concatenate(genuine), _Pairs(highest.score[falling], one, other), count


def _claims(
    pairs: _Pairs, names: npt.NDArray[np.str_], target: float, value: float, count: int
) -> tuple[float, ...]:
    """Thresholds of claims of people with 1, 2, ... templates, as far as the rate is seen.

    A claim is a recording with the best of k recordings of another person, on average over all
    choices of these k: the j-th best of m is the best of C(m - j, k - 1) out of C(m, k). Up to the
    k that half of the people have this is counted. Beyond it k templates are taken for g groups of
    fewer, each of which is given a g-th of the target (Bonferroni), so that the rate is kept.

    Args:
        pairs: of two people, as many as the target may let pass.
        names: N people.
        target: the rate.
        value: the threshold of pairs, under which no other lies.
        count: number of pairs.
    """
    _, person, sizes = np.unique(names, return_inverse=True, return_counts=True)
    score = np.concatenate([pairs.score, pairs.score])
    probe = np.concatenate([pairs.one, pairs.other])
    claimed = person[np.concatenate([pairs.other, pairs.one])]
    order = np.lexsort((-score, claimed, probe))
    score, size = score[order], sizes[claimed[order]]
    group = np.flatnonzero(np.diff(probe[order] * len(sizes) + claimed[order], prepend=-1))
    rank = np.arange(len(score)) - np.repeat(group, np.diff(group, append=len(score)))
    falling = np.argsort(-score, kind="stable")
    score, size, rank = score[falling], size[falling], rank[falling]
    counted = int(np.median(sizes))
    found = [value]
    share = np.ones(len(score))  # C(m - j, k - 1) out of C(m - 1, k - 1), j from 1
    for templates in range(2, _MOST_TEMPLATES + 1):
        best_of = min(templates, counted)
        if best_of == templates:
            share *= np.maximum(size - rank - templates + 1, 0) / np.maximum(
                size - templates + 1, 1
            )
        of = sizes[sizes >= best_of]
        claims = int((len(names) - of).sum())
        allowed = target / -(-templates // best_of)
        if allowed * min(claims, count) < 1:
            break
        passing = np.cumsum(np.where(size >= best_of, share * best_of / size, 0.0))
        place = int(np.searchsorted(passing, allowed * claims * (1 + 1e-9), side="right"))
        least = float(np.nextafter(score[place], np.inf)) if place < len(score) else value
        found.append(max(found[-1], least))
    return tuple(found)
