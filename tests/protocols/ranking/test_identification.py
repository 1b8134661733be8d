"""Rank-k, CMC, AP, mAP, mINP against scikit-learn, a slow oracle and the re-ID golden files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from protocols.ranking.distances import Metric
from protocols.ranking.exclusion import ExclusionRule, same_labels
from protocols.ranking.identification import identify, identify_by_distances


def slow_identification(
    probe: npt.NDArray[Any],
    gallery: npt.NDArray[Any],
    own: list[int],
    enrolled: list[int],
    hidden: npt.NDArray[np.bool_],
) -> list[tuple[int, int, float, float]]:
    """One probe at a time, integer embeddings: (first mate, mates, AP, INP)."""
    outcome = []
    for index, p in enumerate(probe.tolist()):
        seen = [row for row in range(len(gallery)) if not hidden[index, row]]
        distance = {
            row: sum((a - b) ** 2 for a, b in zip(p, gallery[row].tolist(), strict=True))
            for row in seen
        }
        seen.sort(key=lambda row: (distance[row], row))
        places = [i + 1 for i, row in enumerate(seen) if enrolled[row] == own[index]]
        if not places:
            outcome.append((0, 0, float("nan"), float("nan")))
            continue
        precision = [(i + 1) / place for i, place in enumerate(places)]
        outcome.append(
            (places[0], len(places), sum(precision) / len(places), len(places) / places[-1])
        )
    return outcome


@pytest.mark.parametrize("precision", [True, False])
def test_a_mate_beyond_the_depth_is_no_hit(precision: bool) -> None:
    gallery = np.stack([np.arange(1.0, 5.0), np.zeros(4)], axis=1)
    found = identify(
        [[0.0, 0.0]], gallery, ["a"], ["b", "b", "a", "a"], depth=2, precision=precision,
        metric="euclidean",
    )  # fmt: skip
    assert not found.hits(1)[0]
    assert not found.hits(2)[0]


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), people=st.integers(1, 6), hide=...)
def test_everything_equals_the_slow_oracle(seed: int, rows: int, people: int, hide: bool) -> None:
    generator = np.random.default_rng(seed)
    probe, gallery = generator.integers(-2, 3, (6, 2)), generator.integers(-2, 3, (rows, 2))
    own, enrolled = generator.integers(0, people, 6), generator.integers(0, people, rows)
    views = generator.integers(0, 3, 6), generator.integers(0, 3, rows)
    hidden = np.zeros((6, rows), dtype=np.bool_)
    rule: ExclusionRule | None = None
    if hide:
        rule = same_labels((own, enrolled), views)
        hidden = (own[:, None] == enrolled) & (views[0][:, None] == views[1])
    found = identify(
        probe,
        gallery,
        own,
        enrolled,
        exclude=rule,
        depth=7,
        metric="euclidean",
        block_bytes=64 * rows * 2,
    )
    expected = slow_identification(probe, gallery, own.tolist(), enrolled.tolist(), hidden)
    assert found.first_mate.tolist() == [e[0] if e[0] <= 7 else 0 for e in expected]
    assert found.mates.tolist() == [e[1] for e in expected]
    assert found.candidates.tolist() == (~hidden).sum(axis=1).tolist()
    np.testing.assert_allclose(found.average_precision, [e[2] for e in expected], rtol=1e-14)
    np.testing.assert_allclose(found.inverse_penalty, [e[3] for e in expected], rtol=1e-14)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_average_precision_is_that_of_scikit_learn(metric: Metric) -> None:
    generator = np.random.default_rng(7)
    centres = generator.standard_normal((12, 8))
    own, enrolled = generator.integers(0, 12, 50), generator.integers(0, 12, 90)
    probe = centres[own] + generator.standard_normal((50, 8))
    gallery = centres[enrolled] + generator.standard_normal((90, 8))
    found = identify(probe, gallery, own, enrolled, metric=metric)
    left, right = probe, gallery
    if metric == "cosine":
        left = probe / np.linalg.norm(probe, axis=1, keepdims=True)
        right = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    score = -np.linalg.norm(left[:, None] - right[None], axis=2)
    expected = [average_precision_score(enrolled == own[i], score[i]) for i in range(50)]
    np.testing.assert_allclose(found.average_precision, expected, rtol=1e-12)


def test_unmated_probes_count_in_the_cmc_or_not() -> None:
    # Probe 1 finds its mates at ranks 2 and 3 of three; probe 2 is not enrolled.
    probe, gallery = np.array([[0.0], [9.0]]), np.array([[0.0], [1.0], [2.0]])
    found = identify(probe, gallery, [1, 5], [2, 1, 1], depth=3, metric="euclidean")
    np.testing.assert_array_equal(found.cmc(np.array([True, True])), [0.0, 0.5, 0.5])
    np.testing.assert_array_equal(found.cmc(found.mates > 0), [0.0, 1.0, 1.0])
    assert np.isnan(found.cmc(np.array([False, False]))).all()


def test_precision_is_only_there_if_asked_for() -> None:
    found = identify([[1.0]], [[1.0]], ["a"], ["a"], depth=1, precision=False)
    assert found.hits(1).all()
    assert np.isnan([found.average_precision, found.inverse_penalty]).all()
    with pytest.raises(ValueError, match="ranks 1 to 1"):
        found.hits(2)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 probe and 1 gallery identities were given for 1 probe"):
        identify([[1.0]], [[1.0]], [1, 2], [1])


@pytest.mark.parametrize("metric", ["cos", "sqeuc"])
@pytest.mark.parametrize("case", ["cross_condition", "same_condition"])
def test_camera_rule_of_person_reidentification(shared: Path, case: str, metric: str) -> None:
    with np.load(shared / "golden" / "reid" / f"{case}.npz") as golden:
        data = {key: golden[key] for key in golden.files if not key.endswith("_raises")}
    people, cameras = ((data[f"probe_{name}"], data[f"gallery_{name}"]) for name in ("id", "cam"))
    rule = same_labels(people, cameras)
    found = identify(
        data["probe_feat"],
        data["gallery_feat"],
        data["probe_id"],
        data["gallery_id"],
        exclude=rule,
        depth=50,
        metric="cosine" if metric == "cos" else "euclidean",
    )
    mated = found.mates > 0
    prefix = f"market_{metric}_"
    cmc = found.cmc(mated)
    np.testing.assert_allclose(cmc, data[prefix + "cmc"], atol=1e-6)
    np.testing.assert_allclose(found.average_precision[mated], data[prefix + "AP"], atol=1e-6)
    np.testing.assert_allclose(found.inverse_penalty[mated], data[prefix + "INP"], atol=1e-6)
    summary = [
        *cmc[[0, 4, 9]],
        found.average_precision[mated].mean(),
        found.inverse_penalty[mated].mean(),
    ]
    np.testing.assert_allclose(summary, data[prefix + "summary"], atol=1e-6)


def test_depth_deeper_than_the_gallery_is_allowed() -> None:
    found = identify([[1.0]], [[2.0]], [1], [1], depth=20)
    assert found.first_mate.tolist() == [1]


@pytest.mark.parametrize("skip", [0, 1])
def test_equals_identify(skip: int) -> None:
    generator = np.random.default_rng(0)
    probe, gallery = generator.integers(-2, 3, (31, 3)), generator.integers(-2, 3, (70, 3))
    own, enrolled = generator.integers(0, 6, 31), generator.integers(0, 5, 70)
    views = generator.integers(0, 3, 31), generator.integers(0, 3, 70)
    rule = same_labels((own, enrolled), views)
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
