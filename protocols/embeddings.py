"""Embeddings with their labels: all that an evaluation needs, without the model.

A file is an ``.npz`` of plain arrays (never a pickle), a CSV or Parquet table, or an ``.npy`` with
a table of labels. Any toolbox can write one: an embedding and a subject for every sample are
compulsory, everything else is optional text.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.files import read_columns, write_arrays
from protocols.foreign import read_array, read_arrays
from protocols.names import (
    canonical,
    compose,
    composed,
    fingerprint_rows,
    match_keys,
    read_alike,
    text_array,
)

TextArray = npt.NDArray[np.str_]

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "embedding": ("embedding", "embeddings", "emb", "feature", "features"),
    "subject": ("subject", "identity", "id", "person", "pid", "labels"),
    "condition": ("condition", "cond", "type", "types"),
    "take": ("take", "seq", "sequence", "walk", "repetition"),
    "view": ("view", "angle", "views"),
    "camera": ("camera", "cam", "camid"),
    "sample": ("sample", "name", "sample_name", "sequence_name"),
}
"""Keys (npz) or columns (CSV) of each field, in order of preference."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """One embedding a sample, with its person, condition, take, view and camera.

    Text fields accept any array of text or whole numbers; one that is left out is empty text.
    Samples without a name are named subject-condition-take-view.

    Attributes:
        embedding: (N, D) float32, finite; or (N, C, P) of P parts, as OpenGait's networks give
            them, which are compared part by part (one part counts as none).
        subject: (N,) text, the identity.
        condition: (N,) text, such as nm, bg, cl.
        take: (N,) text, number of the recording within its subject and condition.
        view: (N,) text, degrees as given.
        camera: (N,) text.
        sample: (N,) text, the sample's name.

    Raises:
        ValueError: Shapes or lengths disagree, a field is not text, or a value is not finite (the
            sample is named).

    >>> Embeddings(np.eye(2), subject=[7, 8], take=[1, 1]).sample.tolist()
    ['7-1', '8-1']
    """

    embedding: npt.NDArray[np.float32]
    subject: TextArray
    condition: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    take: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    view: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    camera: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    sample: TextArray = field(default_factory=lambda: np.empty(0, dtype=np.str_))

    def __post_init__(self) -> None:
        array: npt.NDArray[Any] = np.asarray(self.embedding)
        if array.ndim not in (2, 3) or 0 in array.shape[2:] or array.dtype.kind not in "fiu":
            raise ValueError(
                "embedding must be a numeric array of shape (N, D), one row per sample, or "
                f"(N, C, parts), not {array.dtype} of shape {array.shape}."
            )
        if array.shape[2:] == (1,):
            array = array[:, :, 0]
        object.__setattr__(self, "embedding", np.ascontiguousarray(array, dtype=np.float32))
        for name in self.text_fields():
            values = _as_text(np.asarray(getattr(self, name)), name)
            if len(values) == 0 and name != "subject":
                values = np.full(len(array), "", dtype=np.str_)
            if values.shape != (len(array),):
                raise ValueError(
                    f"{name} has shape {values.shape}, but there are {len(array)} embeddings: "
                    "give one entry per sample."
                )
            object.__setattr__(self, name, values)
        object.__setattr__(self, "sample", self._named())
        flat = self.embedding.reshape(len(array), math.prod(array.shape[1:]))
        broken = np.flatnonzero(~np.isfinite(flat).all(axis=1))
        if len(broken):
            raise ValueError(
                f"The embedding of sample {str(self.sample[broken[0]])!r} (row {broken[0]}) is "
                f"not finite ({len(broken)} in all): embed it again or leave it out."
            )

    def __len__(self) -> int:
        return len(self.embedding)

    @classmethod
    def text_fields(cls) -> tuple[str, ...]:
        """Names of the label fields, in order."""
        return tuple(entry.name for entry in fields(cls) if entry.name != "embedding")

    def select(self, rows: npt.ArrayLike) -> Embeddings:
        """The samples at the given rows (indices or a mask), in that order."""
        chosen = np.asarray(rows)
        names = ("embedding", *self.text_fields())
        return Embeddings(**{name: getattr(self, name)[chosen] for name in names})

    def lacking(self, name: str, rows: npt.ArrayLike) -> str:
        """Words on the samples among ``rows`` (a mask) whose label of a name is empty."""
        among = np.flatnonzero(rows)
        empty = among[np.char.strip(getattr(self, name)[among]) == ""]
        others = " while others have one" if len(empty) < len(among) else ""
        return (
            f"sample {str(self.sample[empty[0]])!r} has no {name}{others} ({len(empty)} of "
            f"{len(among)})"
        )

    def require_people(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> None:
        """Refuse samples of nobody, who would all be one person.

        Raises:
            ValueError: One of ``rows`` (a mask or row numbers) has no subject; it is named.
        """
        among = np.zeros(len(self), dtype=np.bool_)
        among[rows] = True
        if np.any(np.char.strip(self.subject[among]) == ""):
            raise ValueError(
                f"{self.lacking('subject', among)}: give every sample its person, or leave it out."
            )

    def repeats(self) -> tuple[str, ...]:
        """A sentence on samples that are there again, with the same key and embedding."""
        _, first, key = np.unique(self.sample, return_index=True, return_inverse=True)
        again = np.flatnonzero(first[key] != np.arange(len(self)))
        alike = self.embedding[again] == self.embedding[first[key[again]]]
        copies = again[alike.all(axis=tuple(range(1, alike.ndim)))]
        if not len(copies):
            return ()
        name = str(self.sample[copies[0]])
        what = f"{len(copies)} sample{'' if len(copies) == 1 else 's'}"
        return (f"Repeated, and counted each time: {what}, such as {name!r}.",)

    def read_alike(self, *fields: str) -> tuple[str, ...]:
        """A sentence for each of the label fields in which several spellings are read as one."""
        return tuple(note for name in fields for note in read_alike(name, getattr(self, name)))

    def require_directions(self) -> None:
        """Refuse embeddings of zeros, or with a part of zeros, which no cosine can compare.

        Raises:
            ValueError: There is one; the sample is named.
        """
        parts = self.embedding.ndim == 3
        directed = np.asarray(self.embedding.any(axis=1))
        empty = np.flatnonzero(~(directed.all(axis=1) if parts else directed))
        if len(empty):
            what = "has a part of zeros" if parts else "is all zeros"
            raise ValueError(
                f"The embedding of sample {str(self.sample[empty[0]])!r} {what} "
                f"({len(empty)} in all) and has no direction: embed it again, or "
                "compare single sequences by the euclidean metric."
            )

    def save(self, path: Path | str) -> None:
        """Write an ``.npz`` without pickles; the file appears complete or not at all.

        Raises:
            ValueError: The name does not end in ``.npz``.
        """
        names = ("embedding", *self.text_fields())
        write_arrays(path, "Embeddings", {name: getattr(self, name) for name in names})

    @property
    def fingerprint(self) -> str:
        """Hash of the samples' keys and labels, whatever their order, spelling and embeddings."""
        labels = [
            canonical(getattr(self, name)) for name in ("condition", "take", "view", "camera")
        ]
        key = np.where(self.sample == self._made_names(), "", self.sample)
        return fingerprint_rows(key, self.subject, *labels)

    def _made_names(self) -> TextArray:
        parts = (self.subject, self.condition, self.take, self.view)
        made = ["-".join(part for part in row if part) for row in zip(*parts, strict=True)]
        return np.array(made, dtype=np.str_)

    def _named(self) -> TextArray:
        return np.where(self.sample == "", self._made_names(), self.sample)


