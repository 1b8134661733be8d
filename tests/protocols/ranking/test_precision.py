"""Ranks of mates: against a stable sort, scikit-learn's AP, and a look past the nearest row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from protocols.ranking.precision import rank_blocks, rank_mates


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), levels=st.integers(1, 60),
    skip=st.integers(0, 3),
)  # fmt: skip
def test_equals_the_stable_sort_and_scikit_learn(
    seed: int, rows: int, levels: int, skip: int
) -> None:
    generator = np.random.default_rng(seed)
    distances = generator.integers(0, levels, (5, rows)).astype(float)
    mate = generator.random((5, rows)) < generator.random()
    found = rank_mates(distances, mate, skip=skip)
    grouped = rank_mates(distances, mate, ties="grouped")
    for i in range(5):
        places = np.flatnonzero(mate[i][np.argsort(distances[i], kind="stable")]) + 1
        if not len(places):
            assert found.first[i] == 0
            assert np.isnan([found.average[i], found.inverse[i], grouped.average[i]]).all()
            continue
        late = places[places > skip]
        assert found.first[i] == (late[0] - skip if len(late) else 0)
        precision = np.arange(1, len(places) + 1) / places
        assert found.average[i] == pytest.approx(precision.mean(), rel=1e-12)
        assert found.inverse[i] == len(places) / places[-1]
        expected = average_precision_score(mate[i], -distances[i])
        assert grouped.average[i] == pytest.approx(expected, rel=1e-12)


def test_hidden_rows_shift_nobody() -> None:
    distances = np.array([[0.1, np.inf, 0.3, 0.2]])
    found = rank_mates(distances, np.array([[False, False, True, False]]))
    assert (found.first[0], found.average[0]) == (3, pytest.approx(1 / 3))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), block=st.integers(1, 4))
def test_junk_is_as_if_it_were_not_in_the_gallery(seed: int, block: int) -> None:
    generator = np.random.default_rng(seed)
    own, enrolled = generator.integers(0, 3, 7), generator.integers(0, 3, 12)
    distances = generator.random((7, 12))
    junk = generator.random((7, 12)) < 0.4  # mates and others alike
    blocks = ((slice(i, i + block), distances[i : i + block].copy()) for i in range(0, 7, block))
    found = rank_blocks(blocks, own, enrolled, lambda rows: junk[rows])
    for i in range(7):
        left = ~junk[i]
        mate = enrolled[left] == own[i]
        places = np.flatnonzero(mate[np.argsort(distances[i, left])]) + 1
        if not len(places):
            assert found.first[i] == 0
            assert np.isnan([found.average[i], found.inverse[i]]).all()
            continue
        precision = average_precision_score(mate, -distances[i, left])
        assert (found.first[i], found.inverse[i]) == (places[0], len(places) / places[-1])
        assert found.average[i] == pytest.approx(precision, rel=1e-12)


def test_no_probe_or_no_mate_at_all() -> None:
    assert len(rank_mates(np.empty((0, 4)), np.empty((0, 4), dtype=bool)).first) == 0
    assert rank_mates(np.ones((2, 3)), np.zeros((2, 3), dtype=bool)).first.tolist() == [0, 0]


def test_settings_and_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="row or grouped"):
        rank_mates(np.ones((1, 1)), np.ones((1, 1), dtype=bool), ties="sorted")  # type: ignore[arg-type]
