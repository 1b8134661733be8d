"""Embeddings with their labels: all that an evaluation needs, without the model.

A file is an ``.npz`` of plain arrays (never a pickle) or a CSV. Any toolbox can write one: an
embedding and a subject for every sample are compulsory, everything else is optional text.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.files import read_arrays, read_table, write_arrays
from protocols.names import canonical, composed, fingerprint_rows, read_alike

TextArray = npt.NDArray[np.str_]

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "embedding": ("embedding", "embeddings", "emb", "feature", "features"),
    "subject": ("subject", "identity", "id", "person", "pid"),
    "condition": ("condition", "cond", "type"),
    "take": ("take", "seq", "sequence", "walk", "repetition"),
    "view": ("view", "angle"),
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
        embedding: (N, D) float32, finite.
        subject: (N,) text, the identity.
        condition: (N,) text, such as nm, bg, cl.
        take: (N,) text, number of the recording within its subject and condition.
        view: (N,) text, degrees as given.
        camera: (N,) text.
        sample: (N,) text, the sample's name.

    Raises:
        ValueError: Shapes or lengths disagree, a field is no text, or a value is not finite (the
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
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise ValueError(
                "embedding must be a numeric array of shape (N, D), one row a sample, not "
                f"{array.dtype} of shape {array.shape}."
            )
        object.__setattr__(self, "embedding", np.ascontiguousarray(array, dtype=np.float32))
        for name in self.text_fields():
            values = _as_text(np.asarray(getattr(self, name)), name)
            if len(values) == 0 and name != "subject":
                values = np.full(len(array), "", dtype=np.str_)
            if values.shape != (len(array),):
                raise ValueError(
                    f"{name} has shape {values.shape}, but there are {len(array)} embeddings: "
                    "give one entry a sample."
                )
            object.__setattr__(self, name, values)
        object.__setattr__(self, "sample", self._named())
        broken = np.flatnonzero(~np.isfinite(self.embedding).all(axis=1))
        if len(broken):
            raise ValueError(
                f"The embedding of sample {str(self.sample[broken[0]])!r} (row {broken[0]}) is "
                f"not finite ({len(broken)} such samples in all): embed it again or leave it out."
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
            f"sample {str(self.sample[empty[0]])!r} has no {name}{others} ({len(empty)} such "
            f"samples of {len(among)})"
        )

    def read_alike(self, *fields: str) -> tuple[str, ...]:
        """A sentence for each of the label fields in which several spellings are read as one."""
        return tuple(note for name in fields for note in read_alike(name, getattr(self, name)))

    def require_directions(self) -> None:
        """Refuse embeddings of zeros, which no cosine can compare.

        Raises:
            ValueError: There is one; the sample is named.
        """
        empty = np.flatnonzero(~self.embedding.any(axis=1))
        if len(empty):
            raise ValueError(
                f"The embedding of sample {str(self.sample[empty[0]])!r} is all zeros "
                f"({len(empty)} such samples in all) and has no direction: embed it again, or "
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


def load_embeddings(path: Path | str) -> Embeddings:
    """Read embeddings from an ``.npz`` or a CSV file.

    Fields may have any name in :data:`SYNONYMS`. A CSV has a header; the vector is in the columns
    ``e0`` to ``e<D-1>`` or, separated by spaces, in one column ``embedding``.

    Args:
        path: The file; the ending decides how it is read.

    Returns:
        The embeddings, in file order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, of another kind, lacks a compulsory field, holds pickled
            objects, or as :class:`Embeddings`. The message names the file.
    """
    source = Path(path)
    readers = {".npz": lambda file: read_arrays(file, _find), ".csv": _read_csv}
    if source.suffix not in readers:
        raise ValueError(f"Embeddings are read from .npz or .csv, and {source} is neither.")
    if not source.is_file():
        raise FileNotFoundError(f"There is no embeddings file {source}.")
    try:
        arrays = readers[source.suffix](source)
        for name in ("embedding", "subject"):
            if name not in arrays:
                raise ValueError(
                    f"the field {name!r} is missing (also read as {', '.join(SYNONYMS[name][1:])})."
                )
        return Embeddings(**arrays)
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"Embeddings file {source}: {error}") from error


def _read_csv(source: Path) -> dict[str, Any]:
    """The fields of a CSV file."""
    with source.open(encoding="utf-8-sig", newline="") as lines:
        header, rows = read_table(lines)
    places = {name: header.index(key) for name, key in _find(header).items()}
    found: dict[str, Any] = {
        name: np.array([row[place] for row in rows], dtype=np.str_)
        for name, place in places.items()
    }
    count = sum(column[:1] == "e" and column[1:].isdecimal() for column in header)
    if count:
        absent = [index for index in range(count) if f"e{index}" not in header]
        if absent:
            raise ValueError(f"column 'e{absent[0]}' is missing among e0 to e{count - 1}.")
        vector = [header.index(f"e{index}") for index in range(count)]
        found["embedding"] = _numbers([[row[place] for place in vector] for row in rows])
    elif "embedding" in found:
        found["embedding"] = _numbers([row[places["embedding"]].split() for row in rows])
    return found


def _numbers(rows: list[list[str]]) -> npt.NDArray[np.float32]:
    """Text to an (N, D) array; errors name the first line that does not fit."""
    size = len(rows[0]) if rows else 0
    for line, row in enumerate(rows, start=2):
        if len(row) != size:
            raise ValueError(f"line {line} holds {len(row)} embedding values, line 2 holds {size}.")
    try:
        return np.array(rows, dtype=np.float32).reshape(len(rows), size)
    except ValueError as error:
        raise ValueError(f"an embedding value is no number ({error}).") from error


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
    whole = values.dtype.kind == "f" and bool(np.all(values == np.rint(values)))
    if whole:
        values = values.astype(np.int64)
    if values.dtype.kind not in "Uiu":
        raise ValueError(f"{name} must be text or whole numbers, not an array of {values.dtype}.")
    return composed(values)
