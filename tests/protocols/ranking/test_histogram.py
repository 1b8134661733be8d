from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from protocols.ranking.exclusion import same_labels
from protocols.ranking.histogram import count_distances

PEOPLE = np.array(list("aabbccdd"))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_as_many_as_in_the_whole_matrix(
    metric: Literal["cosine", "euclidean"], block_bytes: int
) -> None:
    rng = np.random.default_rng(0)
    probe, gallery = rng.normal(size=(8, 3)), rng.normal(size=(6, 3))
    found = count_distances(
        probe,
        gallery,
        PEOPLE,
        PEOPLE[:6],
        exclude=same_labels((np.arange(8), np.arange(6))),
        metric=metric,
        bins=7,
        block_bytes=block_bytes,
    )
    matrix = cdist(probe, gallery, metric)
    seen = np.ones((8, 6), dtype=bool)
    np.fill_diagonal(seen, val=False)
    mate = PEOPLE[:, None] == PEOPLE[None, :6]
    for counts, chosen in ((found.genuine, seen & mate), (found.impostor, seen & ~mate)):
        assert counts.sum() == chosen.sum()
        expected, _ = np.histogram(matrix[chosen], found.edges)
        np.testing.assert_array_equal(counts, expected)
    assert len(found.genuine) <= 7
    assert found.edges[0] <= matrix[seen].min()
    assert found.edges[-1] >= matrix[seen].max()
    both = found.genuine + found.impostor
    assert both[0] > 0
    assert both[-1] > 0


def test_the_nearest_and_the_farthest_pair_have_a_bin() -> None:
    found = count_distances([[1.0, 0]], [[1.0, 0], [-1.0, 0]], "a", ["a", "b"], bins=4)
    assert found.genuine.tolist() == [1, 0, 0, 0]
    assert found.impostor.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(found.edges, [0, 0.5, 1, 1.5, 2])


def test_no_pair_and_no_bin() -> None:
    alone = same_labels(([0], [0]))
    found = count_distances([[1.0]], [[1.0]], "a", "a", exclude=alone)
    assert (found.genuine.tolist(), found.impostor.tolist()) == ([0], [0])
    with pytest.raises(ValueError, match="at least one bin"):
        count_distances([[1.0]], [[1.0]], "a", "a", bins=0)
