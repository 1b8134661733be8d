"""Where a joint stands in its graph: eigenvectors of the graph's Laplacian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

_SAME_EIGENVALUE = 1e-6
_SAME_LENGTH = 1e-6


def normalised_laplacian(adjacency: npt.ArrayLike) -> Matrix:
    """I - D^-1/2 A D^-1/2, D the diagonal matrix of the degrees; a node without edges keeps 1.

    Args:
        adjacency: (V, V) weights of the edges, symmetric, not negative.

    Returns:
        float64 (V, V), symmetric; its eigenvalues lie in 0..2.

    Raises:
        ValueError: the adjacency is not square, not symmetric, negative or not finite.

    >>> normalised_laplacian([[0, 1], [1, 0]]).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    edges = np.asarray(adjacency, dtype=np.float64)
    if edges.ndim != 2 or edges.shape[0] != edges.shape[1]:
        raise ValueError(f"an adjacency must be square, (V, V), got shape {edges.shape}")
    if not np.isfinite(edges).all() or (edges < 0).any() or not np.allclose(edges, edges.T):
        raise ValueError("an adjacency must be symmetric with finite weights of at least 0")
    degrees = edges.sum(axis=1)
    scale = 1.0 / np.sqrt(np.where(degrees > 0, degrees, 1.0))
    laplacian: Matrix = np.eye(len(edges)) - scale[:, None] * edges * scale
    return laplacian


def laplacian_encoding(adjacency: npt.ArrayLike, count: int) -> Matrix:
    """The positional encoding of a graph's nodes: eigenvectors 1..count of its Laplacian.

    Dwivedi and Bresson 2021 ("A generalization of transformer networks to graphs"), as TranSG
    (Rao and Miao 2023) uses it: ascending eigenvalues, the first (constant) eigenvector dropped.
    An eigenvector's sign is free, and so is the whole basis where an eigenvalue is repeated, as in
    every skeleton with equal limbs. TranSG takes what its solver happens to give (on CASIA-B's 14
    joints twice the same column, the real part of a complex pair); here the basis is chosen from
    the eigenspace alone, so that machines agree (`_canonical_basis`).

    Args:
        adjacency: (V, V) weights of the edges, symmetric, not negative.
        count: K, eigenvectors wanted, 1 to V - 1.

    Returns:
        float64 (V, K), orthonormal columns.

    Raises:
        ValueError: the adjacency is not symmetric, or has not so many eigenvectors.

    >>> laplacian_encoding([[0, 1, 0], [1, 0, 1], [0, 1, 0]], 1).round(3).tolist()
    [[0.707], [0.0], [-0.707]]
    """
    laplacian = normalised_laplacian(adjacency)
    if not 1 <= count < len(laplacian):
        raise ValueError(
            f"a graph of {len(laplacian)} nodes has {len(laplacian) - 1} eigenvectors after the "
            f"first, {count} were asked; ask for 1 to {len(laplacian) - 1}"
        )
    values, vectors = np.linalg.eigh(laplacian)
    groups = np.split(vectors, np.flatnonzero(np.diff(values) > _SAME_EIGENVALUE) + 1, axis=1)
    basis = np.concatenate([_canonical_basis(group) for group in groups], axis=1)
    # Adding 0 turns -0.0 into 0.0.
    encoding: Matrix = basis[:, 1 : count + 1] + 0.0
    return encoding


def _canonical_basis(vectors: Matrix) -> Matrix:
    """An orthonormal basis of the space that `vectors` (V, E) span, the same for any such basis.

    The projections of the nodes' unit vectors are taken in turn, the longest first and of equally
    long ones the earliest, each freed of what was taken before. A vector is thus positive at the
    node that it was made of.
    """
    left = vectors @ vectors.T
    taken = []
    for _ in range(vectors.shape[1]):
        lengths = np.linalg.norm(left, axis=0)
        node = int(np.flatnonzero(lengths >= lengths.max() - _SAME_LENGTH)[0])
        axis = left[:, node] / lengths[node]
        taken.append(axis)
        left = left - np.outer(axis, axis @ left)
    return np.stack(taken, axis=1)
