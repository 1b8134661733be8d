"""Labels of samples, as class numbers and for embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from aclnet.seeding import derive_seed
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


def labelled_rows(labels: Rows, share: float, seed: int) -> Rows:
    """The samples whose labels are used: a share of each class, at least one sample.

    Every task and probe draws the same ones by the same seed.

    Args:
        labels: (N,) class numbers of the training samples.
        share: above 0, at most 1.
        seed: the run's.

    Returns:
        Their rows, ascending.

    >>> labelled_rows(np.array([0, 0, 0, 0, 1]), 0.5, 0).size
    3
    """
    if share == 1:
        return np.arange(len(labels), dtype=np.int64)
    generator = np.random.default_rng(derive_seed("labels", seed))
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = max(1, round(share * len(rows)))
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def labelled(vectors: npt.NDArray[np.float32], samples: Store) -> Embeddings:
    """Vectors (N, D) with the labels of their samples."""
    names = ("identity", "condition", "take", "view", "camera", "sample")
    columns = {name: samples.index[name].to_numpy().astype(np.str_) for name in names}
    subject = columns.pop("identity")
    return Embeddings(np.asarray(vectors, dtype=np.float32), subject, **columns)
