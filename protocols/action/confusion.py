"""Which class is taken for which: the confusion matrix, and what is read off a row of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import IntArray


@dataclass(frozen=True)
class Mistaken:
    """A class that samples of another class are taken for.

    Attributes:
        name: The class they are taken for.
        count: How many.
        rate: Share of the true class's samples, 0..1.
    """

    name: str
    count: int
    rate: float


@dataclass(frozen=True)
class ClassConfusion:
    """What one class is confused with.

    Attributes:
        name: The true class.
        number: Its class number.
        tested: Its samples.
        correct: Those recognised.
        taken_for: The classes that the others are taken for, most frequent first.
    """

    name: str
    number: int
    tested: int
    correct: int
    taken_for: tuple[Mistaken, ...]

    @property
    def accuracy(self) -> float:
        """Share of the class's samples that are recognised; NaN where there are none."""
        return self.correct / self.tested if self.tested else float("nan")


def confusion_matrix(label: npt.ArrayLike, predicted: npt.ArrayLike, size: int) -> IntArray:
    """Count samples by true and predicted class.

    Args:
        label: (N,) true class numbers, 0 to K-1.
        predicted: (N,) predicted ones.
        size: K.

    Returns:
        (K, K) int64, rows true, columns predicted.

    Raises:
        ValueError: The arrays differ in length, or a number is outside 0 to K-1.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    true = np.asarray(label, dtype=np.int64)
    given = np.asarray(predicted, dtype=np.int64)
    if true.shape != given.shape or true.ndim != 1:
        raise ValueError(f"Each sample needs one prediction, not {true.shape} and {given.shape}.")
    both = np.concatenate([true, given])
    if np.any((both < 0) | (both >= size)):
        raise ValueError(
            f"Class numbers run from 0 to {size - 1}, and these from {both.min()} to {both.max()}: "
            "leave out samples of unknown label."
        )
    return np.bincount(true * size + given, minlength=size * size).reshape(size, size)


def confused_with(
    confusion: npt.ArrayLike, classes: Sequence[str] | npt.NDArray[np.str_], top: int = 5
) -> tuple[ClassConfusion, ...]:
    """Say for every class what it is confused with.

    Args:
        confusion: (K, K) counts, rows true, columns predicted.
        classes: K names.
        top: How many other classes to name at most; those with no confusion are never named.

    Returns:
        One entry a class, by class number, also for classes without a sample; among equal counts
        the lower class number comes first.

    Raises:
        ValueError: The matrix is not (K, K), or ``top`` is negative.

    >>> row = confused_with([[1, 3], [0, 2]], ["sit", "wave"])[0]
    >>> row.accuracy, row.taken_for
    (0.25, (Mistaken(name='wave', count=3, rate=0.75),))
    """
    counts = np.asarray(confusion, dtype=np.int64)
    names = [str(name) for name in classes]
    if counts.shape != (len(names), len(names)):
        raise ValueError(
            f"The confusion matrix of {len(names)} classes has shape ({len(names)}, {len(names)}), "
            f"not {counts.shape}."
        )
    if top < 0:
        raise ValueError(f"top must be 0 or more classes, not {top}.")
    rows: list[ClassConfusion] = []
    for number, name in enumerate(names):
        tested, correct = int(counts[number].sum()), int(counts[number, number])
        others = counts[number].copy()
        others[number] = 0
        order = np.argsort(-others, kind="stable")[:top]
        taken = tuple(
            Mistaken(names[other], int(others[other]), int(others[other]) / tested)
            for other in order.tolist()
            if others[other]
        )
        rows.append(ClassConfusion(name, number, tested, correct, taken))
    return tuple(rows)


def worst_classes(rows: Sequence[ClassConfusion], count: int = 5) -> tuple[ClassConfusion, ...]:
    """The classes of lowest accuracy among those with an error, worst first.

    Args:
        rows: From :func:`confused_with`.
        count: How many at most.

    Returns:
        The classes; among equals the lower class number comes first.
    """
    missed = [row for row in rows if row.correct < row.tested]
    return tuple(sorted(missed, key=lambda row: (row.accuracy, row.number))[: max(count, 0)])
