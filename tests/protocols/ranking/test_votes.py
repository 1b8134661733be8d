from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protocols.ranking.votes import neighbour_votes


@pytest.mark.parametrize("neighbours", [1, 10, 20])
def test_golden_votes(neighbours: int, shared: Path) -> None:
    with np.load(shared / "golden" / "actclr" / "loss.npz") as golden:
        bank, labels = golden["knn/bank"].T, golden["knn/labels"]
        queries, expected = golden["knn/query"], golden[f"knn/pred_k{neighbours}"]
    votes = neighbour_votes(bank, labels, 3 * queries, classes=5, neighbours=neighbours)
    np.testing.assert_array_equal(np.argsort(-votes, axis=1, kind="stable"), expected)


def test_a_small_bank_votes_whole() -> None:
    votes = neighbour_votes(np.eye(3), np.array([0, 1, 1]), np.ones((1, 3)), classes=2)
    assert votes[0, 1] == pytest.approx(2 * votes[0, 0])


@pytest.mark.parametrize(
    ("bank", "message"),
    [(np.zeros((2, 3)), "zero or not finite"), (np.ones((2, 4)), "voting needs a bank")],
)
def test_bad_embeddings_are_refused(bank: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neighbour_votes(bank, np.array([0, 1]), np.ones((1, 3)), classes=2)


def test_the_lowest_temperature_leaves_the_nearest() -> None:
    votes = neighbour_votes(
        np.eye(2), np.array([0, 1]), np.array([[1.0, 2.0]]), classes=2, temperature=1e-30
    )
    assert votes.tolist() == [[0, 1]]
