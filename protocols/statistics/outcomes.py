"""What became of every test sample: enough to compare two runs, small enough to commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray
from protocols.ranking.distances import IntArray

LARGEST_RECORD = 20_000
"""Samples beyond which outcomes are not written into a record, which is to stay small."""

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
    def correct(self) -> npt.NDArray[np.bool_]:
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
