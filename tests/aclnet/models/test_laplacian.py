from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aclnet.models.transg import joint_adjacency, laplacian_encoding, normalised_laplacian
from aclnet.skeleton import load_layout

Arrays = dict[str, npt.NDArray[Any]]
Matrix = npt.NDArray[np.float64]
SETS = ("casia", "ks20", "biwi", "kgbd")
PATH = np.eye(5, k=1) + np.eye(5, k=-1)
STAR = np.zeros((6, 6))
STAR[0, 1:] = STAR[1:, 0] = 1

# How the released code sorts KGBD's joints into the Kinect's order, as it takes that to be.
KGBD_ORDER = [11, 10, 1, 0, 2, 4, 6, 8, 3, 5, 7, 9, 12, 14, 16, 18, 13, 15, 17, 19]


@pytest.fixture
def golden(shared: Path) -> Arrays:
    with np.load(shared / "golden" / "reid" / "preprocess.npz") as archive:
        return {key: archive[key] for key in archive.files if "adj" in key or "lap" in key} | {
            key: archive[key] for key in archive.files if "posenc" in key
        }


@pytest.mark.parametrize("name", SETS)
def test_eigenvalues_are_the_references(name: str, golden: Arrays) -> None:
    values = np.linalg.eigvalsh(normalised_laplacian(golden[f"{name}_adj"]))
    np.testing.assert_allclose(values, golden[f"{name}_lap_eigvals"], atol=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_columns_are_eigenvectors_in_their_order(name: str, golden: Arrays) -> None:
    laplacian, values = (
        normalised_laplacian(golden[f"{name}_adj"]),
        golden[f"{name}_lap_eigvals"],
    )
    encoding = laplacian_encoding(golden[f"{name}_adj"], 10)
    np.testing.assert_allclose(laplacian @ encoding, encoding * values[1:11], atol=1e-6)
    np.testing.assert_allclose(encoding.T @ encoding, np.eye(10), atol=1e-9)


def whole_groups(adjacency: Matrix, stored: Matrix) -> list[slice]:
    """The columns of each repeated eigenvalue, as far as the stored encoding holds all of them."""
    values = np.linalg.eigvalsh(normalised_laplacian(adjacency))
    ends = [int(end) for end in np.flatnonzero(np.diff(values) > 1e-6) + 1] + [len(values)]
    kept = [end - 1 for end in ends if end - 1 <= stored.shape[1]]
    return [slice(a, b) for a, b in itertools.pairwise(kept)]


@pytest.mark.parametrize(
    ("adjacency", "stored"),
    [
        ("casia_adj", "casia_posenc_joint"),
        ("casia_adj_part", "casia_posenc_part"),
        ("casia_adj_body", "casia_posenc_body"),
        ("ks20_adj", "ks20_posenc_joint"),
        ("biwi_adj", "biwi_posenc_joint"),
        ("kgbd_adj", "kgbd_posenc_joint"),
    ],
)
def test_the_references_encoding_lies_in_the_same_spaces(
    adjacency: str, stored: str, golden: Arrays
) -> None:
    theirs = golden[stored]
    ours = laplacian_encoding(golden[adjacency], theirs.shape[1])
    groups = whole_groups(golden[adjacency], theirs)
    assert groups
    for group in groups:
        projected = ours[:, group] @ (ours[:, group].T @ theirs[:, group])
        np.testing.assert_allclose(projected, theirs[:, group], atol=1e-6, err_msg=str(group))


def test_the_reference_loses_a_direction_on_the_14_joints(golden: Arrays) -> None:
    # Two of its columns are the real part of one complex pair; ours are all different.
    theirs = golden["casia_posenc_joint"]
    np.testing.assert_array_equal(theirs[:, 1], theirs[:, 2])
    assert np.linalg.matrix_rank(theirs) == 9
    assert np.linalg.matrix_rank(laplacian_encoding(golden["casia_adj"], 10)) == 10


@pytest.mark.parametrize("adjacency", [PATH, STAR], ids=["path", "star"])
def test_any_solver_gives_the_same_encoding(
    adjacency: npt.NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(adjacency) - 1
    usual = laplacian_encoding(adjacency, count)
    solve, generator = np.linalg.eigh, np.random.default_rng(0)

    def other_basis(matrix: npt.NDArray[np.float64]) -> tuple[Any, Any]:
        values, vectors = solve(matrix)
        for value in np.unique(values.round(6)):
            same = np.flatnonzero(np.abs(values - value) < 1e-5)
            turn = np.linalg.qr(generator.normal(size=(len(same), len(same))))[0]
            vectors[:, same] = vectors[:, same] @ turn
        return values, vectors

    monkeypatch.setattr(np.linalg, "eigh", other_basis)
    np.testing.assert_allclose(laplacian_encoding(adjacency, count), usual, atol=1e-9)


def test_fewer_columns_are_the_first_of_more() -> None:
    np.testing.assert_array_equal(laplacian_encoding(STAR, 2), laplacian_encoding(STAR, 5)[:, :2])


def test_a_node_without_edges_stands_alone() -> None:
    alone = np.zeros((3, 3))
    alone[0, 1] = alone[1, 0] = 1
    np.testing.assert_array_equal(normalised_laplacian(alone)[2], [0, 0, 1])
    assert np.isfinite(laplacian_encoding(alone, 2)).all()


@pytest.mark.parametrize(
    ("adjacency", "count", "message"),
    [
        (np.zeros((2, 3)), 1, r"square, \(V, V\), got shape \(2, 3\)"),
        (np.triu(PATH), 1, "must be symmetric"),
        (-PATH, 1, "of at least 0"),
        (PATH * np.nan, 1, "finite"),
        (PATH, 5, "5 nodes has 4 eigenvectors after the first, but got 5"),
        (PATH, 0, "but got 0"),
    ],
)
def test_other_input_is_refused(adjacency: Any, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        laplacian_encoding(adjacency, count)


@pytest.mark.parametrize(
    ("name", "layout_name"), [("casia", "openpose14"), ("ks20", "ntu25"), ("biwi", "kinect20")]
)
def test_joint_graphs_are_the_references(name: str, layout_name: str, golden: Arrays) -> None:
    np.testing.assert_array_equal(joint_adjacency(load_layout(layout_name)), golden[f"{name}_adj"])


def test_kgbds_joint_graph_is_the_references_in_its_own_order(golden: Arrays) -> None:
    ours = joint_adjacency(load_layout("kgbd20"))[np.ix_(KGBD_ORDER, KGBD_ORDER)]
    np.testing.assert_array_equal(ours, golden["kgbd_adj"])
