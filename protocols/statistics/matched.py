"""The outcomes of two runs on the same samples, side by side by sample key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocols.embeddings import TextArray
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class Matched:
    """The N samples that two runs were tested on, in the order of their keys.

    Attributes:
        sample: (N,) keys.
        subject: (N,) persons; empty where unknown.
        first: (N,) whether the first run is right.
        second: (N,) whether the second is.
    """

    sample: TextArray
    subject: TextArray
    first: BoolArray
    second: BoolArray

    @property
    def gain(self) -> IntArray:
        """(N,) 1 where only the first is right, -1 where only the second is."""
        return self.first.astype(np.int64) - self.second.astype(np.int64)


def resampling_units(pairs: Sequence[Matched]) -> tuple[str, int, list[IntArray]]:
    """Say what is resampled: persons where all are known and there are two or more, else samples.

    Args:
        pairs: Matched samples of one or more pairs of runs.

    Returns:
        ``persons`` or ``samples``; how many there are; and for each pair the (N,) number of each
        sample's unit: the same person (or key) has the same number in all pairs.
    """
    persons = np.concatenate([pair.subject for pair in pairs])
    known = not np.any(persons == "") and len(np.unique(persons)) > 1
    keys = persons if known else np.concatenate([pair.sample for pair in pairs])
    names, number = np.unique(keys, return_inverse=True)
    ends = np.cumsum([len(pair.sample) for pair in pairs])[:-1]
    parts = np.split(number.astype(np.int64), ends)
    return "persons" if known else "samples", len(names), parts


def match_outcomes(a: Outcomes, b: Outcomes, names: tuple[str, str]) -> Matched:
    """Bring two runs side by side, by key.

    Args:
        a: One run.
        b: The other, over the same samples in any order.
        names: What to call them in messages.

    Returns:
        The samples of known label.

    Raises:
        ValueError: Classes, keys or labels differ, or there is no sample of known label.
    """
    runs = (a, b)
    if runs[0].classes.tolist() != runs[1].classes.tolist():
        raise ValueError(
            f"{names[0]} and {names[1]} are not of the same classes in the same order: compare "
            "runs of one data set and protocol."
        )
    orders = [np.argsort(run.sample, kind="stable") for run in runs]
    keys = [run.sample[order] for run, order in zip(runs, orders, strict=True)]
    differing = np.setxor1d(keys[0], keys[1])
    if len(differing) or len(keys[0]) != len(keys[1]):
        example = f"sample {str(differing[0])!r}" if len(differing) else "some sample twice"
        raise ValueError(
            f"Only one of {names[0]} and {names[1]} has {example} ({len(differing)} such samples "
            "in all): compare runs over the same test samples."
        )
    if not len(keys[0]):
        raise ValueError(f"{names[0]} and {names[1]} have no sample of known label to compare.")
    labels = [run.label[order] for run, order in zip(runs, orders, strict=True)]
    wrong = np.flatnonzero(labels[0] != labels[1])
    if len(wrong):
        raise ValueError(
            f"Sample {str(keys[0][wrong[0]])!r} is of class {labels[0][wrong[0]]} in {names[0]} "
            f"and of class {labels[1][wrong[0]]} in {names[1]} ({len(wrong)} such samples in all): "
            "compare runs of the same data."
        )
    return Matched(
        sample=keys[0],
        subject=runs[0].subject[orders[0]],
        first=runs[0].correct[orders[0]],
        second=runs[1].correct[orders[1]],
    )
