"""The outcome of every test sample, in a record and matched between two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray
from protocols.names import match_keys
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray

LARGEST_RECORD = 20_000
"""Most samples whose outcomes are written into a record, to keep it small."""

_KEYS = ("sample", "label", "predicted", "subjects", "subject", "subsets", "subset")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The predicted class of every sample whose label is known, in the order of their keys.

    Attributes:
        classes: (K,) class names.
        sample: (N,) keys, ascending.
        label: (N,) class numbers, 0 to K-1.
        predicted: (N,) class numbers.
        subject: (N,) persons; empty text where unknown.
        subset: (N,) names of parts of the test set; empty for none.
    """

    classes: TextArray
    sample: TextArray
    label: IntArray
    predicted: IntArray
    subject: TextArray
    subset: TextArray

    def __len__(self) -> int:
        return len(self.sample)

    @property
    def correct(self) -> BoolArray:
        """(N,) whether the prediction is right."""
        return np.asarray(self.predicted == self.label)

    def to_cells(self) -> dict[str, Any] | None:
        """Plain lists for a record; None where there are more than :data:`LARGEST_RECORD`.

        Persons and subsets are numbers into a list of their names.
        """
        if len(self) > LARGEST_RECORD:
            return None
        subjects, subject = np.unique(self.subject, return_inverse=True)
        subsets, subset = np.unique(self.subset, return_inverse=True)
        return {
            "sample": self.sample.tolist(),
            "label": self.label.tolist(),
            "predicted": self.predicted.tolist(),
            "subjects": subjects.tolist(),
            "subject": subject.tolist(),
            "subsets": subsets.tolist(),
            "subset": subset.tolist(),
        }

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any] | None) -> Outcomes:
        """Read the outcomes back from the cells of a classification's record.

        Args:
            cells: ``ResultRecord.cells``, with ``classes`` and ``outcomes``.

        Raises:
            ValueError: The cells hold no outcomes, or parts of them do not fit together.
        """
        kept = (cells or {}).get("outcomes")
        if cells is None or "classes" not in cells or not isinstance(kept, Mapping):
            raise ValueError(
                "The record keeps no outcome of each sample (no classification, or more than "
                f"{LARGEST_RECORD} samples): compare the saved class scores instead."
            )
        absent = [key for key in _KEYS if key not in kept]
        if absent:
            raise ValueError(f"The outcomes of the record lack {', '.join(absent)}.")
        classes = np.array(cells["classes"], dtype=np.str_)
        limits = {"label": len(classes), "predicted": len(classes)}
        limits |= {"subject": len(kept["subjects"]), "subset": len(kept["subsets"])}
        columns = {
            key: _numbers(kept[key], key, len(kept["sample"]), limit)
            for key, limit in limits.items()
        }
        return cls(
            classes=classes,
            sample=np.array(kept["sample"], dtype=np.str_),
            label=columns["label"],
            predicted=columns["predicted"],
            subject=np.array(kept["subjects"], dtype=np.str_)[columns["subject"]],
            subset=np.array(kept["subsets"], dtype=np.str_)[columns["subset"]],
        )


def _numbers(values: Any, key: str, count: int, limit: int) -> IntArray:
    """A column of a record: ``count`` whole numbers below ``limit``."""
    array: npt.NDArray[Any] = np.asarray(values)
    whole = array.shape == (count,) and (array.dtype.kind in "iu" or not count)
    if not whole or np.any((array < 0) | (array >= limit)):
        raise ValueError(
            f"The outcomes of the record are damaged: {key} must hold a number from 0 to "
            f"{limit - 1} for each of {count} samples."
        )
    return array.astype(np.int64)


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


def match_outcomes(a: Outcomes, b: Outcomes, names: tuple[str, str]) -> Matched:
    """Match two runs sample by sample.

    Args:
        a: One run.
        b: The other, over the same samples in any order.
        names: Their names, for messages.

    Returns:
        The samples of known label.

    Raises:
        ValueError: Classes, keys or labels differ, or there is no sample of known label.
    """
    order = np.argsort(a.sample, kind="stable")
    rows = match_samples(a, b, *names)[order]
    if not len(order):
        raise ValueError(f"{names[0]} and {names[1]} have no sample of known label to compare.")
    keys, label, other = a.sample[order], a.label[order], b.label[rows]
    wrong = np.flatnonzero(label != other)
    if len(wrong):
        raise ValueError(
            f"Sample {str(keys[wrong[0]])!r} is of class {label[wrong[0]]} in {names[0]} and of "
            f"class {other[wrong[0]]} in {names[1]} ({len(wrong)} in all): compare "
            "runs of the same data."
        )
    return Matched(keys, a.subject[order], a.correct[order], b.correct[rows])


class Keyed(Protocol):
    """Samples with keys, classified among named classes."""

    @property
    def sample(self) -> TextArray:
        """(N,) keys."""

    @property
    def classes(self) -> TextArray:
        """(K,) class names."""


def match_samples(first: Keyed, other: Keyed, name: str, other_name: str) -> IntArray:
    """Find each sample of one run in another, by key.

    Args:
        first: N samples.
        other: The same samples in any order.
        name: Name of the first run, for messages.
        other_name: Name of the other.

    Returns:
        (N,) rows of ``other``.

    Raises:
        ValueError: The classes or the sets of keys differ; the first difference is named.
    """
    mine, theirs = first.classes.tolist(), other.classes.tolist()
    if mine != theirs:
        what = f"{other_name} has {len(theirs)} classes and {name} {len(mine)}"
        if len(mine) == len(theirs):
            k = next(k for k, pair in enumerate(zip(mine, theirs, strict=True)) if len({*pair}) > 1)
            what = f"Class {k} is {theirs[k]!r} in {other_name} and {mine[k]!r} in {name}"
        raise ValueError(f"{what}: both runs need the same classes in the same order.")
    return match_keys(first.sample, other.sample, name, other_name)


def resampling_units(pairs: Sequence[Matched]) -> tuple[str, int, list[IntArray]]:
    """The units to resample: persons if all are known and there are two or more, else samples.

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
