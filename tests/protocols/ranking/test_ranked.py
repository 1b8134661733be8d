"""Identification from given distances equals identification from the embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import cdist

from protocols.ranking.exclusion import same_identity_and_group
from protocols.ranking.identification import identify
from protocols.ranking.ranked import identify_by_distances


@pytest.mark.parametrize("skip", [0, 1])
def test_equals_identify(skip: int) -> None:
    generator = np.random.default_rng(0)
    probe, gallery = generator.integers(-2, 3, (31, 3)), generator.integers(-2, 3, (70, 3))
    own, enrolled = generator.integers(0, 6, 31), generator.integers(0, 5, 70)
    views = generator.integers(0, 3, 31), generator.integers(0, 3, 70)
    rule = same_identity_and_group(own, enrolled, *views)
    matrix = cdist(probe, gallery, "sqeuclidean")
    blocks = [(slice(i, min(i + 8, 31)), matrix[i : i + 8]) for i in range(0, 31, 8)]
    found = identify_by_distances(blocks, own, enrolled, exclude=rule, depth=7, skip=skip)
    expected = identify(
        probe, gallery, own, enrolled, exclude=rule, depth=7, metric="euclidean", skip=skip
    )
    assert (found.mates == 0).any()
    for name in ("first_mate", "mates", "candidates", "average_precision", "inverse_penalty"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([(slice(0, 1), np.zeros((1, 3)))], "end at probe 1, but there are 2"),
        ([(slice(1, 2), np.zeros((1, 3)))], "probes 1 to 2 came where one from probe 0 on"),
        ([(slice(0, 2), np.zeros((2, 3))), (slice(0, 2), np.zeros((2, 3)))], "from probe 2 on"),
        ([(slice(0, 3), np.zeros((3, 3)))], "of 2 probes in all"),
        ([(slice(0, 2), np.zeros((2, 4)))], r"have shape \(2, 4\), but the gallery has 3 rows"),
        ([(slice(0, 2), np.full((2, 3), np.nan))], "is not a number"),
    ],
)
def test_blocks_that_do_not_fit(blocks: list[tuple[slice, npt.NDArray[Any]]], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        identify_by_distances(blocks, [1, 2], [1, 2, 3])
    assert ". " not in str(caught.value)


def test_settings_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1"):
        identify_by_distances([], [1], [1], depth=0)
    with pytest.raises(ValueError, match="The gallery is empty"):
        identify_by_distances([], [1], np.empty(0, dtype=np.int64))