def fuse_embeddings(
    runs: Sequence[Embeddings], weights: Sequence[float], names: Sequence[str]
) -> Embeddings:
    """Join the embeddings that several networks have of the same samples.

    Each is brought to unit length and weighted by the root of its share, and they are put side by
    side, so that the cosine of two samples is the weighted mean of the networks' cosines.

    Args:
        runs: One a network, over the same samples in any order; (N, D) each, or (N, C, P) with
            equal P, which are joined part by part. D and C may differ.
        weights: One a network, above 0.
        names: Names of the networks, for messages.

    Returns:
        The samples of the first, with its labels and in its order, of unit length.

    Raises:
        ValueError: A network lacks a sample or has one more, has another person for it, has other
            parts or an embedding of zeros, or the weights do not fit.

    >>> one, two = (Embeddings(np.eye(2) * size, ["a", "b"]) for size in (1, 5))
    >>> fused = fuse_embeddings([one, two], [1, 1], ["one", "two"]).embedding
    >>> (fused @ fused.T).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    share = np.asarray(weights, dtype=np.float64)
    if not runs or share.shape != (len(runs),) or len(names) != len(runs):
        raise ValueError(
            f"Fusion needs at least one run, and a weight for each: there are {len(runs)} runs and "
            f"{share.size} weights."
        )
    if not np.all(np.isfinite(share) & (share > 0)):
        raise ValueError(f"Weights must be above 0, not {share.tolist()}.")
    first, joined = runs[0], []
    for run, name, weight in zip(runs, names, share / share.sum(), strict=True):
        rows = match_keys(first.sample, run.sample, names[0], name)
        if run.embedding.shape[2:] != first.embedding.shape[2:]:
            raise ValueError(
                f"{name} has embeddings of shape {run.embedding.shape[1:]} and {names[0]} of "
                f"{first.embedding.shape[1:]}: only equal numbers of parts can be joined."
            )
        for field_name in ("subject", "condition", "take", "view", "camera"):
            mine, theirs = (getattr(each, field_name) for each in (first, run))
            differing = np.flatnonzero(mine != theirs[rows])
            if len(differing):
                where = int(differing[0])
                raise ValueError(
                    f"{name} gives sample {str(first.sample[where])!r} the {field_name} "
                    f"{str(theirs[rows][where])!r} and {names[0]} {str(mine[where])!r} "
                    f"({len(differing)} in all): fuse runs of the same data."
                )
        try:
            run.require_directions()
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        vectors = run.embedding[rows].astype(np.float64)
        vectors *= np.sqrt(weight) / np.linalg.norm(vectors, axis=1, keepdims=True)
        joined.append(vectors)
    return replace(first, embedding=np.concatenate(joined, axis=1).astype(np.float32))


TABLES = (".csv", ".parquet")
"""Endings of tables."""

READ = (".npz", ".npy", *TABLES)
"""Endings of files of embeddings."""


def load_embeddings(path: Path | str, labels: Path | str | None = None) -> Embeddings:
    """Read embeddings from an ``.npz``, a CSV or Parquet table, or an ``.npy`` beside its labels.

    Fields may have any name in :data:`SYNONYMS`. In a table the vector is in the columns ``e0`` to
    ``e<D-1>`` or in one column ``embedding``, separated by spaces in a CSV, a list in Parquet. An
    ``.npy`` holds the (N, D) vectors alone. Vectors of several parts, (N, C, P), are read from an
    ``.npz`` or ``.npy`` only.

    Args:
        path: The file; the ending decides how it is read.
        labels: The labels of an ``.npy``, a table with a row a sample in the same order; None takes
            the CSV of the same name beside it.

    Returns:
        The embeddings, in file order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, of another kind, lacks a compulsory field, holds pickled
            objects, needs labels or has its own, or as :class:`Embeddings`. The message names the
            file.
    """
    source = Path(path)
    if source.suffix not in READ:
        raise ValueError(
            f"Embeddings are read from {', '.join(READ)}, and {source} is not one of these."
        )
    if not source.is_file():
        raise FileNotFoundError(f"There is no embeddings file {source}.")
    try:
        if labels is not None and source.suffix != ".npy":
            raise ValueError("it has labels of its own: only an .npy takes those of a table.")
        fields = _read_fields(source, Path(labels or source.with_suffix(".csv")))
        for name in ("embedding", "subject"):
            if name not in fields:
                raise ValueError(
                    f"the field {name!r} is missing (also read as {', '.join(SYNONYMS[name][1:])})."
                )
        return Embeddings(**fields)
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"Embeddings file {source}: {error}") from error


def _read_fields(source: Path, labels: Path) -> dict[str, Any]:
    """The fields of a file that are there; of an ``.npy`` with those of its table."""
    if source.suffix == ".npz":
        return read_arrays(source, _find)
    if source.suffix in TABLES:
        columns = read_columns(source)
        vectors = _vectors(columns)
        return _texts(columns) | ({} if vectors is None else {"embedding": vectors})
    return read_labels(labels) | {"embedding": read_array(source)}


def read_labels(path: Path) -> dict[str, TextArray]:
    """The label fields of a table, a row a sample.

    Raises:
        ValueError: There is no such table, or it cannot be read; it is named.
    """
    if path.suffix not in TABLES or not path.is_file():
        raise ValueError(
            f"it holds no labels and needs a table of them ({' or '.join(TABLES)}) with one row "
            f"per sample, its subject, condition, take, view: there is no {path}; give one with "
            "--labels FILE."
        )
    try:
        return _texts(read_columns(path))
    except ValueError as error:
        raise ValueError(f"labels {path}: {error}") from error


def _texts(columns: Mapping[str, list[Any]]) -> dict[str, TextArray]:
    """The label fields among the columns of a table."""
    keys = {name: key for name, key in _find(list(columns)).items() if name != "embedding"}
    return {name: text_array([*map(label_text, columns[key])]) for name, key in keys.items()}


def label_text(value: object) -> str:
    """A cell of a table as text: nothing where it is absent, no decimals where it is whole."""
    if value is None or value != value:
        return ""
    return compose(str(int(value) if isinstance(value, float) and value.is_integer() else value))


def _vectors(columns: Mapping[str, list[Any]]) -> npt.NDArray[np.float32] | None:
    """The (N, D) vectors of a table; None where there are none."""
    count = sum(name[:1] == "e" and name[1:].isdecimal() for name in columns)
    names = [f"e{index}" for index in range(count)]
    absent = [name for name in names if name not in columns]
    if absent:
        raise ValueError(f"column {absent[0]!r} is missing among e0 to e{count - 1}.")
    if count:
        return _numbers([*zip(*(columns[name] for name in names), strict=True)], count)
    key = _find(list(columns)).get("embedding")
    if key is None:
        return None
    return _numbers([cell.split() if isinstance(cell, str) else cell for cell in columns[key]])


def _numbers(rows: list[Any], size: int | None = None) -> npt.NDArray[np.float32]:
    """Rows of numbers, or of their texts, to an (N, D) array; errors name the first that is bad."""
    size = len(rows[0]) if size is None and rows else size or 0
    for line, row in enumerate(rows, start=2):
        if len(row) != size:
            raise ValueError(f"line {line} holds {len(row)} embedding values, line 2 holds {size}.")
    try:
        return np.array(rows, dtype=np.float32).reshape(len(rows), size)
    except (ValueError, TypeError) as error:
        raise ValueError(f"an embedding value is not a number ({error}).") from error


def _find(keys: list[str]) -> dict[str, str]:
    """The key of each field: its first synonym among the keys."""
    chosen: dict[str, str] = {}
    for name, synonyms in SYNONYMS.items():
        present = [key for key in synonyms if key in keys]
        if present:
            chosen[name] = present[0]
    return chosen


def _as_text(values: npt.NDArray[Any], name: str) -> TextArray:
    """Text, bytes or whole numbers as a text array, composed."""
    if values.size == 0:
        return np.empty(values.shape, dtype=np.str_)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    # Beyond these, infinity included, a float is not a name of anything.
    if values.dtype.kind == "f" and np.all((values == np.rint(values)) & (abs(values) < 2**53)):
        values = values.astype(np.int64)
    if values.dtype.kind not in "Uiu":
        raise ValueError(f"{name} must be text or whole numbers, not an array of {values.dtype}.")
    return composed(values)
