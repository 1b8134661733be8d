"""Classification: class scores in, accuracies and confusion matrix out.

The predicted class is that of the highest probability. Ties are decided the same way on every
machine: among equal scores the lower class number comes first, for top-1 and for top-5.
"""

from __future__ import annotations

import numpy as np

from protocols.action.scores import UNKNOWN, ClassScores
from protocols.action.table import ClassTable
from protocols.ranking.distances import IntArray
from protocols.statistics.intervals import mean_of_known, ratio
from protocols.statistics.outcomes import Outcomes
from protocols.text import nouns

_TOP = 5
_FEW_PEOPLE = 10


def evaluate_action(scores: ClassScores, *, protocol: str = "classification") -> ClassTable:
    """Evaluate class scores.

    ``top1`` and ``top5`` (only with more than five classes) are shares of samples; ``mean_class``
    is the mean of each class's share over the classes that have a test sample. ``majority`` is the
    share of the test set's most frequent class (the best constant answer), ``chance`` that of
    guessing among all K classes.

    Args:
        scores: The scores; samples of unknown label are left out and counted.
        protocol: Name of the protocol, for the title.

    Returns:
        The table with its counts and notes.

    Raises:
        ValueError: There is no sample of known label.
        TypeError: The scores are of another class.

    >>> half = [[0.5, 0.5], [0.5, 0.5]]
    >>> evaluate_action(ClassScores(["a", "b"], [0, 1], ["sit", "wave"], half)).metrics["top1"]
    0.5
    """
    if not isinstance(scores, ClassScores):
        raise TypeError(f"ClassScores are evaluated (see load_class_scores), not {type(scores)}.")
    outcomes = scores.outcomes()
    if not len(outcomes):
        raise ValueError(
            f"None of the {len(scores)} scored samples has a known label: give labels 0 to K-1."
        )
    size = len(scores.classes)
    pairs = np.bincount(outcomes.label * size + outcomes.predicted, minlength=size * size)
    confusion = pairs.reshape(size, size)
    rank = label_rank(scores)[np.argsort(scores.sample, kind="stable")]
    in_top5 = rank[rank >= 0] < _TOP if size > _TOP else None
    tested = confusion.sum(axis=1)
    metrics = {"top1": float(outcomes.correct.mean())}
    if in_top5 is not None:
        metrics["top5"] = float(in_top5.mean())
    metrics["mean_class"] = float(mean_of_known(ratio(np.diagonal(confusion), tested)))
    counts = {
        "test": len(outcomes),
        "unlabelled": len(scores) - len(outcomes),
        "classes": size,
        "untested_classes": int((tested == 0).sum()),
        "subjects": len(set(outcomes.subject.tolist()) - {""}),
    }
    for subset in sorted(set(outcomes.subset.tolist()) - {""}):
        here = outcomes.subset == subset
        metrics[f"top1/{subset}"] = float(outcomes.correct[here].mean())
        counts[f"test/{subset}"] = int(here.sum())
    metrics["majority"] = float(tested.max() / len(outcomes))
    metrics["chance"] = 1.0 / size
    return ClassTable(
        protocol=protocol,
        outcomes=outcomes,
        in_top5=in_top5,
        confusion=confusion,
        counts=counts,
        metrics=metrics,
        notes=(*_never_likely(scores), *_notes(outcomes, tested)),
    )


def label_rank(scores: ClassScores) -> IntArray:
    """The rank of the true class by probability, ties won by the lower class number.

    Returns:
        (N,) int64: 0 where it is the best, up to K-1; -1 where the label is unknown.
    """
    known = np.flatnonzero(scores.label != UNKNOWN)
    label = scores.label[known, None]
    table = scores.probabilities[known]
    own = np.take_along_axis(table, label, axis=1)
    before = (table > own) | ((table == own) & (np.arange(len(scores.classes)) < label))
    rank = np.full(len(scores), -1, dtype=np.int64)
    rank[known] = before.sum(axis=1)
    return rank


def _never_likely(scores: ClassScores) -> tuple[str, ...]:
    """A note on classes without any probability, such as a table's column that is no class."""
    names = scores.classes[~scores.probabilities.any(axis=0)].tolist()
    if not names:
        return ()
    more = ", ..." if len(names) > _TOP else ""
    return (
        f"No sample has any probability of {', '.join(names[:_TOP])}{more}: leave out a column "
        "that is not a class.",
    )


def _notes(outcomes: Outcomes, tested: IntArray) -> tuple[str, ...]:
    """Notes on classes without samples and on few or unknown persons."""
    notes: list[str] = []
    absent = [str(outcomes.classes[number]) for number in np.flatnonzero(tested == 0)]
    if absent:
        more = ", ..." if len(absent) > _TOP else ""
        notes.append(
            f"{len(absent)} of {len(tested)} classes {'has' if len(absent) == 1 else 'have'} no "
            f"test sample and {'does' if len(absent) == 1 else 'do'} not count in mean_class: "
            f"{', '.join(absent[:_TOP])}{more}."
        )
    people, unknown = set(outcomes.subject.tolist()) - {""}, int((outcomes.subject == "").sum())
    if len(people) < 2:
        notes.append(
            f"Intervals take the {len(outcomes)} test samples as independent: "
            f"{'no person is' if not people else 'only one person is'} known."
        )
    elif unknown:
        notes.append(
            f"Intervals count {unknown} {nouns('samples', unknown)} of unknown person, each as a "
            "separate person."
        )
    elif len(people) < _FEW_PEOPLE:
        notes.append(f"Intervals resample only {len(people)} persons: take them as rough.")
    return tuple(notes)
