"""Adjacency matrices of a skeleton's graph, one for each hop distance or direction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def hop_distances(
    joint_count: int, edges: npt.NDArray[np.int64], max_hop: int
) -> npt.NDArray[np.int64]:
    """Number of edges on the shortest path between every two joints.

    Args:
        joint_count: V.
        edges: int64 (E, 2) pairs of joints, undirected; they need not form a tree.
        max_hop: longest distance to look for.

    Returns:
        int64 (V, V), symmetric; max_hop + 1 where two joints are further apart or not connected.

    Raises:
        ValueError: the edges are not pairs of joints 0 to V - 1, or max_hop is negative.

    >>> hop_distances(3, np.array([[0, 1], [1, 2]]), 1).tolist()
    [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    """
    edges = np.asarray(edges, dtype=np.int64)
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise ValueError(f"edges must be pairs of joints, shape (E, 2), got shape {edges.shape}")
    if edges.size and (edges.min() < 0 or edges.max() >= joint_count):
        raise ValueError(
            f"edges must join joints 0 to {joint_count - 1}, got {edges.min()} to {edges.max()}"
        )
    if max_hop < 0:
        raise ValueError(f"max_hop must be at least 0, got {max_hop}")
    step = np.eye(joint_count, dtype=bool)
    step[edges[:, 0], edges[:, 1]] = True
    step[edges[:, 1], edges[:, 0]] = True
    distance = np.full((joint_count, joint_count), max_hop + 1, dtype=np.int64)
    reached = np.eye(joint_count, dtype=bool)
    for hop in range(max_hop + 1):
        distance[reached & (distance > hop)] = hop
        reached = reached @ step
    return distance


def hop_adjacency(
    joint_count: int, edges: npt.NDArray[np.int64], max_hop: int
) -> npt.NDArray[np.float64]:
    """Normalised adjacency, split by hop distance.

    With B the 0/1 matrix of all joint pairs at most `max_hop` edges apart and D the diagonal matrix
    of its column sums, the slices are the parts of B D^-1 at distance 0, 1, ... max_hop (the
    distance partition of Yan et al. 2018, "Spatial temporal graph convolutional networks", as
    GaitGraph, Teepe et al. 2021, uses it).

    Args:
        joint_count: V.
        edges: int64 (E, 2) pairs of joints, undirected; they need not form a tree.
        max_hop: largest distance that counts as adjacent.

    Returns:
        float64 (max_hop + 1, V, V); over all slices together each column sums to one.

    Raises:
        ValueError: see `hop_distances`.
    """
    distance = hop_distances(joint_count, edges, max_hop)
    slices = (distance == np.arange(max_hop + 1)[:, None, None]).astype(np.float64)
    normalised: npt.NDArray[np.float64] = slices / slices.sum(axis=(0, 1))
    return normalised


def centre_partition(
    joint_count: int, edges: npt.NDArray[np.int64], centre: int, *, released: bool = False
) -> npt.NDArray[np.float64]:
    """Normalised adjacency, split by the direction to the skeleton's centre.

    The spatial configuration partition of Yan et al. 2018, section 3.3, in the order of their
    code. Entry [v, w] is what joint w takes from joint v.

    Their code counts one edge only: joints further from the centre are all as far as each other.
    Neighbours at the same distance, which it then has (a tree has none), join those further out.

    Args:
        joint_count: V.
        edges: int64 (E, 2) pairs of joints, undirected; they need not form a tree.
        centre: the joint from which distances are measured.
        released: as their code does.

    Returns:
        float64 (3, V, V): from the joint itself and neighbours as far from the centre, from
        neighbours further out, from neighbours nearer; over all slices each column sums to one.

    Raises:
        ValueError: see `hop_distances`.

    >>> centre_partition(3, np.array([[0, 1], [1, 2]]), 0)[2].tolist()
    [[0.0, 0.3333333333333333, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]
    """
    adjacency = hop_adjacency(joint_count, edges, 1)
    distance = hop_distances(joint_count, edges, 1 if released else joint_count)[:, centre]
    source, target = distance[:, None], distance[None, :]
    partition: npt.NDArray[np.float64] = np.stack(
        [
            adjacency[0],
            adjacency[1] * (source > target),
            adjacency[1] * (source < target),
        ]
    )
    partition[1 if released else 0] += adjacency[1] * (source == target)
    return partition


def directed_adjacency(joint_count: int, bones: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Adjacency of the joint itself, towards the centre, and away from it.

    The three subsets of Shi et al. 2019 ("Two-stream adaptive graph convolutional networks"), as
    used by Chen et al. 2021 (CTR-GCN). Entry [v, w] is what joint w takes from joint v; as in their
    code rows and not columns are normalised: in a slice what a joint gives sums to one.

    Args:
        joint_count: V.
        bones: int64 (E, 2) pairs (child, parent).

    Returns:
        float64 (3, V, V): identity, child to parent, parent to child.

    Raises:
        ValueError: the bones are not pairs of joints 0 to V - 1.

    >>> directed_adjacency(3, np.array([[1, 0], [2, 0]]))[2].tolist()
    [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    hop_distances(joint_count, bones, 0)  # raises for joints that do not exist
    inward = np.zeros((joint_count, joint_count))
    inward[bones[:, 0], bones[:, 1]] = 1.0
    slices = np.stack([np.eye(joint_count), inward, inward.T])
    normalised: npt.NDArray[np.float64] = slices / np.maximum(slices.sum(axis=2, keepdims=True), 1)
    return normalised
