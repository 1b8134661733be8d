"""Class scores with their labels: all that judges a classification, without the model.

A file is an ``.npz`` of plain arrays (never a pickle), a CSV or Parquet table, or an ``.npy`` with
a table of labels; any toolbox can write one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.embeddings import SYNONYMS, TABLES, TextArray, label_text
from protocols.files import column_names, read_columns, write_arrays
from protocols.foreign import read_array, read_arrays
from protocols.names import composed, fingerprint_rows
from protocols.ranking.distances import IntArray
from protocols.statistics.outcomes import Outcomes

ScoreArray = npt.NDArray[np.float32]

UNKNOWN = -1
"""Label of a sample whose class is not known."""

_TEXTS = ("sample", "classes", "subject", "subset")
_LABELS = ("sample", "label", "subject", "subset")
_OPTIONAL = ("logits", "subject", "subset")
# Half-precision softmax rows of several hundred classes miss 1 by a few thousandths.
_SUM_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of one run for N samples over K classes. Sequences become arrays.

    Attributes:
        sample: (N,) text, unique: the sample's key.
        label: (N,) int64, 0-based class number, -1 where unknown.
        classes: (K,) text, unique: class names in the order of their numbers.
        probabilities: (N, K) float32, mean over a sample's test clips of the softmax; rows sum
            to 1.
        logits: (N, K) float32, mean over the clips, or None.
        subject: (N,) text, the person; empty where unknown.
        subset: (N,) text, name of the part of the test set; empty for none.

    Raises:
        ValueError: Shapes disagree, a value is not finite, a row is not a distribution (the sample
            is named), a key or a class name comes twice, or a label is not a class.

    >>> scores = ClassScores(["a", "b"], [0, 1], ["sit", "wave"], [[0.5, 0.5], [0.1, 0.9]])
    >>> scores.predicted.tolist()
    [0, 1]
    """

    sample: TextArray
    label: IntArray
    classes: TextArray
    probabilities: ScoreArray
    logits: ScoreArray | None = None
    subject: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    subset: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))

    def __post_init__(self) -> None:
        for name in _TEXTS:
            object.__setattr__(self, name, _as_text(getattr(self, name), name))
        count, size = len(self.sample), len(self.classes)
        for name in ("subject", "subset"):
            if len(getattr(self, name)) == 0:
                object.__setattr__(self, name, np.full(count, "", dtype=np.str_))
            if len(getattr(self, name)) != count:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} entries for {count} samples: give one "
                    "per sample, or none at all."
                )
        for name in ("sample", "classes"):
            _check_unique(getattr(self, name), name)
        object.__setattr__(self, "label", _as_labels(self.label, self.sample, size))
        for name in ("probabilities", "logits"):
            if getattr(self, name) is not None:
                table = _as_scores(getattr(self, name), name, self.sample, size)
                object.__setattr__(self, name, table)
        _check_distributions(self.probabilities, self.sample)

    def __len__(self) -> int:
        return len(self.sample)

    @property
    def predicted(self) -> IntArray:
        """(N,) class of the highest probability; among equals the lowest class number."""
        return np.asarray(np.argmax(self.probabilities, axis=1), dtype=np.int64)

    @property
    def fingerprint(self) -> str:
        """Hash of the samples' keys and labels, whatever their order and scores."""
        names = np.array(["", *self.classes.tolist()], dtype=np.str_)  # "" where unknown
        return fingerprint_rows(self.sample, names[self.label + 1], self.subject, self.subset)

    def select(self, rows: npt.ArrayLike) -> ClassScores:
        """The samples at the given rows (indices or a mask), in that order."""
        chosen = np.asarray(rows)
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        picked = {
            name: value if name == "classes" or value is None else value[chosen]
            for name, value in values.items()
        }
        return ClassScores(**picked)

    def outcomes(self) -> Outcomes:
        """The predicted class of every sample, in the order of keys; without unknown labels."""
        rows = np.argsort(self.sample, kind="stable")
        rows = rows[self.label[rows] != UNKNOWN]
        return Outcomes(
            classes=self.classes,
            sample=self.sample[rows],
            label=self.label[rows],
            predicted=self.predicted[rows],
            subject=self.subject[rows],
            subset=self.subset[rows],
        )

    def save(self, path: Path | str) -> None:
        """Write an ``.npz`` without pickles; the file appears complete or not at all.

        Raises:
            ValueError: The name does not end in ``.npz``.
        """
        arrays = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        kept = {name: array for name, array in arrays.items() if array is not None}
        write_arrays(path, "Class scores", kept)


