from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.models.graph import (
    centre_partition,
    directed_adjacency,
    hop_adjacency,
    hop_distances,
)
from aclnet.skeleton import load_layout


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "gait" / "graphs.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize(
    ("name", "edges", "joint_count", "max_hop"),
    [
        ("v1_coco_A", "v1_coco_edges", 17, 3),
        ("v2_coco_A", "v1_coco_edges", 17, 3),
        ("v2_oumvlp_A", "v2_oumvlp_edges", 18, 3),
        ("fp_coco_hop2_A", "v1_coco_edges", 17, 2),
        ("fp_coco_hop3_A", "v1_coco_edges", 17, 3),
        ("fp_alphapose_hop2_A", "v2_oumvlp_edges", 18, 2),
        ("fp_alphapose_hop3_A", "v2_oumvlp_edges", 18, 3),
    ],
)
def test_adjacency_equals_the_toolboxes(
    golden: dict[str, np.ndarray], name: str, edges: str, joint_count: int, max_hop: int
) -> None:
    adjacency = hop_adjacency(joint_count, golden[edges], max_hop)
    np.testing.assert_allclose(adjacency, golden[name], rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.data())
def test_distances_equal_the_shortest_ways(joint_count: int, data: st.DataObject) -> None:
    joint = st.integers(0, joint_count - 1)
    pairs = data.draw(st.lists(st.tuples(joint, joint), max_size=12))
    max_hop = data.draw(st.integers(0, 10))
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    expected = np.full((joint_count, joint_count), np.inf)  # Floyd and Warshall
    np.fill_diagonal(expected, 0)
    for a, b in pairs:
        if a != b:
            expected[a, b] = expected[b, a] = 1
    for middle in range(joint_count):
        expected = np.minimum(expected, expected[:, middle, None] + expected[None, middle])
    expected = np.minimum(expected, max_hop + 1)
    np.testing.assert_array_equal(hop_distances(joint_count, edges, max_hop), expected)


def test_columns_sum_to_one_over_all_hops() -> None:
    layout = load_layout("ntu25")
    adjacency = hop_adjacency(25, layout.bone_index, 4)
    np.testing.assert_allclose(adjacency.sum(axis=(0, 1)), 1)


@pytest.mark.parametrize("name", ["ntu25", "coco17", "msr20"])
def test_centre_partition_takes_from_self_children_and_parent(name: str) -> None:
    """In a tree no neighbour is as far from the centre as the joint itself."""
    layout = load_layout(name)
    V = layout.joint_count
    expected = np.zeros((3, V, V))
    for joint in range(V):
        children = [child for child, parent in layout.bone_index if parent == joint]
        parent = layout.parents[joint]
        share = 1 / (1 + len(children) + (parent != joint))
        expected[0, joint, joint] = share
        expected[1, children, joint] = share
        if parent != joint:
            expected[2, parent, joint] = share
    given = centre_partition(V, layout.bone_index, layout.centre_index)
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)


def test_centre_partition_of_a_ring_keeps_its_far_bone_with_the_joint() -> None:
    ring = np.array([[0, 1], [0, 2], [1, 2]])
    given = centre_partition(3, ring, 0)
    np.testing.assert_allclose(given.sum(axis=0), 1 / 3)
    assert given[0, 1, 2] == given[0, 2, 1] == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ["ntu25", "coco17", "msr20"])
def test_directed_adjacency_follows_the_bones(name: str) -> None:
    layout = load_layout(name)
    V = layout.joint_count
    same, inward, outward = directed_adjacency(V, layout.bone_index)
    np.testing.assert_array_equal(same, np.eye(V))
    assert {(int(v), int(w)) for v, w in np.argwhere(inward)} == set(
        map(tuple, layout.bone_index.tolist())
    )
    np.testing.assert_array_equal(inward != 0, outward.T != 0)
    for matrix in (inward, outward):  # leaves give nothing outward, the centre nothing inward
        assert set(np.round(matrix.sum(axis=1), 12)) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("edges", "max_hop", "message"),
    [
        (np.array([[0, 3]]), 1, "joints 0 to 2"),
        (np.array([[-1, 0]]), 1, "joints 0 to 2"),
        (np.array([0, 1]), 1, "pairs of joints"),
        (np.array([[0, 1]]), -1, "max_hop"),
    ],
)
def test_unsound_graphs_are_refused(edges: np.ndarray, max_hop: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hop_distances(3, edges, max_hop)
