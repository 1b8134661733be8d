"""Fusing the scores of several runs, such as one for each stream, sample by sample key.

The released ensemble adds up 10-clip probabilities with fixed weights (``spec/action.md``,
section 5); here the sum is divided by the weights' sum, so that it is a distribution again, which
changes no ranking.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from protocols.action.scores import UNKNOWN, ClassScores
from protocols.ranking.distances import FloatArray, IntArray

FuseOn = Literal["probabilities", "logits", "log-probabilities"]

FUSION_RECIPES: Mapping[str, Mapping[str, float]] = {
    "2s": {"j": 1.0, "b": 1.0},
    "4s": {"j": 2.0, "b": 2.0, "jm": 1.0, "bm": 1.0},
    "6s": {"j": 2.0, "b": 2.0, "k": 2.0, "jm": 1.0, "bm": 1.0, "km": 1.0},
}
"""Weight of each stream in the paper's ensembles (Section 5 of the spec, from the release)."""

_WAYS = ("probabilities", "logits", "log-probabilities")


def recipe_weights(recipe: str, streams: Sequence[str]) -> tuple[float, ...]:
    """The weights of a named recipe, in the order of the runs' streams.

    Args:
        recipe: One of :data:`FUSION_RECIPES`.
        streams: The stream of each run.

    Returns:
        One weight a run.

    Raises:
        ValueError: There is no such recipe, or the runs' streams are not those that it fuses.

    >>> recipe_weights("4s", ["jm", "b", "j", "bm"])
    (1.0, 2.0, 2.0, 1.0)
    """
    if recipe not in FUSION_RECIPES:
        near = difflib.get_close_matches(recipe, FUSION_RECIPES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"There is no fusion recipe {recipe!r}, only {', '.join(FUSION_RECIPES)}{hint}"
        )
    weights = FUSION_RECIPES[recipe]
    if sorted(streams) != sorted(weights):
        raise ValueError(
            f"Recipe {recipe} fuses one run of each of the streams {', '.join(weights)}, and these "
            f"runs are of {', '.join(streams) or 'none'}: name the right runs or give weights."
        )
    return tuple(weights[stream] for stream in streams)


def fuse(
    scores: Sequence[ClassScores],
    weights: Sequence[float],
    on: FuseOn = "probabilities",
    *,
    names: Sequence[str] | None = None,
) -> ClassScores:
    """Fuse runs by a weighted mean.

    Args:
        scores: One a run, over the same samples in any order, and the same classes.
        weights: One a run, not negative, not all 0.
        on: What is averaged: ``probabilities``; ``logits``, of which the softmax is then taken; or
            ``log-probabilities`` (a geometric mean, brought to sum 1; a probability of 0 counts as
            the smallest float32).
        names: Names of the runs, for messages.

    Returns:
        Fused scores in the order of the first run, with its persons and subsets. A label that only
        some runs know is taken from them. ``logits`` are kept only if they were what is fused.

    Raises:
        ValueError: Classes differ, a run lacks a sample or has one more, labels disagree, logits
            are asked for and absent, or the weights do not fit.
    """
    called = [f"run {i}" for i in range(1, len(scores) + 1)] if names is None else list(names)
    share = _shares(weights, len(scores), len(called))
    if on not in _WAYS:
        raise ValueError(f"Fusion is on one of {', '.join(_WAYS)}, not on {on!r}.")
    first, label = scores[0], scores[0].label.copy()
    total: FloatArray = np.zeros(first.probabilities.shape)
    for run, name, weight in zip(scores, called, share, strict=True):
        rows = match_samples(first, run, called[0], name)
        total += weight * _values(run, on, name)[rows]
        theirs = run.label[rows]
        label = np.where(label == UNKNOWN, theirs, label)
        differing = np.flatnonzero((theirs != UNKNOWN) & (theirs != label))
        if len(differing):
            where = int(differing[0])
            raise ValueError(
                f"{name} labels sample {str(first.sample[where])!r} as class {theirs[where]}, and "
                f"the runs before it as {label[where]} ({len(differing)} such samples in all): "
                "fuse runs of the same data."
            )
    return ClassScores(
        sample=first.sample,
        label=label,
        classes=first.classes,
        probabilities=np.asarray(total if on == "probabilities" else _softmax(total), np.float32),
        logits=total.astype(np.float32) if on == "logits" else None,
        subject=first.subject,
        subset=first.subset,
    )


def match_samples(first: ClassScores, other: ClassScores, name: str, other_name: str) -> IntArray:
    """Find each sample of one run in another, by key.

    Args:
        first: (N) samples.
        other: The same samples in any order.
        name: Name of the first run, for messages.
        other_name: Name of the other.

    Returns:
        (N,) rows of ``other``.

    Raises:
        ValueError: The classes or the sets of keys differ; a key is named.
    """
    if first.classes.tolist() != other.classes.tolist():
        raise ValueError(_differing_classes(first, other, name, other_name))
    for here, there, having, lacking in (
        (first, other, name, other_name),
        (other, first, other_name, name),
    ):
        absent = np.setdiff1d(here.sample, there.sample)
        if len(absent):
            raise ValueError(
                f"{lacking} has no scores of sample {str(absent[0])!r}, which {having} has "
                f"({len(absent)} such samples in all): score the same test samples in every run."
            )
    order = np.argsort(other.sample, kind="stable")
    return np.asarray(order[np.searchsorted(other.sample[order], first.sample)], dtype=np.int64)


def _differing_classes(first: ClassScores, other: ClassScores, name: str, other_name: str) -> str:
    """Where two lists of classes part."""
    mine, theirs = first.classes.tolist(), other.classes.tolist()
    if len(mine) != len(theirs):
        what = f"{other_name} has {len(theirs)} classes and {name} {len(mine)}"
    else:
        place = next(i for i, pair in enumerate(zip(mine, theirs, strict=True)) if len({*pair}) > 1)
        what = f"Class {place} is {theirs[place]!r} in {other_name} and {mine[place]!r} in {name}"
    return f"{what}: runs are matched only over the same classes in the same order."


def _shares(weights: Sequence[float], runs: int, names: int) -> list[float]:
    """The weights over their sum."""
    given = [float(weight) for weight in weights]
    if not runs or len(given) != runs or names != runs:
        raise ValueError(
            f"Fusion needs at least one run, and a weight (and a name) for each: there are {runs} "
            f"runs, {len(given)} weights and {names} names."
        )
    if not np.all(np.isfinite(given)) or min(given) < 0 or sum(given) <= 0:
        raise ValueError(f"Weights must be 0 or more and not all 0, not {given}.")
    return [weight / sum(given) for weight in given]


def _values(run: ClassScores, on: FuseOn, name: str) -> FloatArray:
    """(N, K) what is averaged."""
    if on == "logits":
        if run.logits is None:
            raise ValueError(f"{name} has no logits: fuse on probabilities, or test it again.")
        return run.logits.astype(np.float64)
    probabilities = run.probabilities.astype(np.float64)
    if on == "probabilities":
        return probabilities
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def _softmax(values: FloatArray) -> FloatArray:
    """Softmax over the last axis."""
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