def load_class_scores(path: Path | str, labels: Path | str | None = None) -> ClassScores:
    """Read class scores from an ``.npz``, a CSV or Parquet table, or an ``.npy`` beside its labels.

    An ``.npz`` has the keys named as the attributes of :class:`ClassScores`; ``logits``,
    ``subject`` and ``subset`` may be left out. A table has one row per sample with ``sample``,
    ``label`` and, if known, ``subject`` and ``subset``; every other column is a class, with its
    probabilities. An ``.npy`` holds the (N, K) probabilities alone, and its classes are 0 to K-1.
    A label in a table is the name of a class or, where no class has a number for its name, its
    number, from 0; empty or -1 where unknown.

    Args:
        path: The file; the ending decides how it is read.
        labels: The labels of an ``.npy``, a table with a row a sample in the same order; None takes
            the CSV of the same name beside it.

    Returns:
        The scores, in file order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, of another kind, lacks a key, holds pickled objects, needs
            labels or has its own, or as :class:`ClassScores`. The message names the file.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"There is no file of class scores {source}.")
    try:
        if labels is not None and source.suffix != ".npy":
            raise ValueError("it has labels of its own: --labels is for an .npy.")
        if source.suffix in TABLES:
            return _of_table(read_columns(source))
        if source.suffix == ".npy":
            table = Path(labels or source.with_suffix(".csv"))
            return _of_array(read_array(source), table)
        return ClassScores(**read_arrays(source, _present))
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"Class scores {source}: {error}") from error


def holds_class_scores(path: Path, labels: Path | None = None) -> bool:
    """Whether the names in a file (or in the labels of an ``.npy``) are those of class scores."""
    if path.suffix == ".npy":
        path = labels or path.with_suffix(".csv")
    if path.suffix not in (".npz", *TABLES) or not path.is_file():
        return False
    names = set(column_names(path))
    if path.suffix == ".npz":
        return {"probabilities", "classes"} <= names
    vectors = {"e0", *SYNONYMS["embedding"], "probe", "gallery"}
    return {"sample", "label"} <= names and not names & vectors


def _of_table(columns: Mapping[str, list[Any]]) -> ClassScores:
    """The scores of a table whose columns, but for the labels, are classes."""
    classes = [name for name in columns if name not in _LABELS]
    try:
        rows = [*zip(*(columns[name] for name in classes), strict=True)]
        values = np.array(rows, dtype=np.float32).reshape(-1, len(classes))
    except (ValueError, TypeError) as error:
        raise ValueError(f"a probability is not a number ({error}).") from error
    return _with_labels(values, classes, columns)


def _of_array(values: npt.NDArray[Any], labels: Path) -> ClassScores:
    """The scores of an array, whose classes are numbers, with a table of labels."""
    if values.ndim != 2:
        raise ValueError(f"probabilities have the shape (N, K), not {values.shape}.")
    if labels.suffix not in TABLES or not labels.is_file():
        raise ValueError(
            f"it holds no labels and needs a table of them ({' or '.join(TABLES)}) with one row "
            f"per sample, its sample and label: there is no {labels}; give one with --labels FILE."
        )
    return _with_labels(values, [str(k) for k in range(values.shape[1])], read_columns(labels))


def _with_labels(
    values: npt.NDArray[Any], classes: list[str], columns: Mapping[str, list[Any]]
) -> ClassScores:
    """Scores with the labels of a table."""
    for name in ("sample", "label"):
        if name not in columns:
            raise ValueError(f"the column {name!r} is missing.")
    texts = {name: [*map(label_text, columns[name])] for name in _LABELS if name in columns}
    known = {"": UNKNOWN, str(UNKNOWN): UNKNOWN}
    known |= {name: place for place, name in enumerate(classes)}
    numbered = not any(name.isdecimal() for name in classes)
    if numbered:
        known |= {str(place): place for place in range(len(classes))}
    strange = next((name for name in texts["label"] if name not in known), None)
    if strange is not None:
        raise ValueError(
            f"label {strange!r} is not a class: give a name{' or number' * numbered} of "
            f"{', '.join(classes[:8])}{' ...' if len(classes) > 8 else ''}."
        )
    label = np.array([known[name] for name in texts.pop("label")], dtype=np.int64)
    return ClassScores(**texts, label=label, classes=classes, probabilities=values)  # type: ignore[arg-type]


def _present(keys: list[str]) -> dict[str, str]:
    """The fields of a file; a missing compulsory one is an error."""
    names = [entry.name for entry in fields(ClassScores)]
    for name in names:
        if name not in (*keys, *_OPTIONAL):
            raise ValueError(
                f"the key {name!r} is missing; the file has {', '.join(keys) or 'none'}."
            )
    return {name: name for name in names if name in keys}


def _as_text(values: Any, name: str) -> TextArray:
    """A one-dimensional text array; whole numbers and columns of a table become text."""
    array: npt.NDArray[Any] = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}.")
    objects = array.dtype.kind == "O" and all(isinstance(value, str) for value in array.tolist())
    # numpy 2 has a text type of its own ("T"), which pandas may hand out.
    if not (objects or array.dtype.kind in "UiuT" or array.size == 0):
        raise ValueError(f"{name} must be text or whole numbers, not an array of {array.dtype}.")
    return composed(array.astype(np.str_))


def _check_unique(values: TextArray, name: str) -> None:
    """Refuse a repeated key."""
    distinct, counts = np.unique(values, return_counts=True)
    twice = distinct[counts > 1]
    if len(twice):
        raise ValueError(
            f"{name} must be unique, and {str(twice[0])!r} comes {counts[counts > 1][0]} times "
            f"({len(twice)} in all): give each its own name."
        )


def _as_labels(values: Any, sample: TextArray, size: int) -> IntArray:
    """(N,) int64 class numbers, -1 for unknown."""
    array: npt.NDArray[Any] = np.asarray(values)
    if array.shape != (len(sample),) or (array.dtype.kind not in "iu" and array.size):
        raise ValueError(
            f"label must hold one whole number for each of {len(sample)} samples, not "
            f"{array.dtype} of shape {array.shape}."
        )
    wrong = np.flatnonzero((array < UNKNOWN) | (array >= size))
    if len(wrong):
        raise ValueError(
            f"The label of sample {str(sample[wrong[0]])!r} is {array[wrong[0]]}, but there are "
            f"{size} classes: labels are 0 to {size - 1}, or {UNKNOWN} where unknown."
        )
    return array.astype(np.int64)


def _as_scores(values: Any, name: str, sample: TextArray, size: int) -> ScoreArray:
    """(N, K) float32, finite."""
    array: npt.NDArray[Any] = np.asarray(values)
    if array.shape != (len(sample), size) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must be numbers of shape ({len(sample)}, {size}), one row per sample and one "
            f"column per class, not {array.dtype} of shape {array.shape}."
        )
    scores = np.ascontiguousarray(array, dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(broken):
        raise ValueError(
            f"The {name} of sample {str(sample[broken[0]])!r} (row {broken[0]}) are not finite "
            f"({len(broken)} in all): score it again or leave it out."
        )
    return scores


def _check_distributions(probabilities: ScoreArray, sample: TextArray) -> None:
    """Refuse rows that are not probabilities, such as logits given in their place."""
    total = probabilities.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero((probabilities < 0).any(axis=1) | (np.abs(total - 1) > _SUM_TOLERANCE))
    if len(wrong):
        raise ValueError(
            f"The probabilities of sample {str(sample[wrong[0]])!r} are negative or sum to "
            f"{total[wrong[0]]:.3g} instead of 1 ({len(wrong)} in all): take the "
            "softmax first, and give raw outputs as logits."
        )
