"""What the exchange form `.npz` says of each sample: one value a sample under each key.

The joints and their layout are read in `aclnet.data.formats.npz.reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]

ALL_SPLITS = "*"
"""In place of a split key: all of them."""

_FIELDS = {"identity": "subject", "condition": "condition", "view": "view", "take": "repetition"}
_SPLITS = {"1": "train", "2": "test"}


def sample_columns(arrays: Arrays, split: str, path: Path) -> dict[str, list[str]]:
    """The fields of the N samples, by a `Sample`'s field name.

    Args:
        arrays: the file's keys.
        split: what `split_key` found.
        path: the file, for the message.

    Raises:
        ValueError: a key has not one value a sample, or a label has no name.
    """
    count = len(arrays["offsets"]) - 1
    columns = {
        field: [str(value) for value in arrays[key].tolist()]
        for field, key in _FIELDS.items()
        if key in arrays
    }
    if "label" in arrays:
        columns["label"] = _labels(arrays, path)
    if split == ALL_SPLITS:
        columns["split"] = _all_splits(arrays, path)
    elif split:
        columns["split"] = _split_values(arrays, split)
    if "sequence_name" in arrays:
        columns["sample"] = [str(name) for name in arrays["sequence_name"].tolist()]
    else:
        columns["sample"] = [f"{path.stem}-{i:05d}" for i in range(count)]
    for field, texts in columns.items():
        if len(texts) != count:
            raise ValueError(f"{path}: {len(texts)} values of {field} for {count} samples")
    return columns


def split_key(arrays: Arrays, asked: str | None, path: Path) -> str:
    """The split key to read: the one asked for, or the only one there is, or none ("").

    Raises:
        ValueError: what was asked for is not there.
    """
    present = [key for key in arrays if key.startswith("split")]
    if asked is None:
        return present[0] if len(present) == 1 else ""
    if asked == ALL_SPLITS and present:
        return asked
    if asked and (asked not in arrays or arrays[asked].ndim != 1):
        raise ValueError(f"{path}: no split {asked!r}; it has {', '.join(present) or 'none'}")
    return asked


def kept_samples(arrays: Arrays, key: str, path: Path) -> npt.NDArray[np.bool_]:
    """Which samples a key of yes or no (or 1 or 0) a sample keeps: (N,); all, without a key.

    Raises:
        ValueError: there is no such key, or it is not such a key.
    """
    count = len(arrays["offsets"]) - 1
    if not key:
        return np.ones(count, dtype=np.bool_)
    if key not in arrays:
        raise ValueError(f"{path}: no key {key!r} to keep samples by; it has {', '.join(arrays)}")
    values = arrays[key]
    whole = values.shape == (count,) and values.dtype.kind in "bui"
    if not whole or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{path}: {key} must be {count} times yes or no (or 1 or 0) to keep samples by, it is "
            f"{values.dtype} {values.shape}"
        )
    return values.astype(np.bool_)


def class_order(arrays: Arrays) -> tuple[str, ...]:
    """The K class names in their order, where there are labels and each name is there once."""
    if not {"label", "class_names"} <= set(arrays):
        return ()
    names = tuple(str(name) for name in arrays["class_names"].tolist())
    return names if len(set(names)) == len(names) and "" not in names else ()


def _labels(arrays: Arrays, path: Path) -> list[str]:
    labels = arrays["label"].tolist()
    if "class_names" not in arrays:
        return [str(label) for label in labels]
    names = arrays["class_names"].tolist()
    for label in labels:
        if not 0 <= label < len(names):
            raise ValueError(f"{path}: label {label} has no name, class_names has {len(names)}")
    return [str(names[label]) for label in labels]


def _split_values(arrays: Arrays, key: str) -> list[str]:
    values = [str(value) for value in arrays[key].tolist()]
    named = key.startswith("split") and set(values) <= set(_SPLITS)
    return [_SPLITS[value] for value in values] if named else values


def _all_splits(arrays: Arrays, path: Path) -> list[str]:
    """One text a sample: what each split key says of it, after the key's own part of its name."""
    count = len(arrays["offsets"]) - 1
    columns = []
    for key in (key for key in arrays if key.startswith("split")):
        values = _split_values(arrays, key) if arrays[key].shape == (count,) else []
        if len(values) != count or any(len(value.split()) != 1 for value in values):
            raise ValueError(f"{path}: {key} must have one word or number for each sample")
        name = key.removeprefix("split").lstrip("_")
        columns.append([f"{name}_{value}" if name else value for value in values])
    return [" ".join(words) for words in zip(*columns, strict=True)]
