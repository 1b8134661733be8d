"""Average query expansion: every embedding becomes a weighted mean of its nearest ones.

Weights are the cosine similarity to the power alpha, over probes and gallery together, the row
itself among its neighbours at weight 1. Chum et al., "Total Recall: Automatic Query Expansion with
a Generative Feature Model for Object Retrieval", ICCV 2007 (alpha 0); Radenovic et al.,
"Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019, section 3.3 (alpha). As in
fast-reid the mean is over the embeddings as given, divided by k, and is not normalised.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import BLOCK_BYTES, as_pair, row_blocks
from protocols.ranking.retrieval import search

Rows = npt.NDArray[np.float32]


def expand(
    probe: npt.ArrayLike,
    gallery: npt.ArrayLike | None = None,
    *,
    k: int = 5,
    alpha: float = 3.0,
    block_bytes: int = BLOCK_BYTES,
) -> tuple[Rows, Rows]:
    """Replace every probe and gallery embedding by the mean of its neighbourhood.

    A neighbour at more than 90 degrees gets weight 0 for any alpha above 0. (The released code
    raises the negative similarity to the power: it subtracts the neighbour for an odd alpha and
    yields NaN for a fractional one.)

    Args:
        probe: (P, D) numbers, read as float32, no row all zeros.
        gallery: (G, D) likewise, G >= 1. None: the probes are also the gallery, and each counts as
            a neighbour once.
        k: Rows that are averaged, the row itself among them; cut to all there are.
        alpha: Exponent of the weights, at least 0; 0 is the plain mean.
        block_bytes: Working memory in bytes, besides input, result and k neighbours a row.

    Returns:
        (P, D) and (G, D) float32; without a gallery the probes twice.

    Raises:
        ValueError: A setting is out of its range, or as :func:`protocols.ranking.retrieval.search`.

    >>> expand([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], k=2)[0].tolist()
    [[1.0, 0.0]]
    """
    if k < 1:
        raise ValueError(f"Query expansion needs k of at least 1, not {k}.")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha of the query expansion must be 0 or more, not {alpha}.")
    left, right = as_pair(probe, probe if gallery is None else gallery, "cosine")
    if left.parts > 1:
        raise ValueError(
            f"Query expansion takes one vector a sample, and these have {left.parts} parts: leave "
            "it out."
        )
    rows = left.values if gallery is None else np.concatenate([left.values, right.values])
    near = search(rows, rows, k, metric="cosine", block_bytes=block_bytes)
    weights = np.maximum(1.0 - near.distances, 0.0) ** alpha / near.rows.shape[1]
    means = np.empty_like(rows)
    row_bytes = 12 * near.rows.shape[1] * rows.shape[1]
    for block in row_blocks(len(rows), row_bytes, block_bytes):
        members = rows[near.rows[block]].astype(np.float64)
        means[block] = np.einsum("bk,bkd->bd", weights[block], members)
    return (means, means) if gallery is None else (means[: len(left)], means[len(left) :])
