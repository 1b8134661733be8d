"""Query expansion: the golden files, a slow reading of it, blocks, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ranking.expansion import expand
from protocols.ranking.identification import identify


@pytest.mark.parametrize("block_bytes", [2**26, 1])
@pytest.mark.parametrize(("times", "k", "alpha"), [(1, 5, 3.0), (2, 5, 1.0)])
def test_golden(shared: Path, times: int, k: int, alpha: float, block_bytes: int) -> None:
    with np.load(shared / "golden" / "reid" / "rerank.npz", allow_pickle=False) as archive:
        golden = dict(archive)
    found = golden["probe_feat"], golden["gallery_feat"]
    for _ in range(times):
        found = expand(*found, k=k, alpha=alpha, block_bytes=block_bytes)
    for rows, side in zip(found, ("probe", "gallery"), strict=True):
        expected = golden[f"aqe_t{times}_k{k}_a{alpha}_{side}"]
        np.testing.assert_allclose(rows, expected, atol=1e-6, rtol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 20),
    alpha=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
def test_equals_the_slow_reading(seed: int, k: int, alpha: float) -> None:
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((15, 4)).astype(np.float32)
    unit = rows.astype(float) / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
    found = np.concatenate(expand(rows[:4], rows[4:], k=k, alpha=alpha))
    for index, own in enumerate(unit):
        near = sorted(((float(own @ other), i) for i, other in enumerate(unit)), reverse=True)[:k]
        weighted = [max(cosine, 0.0) ** alpha * rows[i].astype(float) for cosine, i in near]
        np.testing.assert_allclose(found[index], np.mean(weighted, axis=0), atol=1e-6)


def test_one_neighbour_changes_nothing() -> None:
    rows = np.random.default_rng(0).standard_normal((9, 3)).astype(np.float32)
    probe, gallery = expand(rows[:2], rows[2:], k=1)
    np.testing.assert_allclose(np.concatenate([probe, gallery]), rows, rtol=1e-6)


def test_a_set_in_itself_has_each_row_once() -> None:
    rows = np.random.default_rng(2).standard_normal((11, 4)).astype(np.float32)
    probe, gallery = expand(rows, k=3)
    np.testing.assert_array_equal(probe, np.concatenate(expand(rows[:4], rows[4:], k=3)))
    np.testing.assert_array_equal(gallery, probe)
    two, _ = expand(rows, k=2)
    assert not np.allclose(two, rows, atol=1e-3)
    twice, _ = expand(rows, rows, k=2)  # each beside its copy
    np.testing.assert_allclose(twice, rows, rtol=1e-5)


def test_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="takes one vector a sample, and these have 3 parts"):
        expand(np.ones((2, 4, 3)))


def test_it_helps_noisy_people() -> None:
    generator = np.random.default_rng(1)
    person = np.arange(400) % 20
    rows = generator.standard_normal((20, 16))[person] + generator.standard_normal((400, 16))
    scores = []
    for probe, gallery in ((rows[:100], rows[100:]), expand(rows[:100], rows[100:], k=10)):
        found = identify(probe, gallery, person[:100], person[100:])
        scores.append(found.average_precision.mean())
    assert scores[1] > scores[0] + 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k of at least 1, not 0"),
        ({"alpha": -1.0}, "must be 0 or more, not -1.0"),
        ({"alpha": float("inf")}, "must be 0 or more, not inf"),
    ],
)
def test_errors_say_what_is_wrong(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        expand(np.eye(2), np.eye(2), **settings)
    assert ". " not in str(caught.value)
