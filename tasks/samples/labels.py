"""Labels of samples, as class numbers and for embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from protocols.embeddings import Embeddings

Rows = npt.NDArray[np.int64]


def label_rows(names: np.ndarray[Any, Any], classes: tuple[str, ...]) -> Rows:
    """Convert N class names to class numbers (N,) int64.

    Raises:
        ValueError: a name is not among the classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    unknown = sorted(set(names.tolist()) - set(numbers))
    if unknown:
        raise ValueError(f"class {unknown[0]!r} is not among the {len(classes)} training classes")
    return np.array([numbers[name] for name in names.tolist()], dtype=np.int64)


def labelled(vectors: npt.NDArray[np.float32], samples: Store) -> Embeddings:
    """Vectors (N, D) with the labels of their samples."""
    names = ("identity", "condition", "take", "view", "camera", "sample")
    columns = {name: samples.index[name].to_numpy().astype(np.str_) for name in names}
    subject = columns.pop("identity")
    return Embeddings(np.asarray(vectors, dtype=np.float32), subject, **columns)
