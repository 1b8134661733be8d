"""Fusing the scores of several runs, such as one for each stream, sample by sample key.

The released ensemble adds up 10-clip probabilities with fixed weights (``spec/action.md``,
section 5); here the sum is divided by the weights' sum, so that it is a distribution again, which
changes no ranking.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from protocols.action.scores import UNKNOWN, ClassScores
from protocols.ranking.distances import FloatArray
from protocols.statistics.outcomes import match_samples

EQUAL = "equal"
"""Prefix of a record's metrics with equal weights, beside those with tuned ones."""

FuseOn = Literal["probabilities", "logits", "log-probabilities"]

TUNED_RECIPES: Mapping[str, Mapping[str, float]] = {
    name: dict(zip(("j", "b", "jm"), weights, strict=True))
    for name, weights in {
        "actclr-ntu60-xsub": (0.4, 0.4, 0.4),
        "actclr-ntu60-xview": (0.6, 0.6, 0.4),
        "aimclr-ntu60-xsub": (0.6, 0.6, 0.4),
        "aimclr-ntu60-xview": (0.6, 0.6, 0.8),
        "aimclr-ntu120": (0.6, 0.4, 0.6),
        "aimclr-pku1-xsub": (0.6, 0.6, 0.4),
        "aimclr-pku2-xsub": (0.6, 0.4, 0.6),
        "aimclr-pku2-xview": (0.2, 0.2, 0.6),
    }.items()
}
"""Weights in the releases of ActCLR and AimCLR, of raw scores (``on="logits"``).

They differ from data set to data set and look tuned on test data.
"""

FUSION_RECIPES: Mapping[str, Mapping[str, float]] = {
    "2s": {"j": 1.0, "b": 1.0},
    "4s": {"j": 2.0, "b": 2.0, "jm": 1.0, "bm": 1.0},
    "6s": {"j": 2.0, "b": 2.0, "k": 2.0, "jm": 1.0, "bm": 1.0, "km": 1.0},
    **TUNED_RECIPES,
}
"""Weight of each stream: of the paper's ensembles (Section 5 of the spec, from the release), and of
:data:`TUNED_RECIPES`."""


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
    on: FuseOn,
    names: Sequence[str],
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
        some runs know is taken from them. ``logits`` are kept only where logits are fused.

    Raises:
        ValueError: Classes differ, a run lacks a sample or has one more, labels disagree, logits
            are to be fused and absent, or the weights do not fit.
    """
    share = _shares(weights, len(scores), len(names))
    if on not in get_args(FuseOn):
        raise ValueError(f"Fusion is on one of {', '.join(get_args(FuseOn))}, not on {on!r}.")
    first, label = scores[0], scores[0].label.copy()
    total: FloatArray = np.zeros(first.probabilities.shape)
    for run, name, weight in zip(scores, names, share, strict=True):
        rows = match_samples(first, run, names[0], name)
        total += weight * _values(run, on, name)[rows]
        theirs = run.label[rows]
        label = np.where(label == UNKNOWN, theirs, label)
        differing = np.flatnonzero((theirs != UNKNOWN) & (theirs != label))
        if len(differing):
            where = int(differing[0])
            raise ValueError(
                f"{name} labels sample {str(first.sample[where])!r} as class {theirs[where]}, and "
                f"the runs before it as {label[where]} ({len(differing)} in all): "
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


def _shares(weights: Sequence[float], runs: int, names: int) -> list[float]:
    """The weights over their sum."""
    own = [float(weight) for weight in weights]
    if not runs or len(own) != runs or names != runs:
        raise ValueError(
            f"Fusion needs at least one run, and a weight (and a name) for each: there are {runs} "
            f"runs, {len(own)} weights and {names} names."
        )
    if not np.all(np.isfinite(own)) or min(own) < 0 or sum(own) <= 0:
        raise ValueError(f"Weights must be 0 or more and not all 0, not {own}.")
    return [weight / sum(own) for weight in own]


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
