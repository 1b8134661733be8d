"""Labels of samples: beside their embeddings, and as class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from protocols.embeddings import Embeddings

Rows = npt.NDArray[np.int64]


def label_rows(names: np.ndarray[Any, Any], classes: tuple[str, ...]) -> Rows:
    """Class numbers (N,) int64 of class names.

    Raises:
        ValueError: a name is not among the classes.
    """
    places = {name: place for place, name in enumerate(classes)}
    unknown = sorted(set(names.tolist()) - set(places))
    if unknown:
        raise ValueError(f"class {unknown[0]!r} is not among the {len(classes)} training classes")
    return np.array([places[name] for name in names.tolist()], dtype=np.int64)


def labelled(vectors: npt.NDArray[np.float32], samples: Store) -> Embeddings:
    """Vectors (N, D) with the labels of the samples that they stand for."""
    index = samples.index

    def text(column: str) -> npt.NDArray[np.str_]:
        return index[column].to_numpy().astype(np.str_)

    return Embeddings(
        embedding=np.asarray(vectors, dtype=np.float32),
        subject=text("identity"),
        condition=text("condition"),
        take=text("take"),
        view=text("view"),
        camera=text("camera"),
        sample=text("sample"),
    )
