"""Classification by the nearest neighbours in a bank of labelled embeddings, without training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import FloatArray, IntArray, row_blocks

_TOLERANCE = 1e-12


def neighbour_votes(
    bank: npt.NDArray[np.floating],
    labels: IntArray,
    queries: npt.NDArray[np.floating],
    *,
    classes: int,
    neighbours: int = 20,
    temperature: float = 0.1,
) -> FloatArray:
    """Sum the votes of each query's nearest neighbours, class by class.

    A neighbour votes with exp(cosine / temperature): Wu et al., "Unsupervised feature learning via
    non-parametric instance discrimination", CVPR 2018, section 3.4, the usual monitor of
    self-supervised features.

    Args:
        bank: (G, D) embeddings of any length but 0.
        labels: (G,) their classes, 0 to classes - 1.
        queries: (P, D) embeddings.
        classes: K.
        neighbours: number of voters, at most G; where G is smaller, all vote.
        temperature: how much nearer neighbours weigh more.

    Returns:
        (P, K), in a scale of each query where its nearest neighbour has 1 vote; the class of the
        most votes is the prediction.

    Raises:
        ValueError: the bank is empty, the numbers of entries or labels differ, or an embedding is
            zero or not finite.

    >>> bank = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
    >>> votes = neighbour_votes(bank, np.array([0, 1, 1]), bank[:1], classes=2, neighbours=1)
    >>> votes.argmax(axis=1).tolist()
    [0]
    """
    if not len(bank) or len(bank) != len(labels) or bank.shape[1:] != queries.shape[1:]:
        raise ValueError(
            f"voting needs a bank (G, D), its labels (G,) and queries (P, D), not {bank.shape}, "
            f"{labels.shape} and {queries.shape}"
        )
    unit, asking = _unit(bank, "the bank"), _unit(queries, "the queries")
    count = min(neighbours, len(unit))
    votes = np.zeros((len(asking), classes))
    for block in row_blocks(len(asking), 32 * len(unit)):
        cosines = asking[block] @ unit.T
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        cosines = np.take_along_axis(cosines, nearest, axis=1)
        # Shifted by the largest, so that at no temperature all votes are 0 or one overflows.
        weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / temperature)
        rows = np.arange(block.start, block.stop)[:, None]
        np.add.at(votes, (rows, labels[nearest]), weights)
    return votes


def _unit(rows: npt.NDArray[np.floating], name: str) -> FloatArray:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < _TOLERANCE).any():
        raise ValueError(f"{name} hold an embedding that is zero or not finite")
    unit: FloatArray = rows / lengths
    return unit
