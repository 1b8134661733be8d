"""k-reciprocal re-ranking: the golden files, a slow reading of it, blocks, memory, errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from protocols.ranking import reciprocal, reranking
from protocols.ranking.distances import Metric
from protocols.ranking.exclusion import same_labels
from protocols.ranking.identification import Identification, identify, identify_by_distances
from protocols.ranking.reranking import Form, rerank

METRICS: dict[str, Metric] = {"sqeuc": "euclidean", "cos": "cosine"}
Matrix = npt.NDArray[np.float64]


@pytest.fixture
def golden(shared: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(shared / "golden" / "reid" / "rerank.npz", allow_pickle=False) as archive:
        return dict(archive)


def whole(probe: npt.ArrayLike, gallery: npt.ArrayLike | None, **settings: Any) -> Matrix:
    blocks = list(rerank(probe, gallery, **settings))
    rows = [row for block, _ in blocks for row in range(block.start, block.stop)]
    assert rows == list(range(len(np.asarray(probe))))
    return np.concatenate([distances for _, distances in blocks])


def market(golden: dict[str, npt.NDArray[Any]], distances: Matrix) -> Identification:
    sides = ("probe_id", "gallery_id", "probe_cam", "gallery_cam")
    own, enrolled, cameras, stored = (golden[name] for name in sides)
    return identify_by_distances(
        [(slice(0, len(own)), distances)],
        own,
        enrolled,
        exclude=same_labels((own, enrolled), (cameras, stored)),
        depth=50,
    )


def check_market(golden: dict[str, npt.NDArray[Any]], name: str, found: Identification) -> None:
    mated = found.mates > 0
    np.testing.assert_allclose(found.cmc(mated), golden[f"{name}_cmc"], atol=1e-6)
    np.testing.assert_allclose(found.average_precision[mated], golden[f"{name}_AP"], atol=1e-6)
    np.testing.assert_allclose(found.inverse_penalty[mated], golden[f"{name}_INP"], atol=1e-6)


@pytest.mark.parametrize("block_bytes", [2**26, 1])
@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (10, 3, 0.5), (8, 1, 0.3)])
@pytest.mark.parametrize("name", ["sqeuc", "cos"])
def test_matrix_form_is_golden(
    golden: dict[str, Any], name: str, k1: int, k2: int, weight: float, block_bytes: int
) -> None:
    found = whole(
        golden["probe_feat"],
        golden["gallery_feat"],
        k1=k1,
        k2=k2,
        weight=weight,
        metric=METRICS[name],
        block_bytes=block_bytes,
    )
    key = f"rerank_{name}_k{k1}_{k2}_l{weight}"
    np.testing.assert_allclose(found, golden[key], atol=1e-6)
    check_market(golden, key, market(golden, found))


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (10, 3)])
@pytest.mark.parametrize(("name", "metric"), [("raw", "euclidean"), ("l2", "cosine")])
def test_jaccard_of_features_is_golden(
    golden: dict[str, Any], name: str, metric: Metric, k1: int, k2: int
) -> None:
    found = whole(
        golden["probe_feat"],
        golden["gallery_feat"],
        k1=k1,
        k2=k2,
        weight=0.0,
        metric=metric,
        form="features",
    )
    np.testing.assert_allclose(found, golden[f"jaccard_{name}_k{k1}_{k2}"], atol=1e-6)


def test_features_form_is_golden(golden: dict[str, Any]) -> None:
    found = whole(golden["probe_feat"], golden["gallery_feat"], form="features")
    key = "fastreid_final_cos_k20_6_l0.3"
    np.testing.assert_allclose(found, golden[key], atol=1e-6)
    check_market(golden, key, market(golden, found))


def slow_rerank(
    points: Matrix, probes: int, k1: int, k2: int, weight: float, form: str, metric: str
) -> Matrix:
    """The definition in sets and loops, on dense float64 distances without ties; (N, C, P)."""
    if metric == "cosine":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
        squared = np.mean([cdist(part.T, part.T, "sqeuclidean") for part in points.T], axis=0)
    else:
        squared = np.mean([cdist(part.T, part.T) for part in points.T], axis=0) ** 2
    order = np.argsort(squared, axis=1, kind="stable")
    wide, narrow = (k1 if form == "features" else k1 + 1), round(k1 / 2) + 1
    if form == "features":
        order = order[:, :k1]
    share = squared
    if form == "matrix":
        share = (squared / squared.max(axis=1, keepdims=True)) ** 2
    if form == "opengait":
        plain = squared if metric == "cosine" else np.sqrt(squared)
        share = plain / plain.max(axis=1, keepdims=True)

    def mutual(row: int, k: int) -> set[int]:
        return {int(other) for other in order[row, :k] if row in order[other, :k]}

    encoding = np.zeros_like(squared)
    for row in range(len(points)):
        base = mutual(row, wide)
        grown = set(base)
        for member in base:
            small = mutual(member, narrow)
            if 3 * len(small & base) > 2 * len(small):
                grown |= small
        near = sorted(grown)
        encoding[row, near] = np.exp(-share[row, near])
        encoding[row] /= encoding[row].sum()
    mean = np.stack([encoding[order[row, :k2]].mean(axis=0) for row in range(len(points))])
    distances = np.empty((probes, len(points) - probes))
    for row in range(probes):
        low = np.minimum(mean[row], mean[probes:]).sum(axis=1)
        high = np.maximum(mean[row], mean[probes:]).sum(axis=1)
        distances[row] = 1 - low / high
    original = share / 2 if (form, metric) == ("features", "cosine") else share
    final: Matrix = (1 - weight) * distances + weight * original[:probes, probes:]
    return final


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    probes=st.integers(1, 8),
    gallery=st.integers(1, 25),
    k1=st.integers(1, 30),
    k2=st.integers(1, 8),
    form=st.sampled_from(["matrix", "features", "opengait"]),
    metric=st.sampled_from(["cosine", "euclidean"]),
    parts=st.sampled_from([1, 1, 3]),
    block_bytes=st.sampled_from([1, 5000, 2**26]),
)
def test_equals_the_slow_reading(
    seed: int,
    probes: int,
    gallery: int,
    k1: int,
    k2: int,
    form: Form,
    metric: Metric,
    parts: int,
    block_bytes: int,
) -> None:
    generator = np.random.default_rng(seed)
    points = generator.standard_normal((probes + gallery, 5, parts)).astype(np.float32)
    found = whole(
        points[:probes],
        points[probes:],
        k1=k1,
        k2=k2,
        metric=metric,
        form=form,
        block_bytes=block_bytes,
    )
    expected = slow_rerank(points.astype(np.float64), probes, k1, k2, 0.3, form, metric)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("form", ["matrix", "features"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_set_in_itself_has_each_row_once(form: Form, metric: Metric) -> None:
    points = np.random.default_rng(3).standard_normal((17, 5)).astype(np.float32)
    found = whole(points, None, k1=4, k2=3, metric=metric, form=form, block_bytes=5000)
    assert found.shape == (17, 17)
    for cut in (1, 8):  # the same neighbours, wherever probes end and the gallery begins
        parts = whole(points[:cut], points[cut:], k1=4, k2=3, metric=metric, form=form)
        np.testing.assert_allclose(found[:cut, cut:], parts, atol=1e-6)
    beside_copies = whole(points, points, k1=4, k2=3, metric=metric, form=form)
    assert not np.allclose(found, beside_copies, atol=1e-3)


def test_block_size_changes_no_bit_of_the_distances() -> None:
    generator = np.random.default_rng(0)
    probe, gallery = generator.integers(-1, 2, (30, 5)), generator.integers(-1, 2, (90, 5))
    probe[:, 0] = gallery[:, 0] = 1
    forms: tuple[Form, ...] = ("matrix", "features")
    for form in forms:
        one = whole(probe, gallery, form=form, weight=0.0)
        many = whole(probe, gallery, form=form, weight=0.0, block_bytes=1)
        np.testing.assert_array_equal(one, many)


def test_more_copies_of_a_row_than_places_in_its_list() -> None:
    gallery = np.concatenate([np.tile([[1.0, 0.2, 0.1]], (12, 1)), np.eye(3)])
    found = whole(gallery[:1], gallery, k1=3, k2=1)
    assert np.isfinite(found).all()
    assert found[0, 0] == found.min()
    everything_equal = whole(gallery[:2], gallery[2:5], k1=2, k2=2, metric="euclidean")
    assert ((everything_equal >= 0) & (everything_equal <= 0.7)).all()


def test_it_helps_where_people_form_chains() -> None:
    """Two people walk along two parallel lines: near rows link far rows of the same person."""
    generator = np.random.default_rng(1)
    along = np.tile(np.linspace(0, 6, 60), 2)
    person = np.repeat([0, 1], 60)
    rows = np.stack([along, 1.2 * person], axis=1) + 0.05 * generator.standard_normal((120, 2))
    chosen = np.arange(120) % 6 == 0
    plain = identify(
        rows[chosen], rows[~chosen], person[chosen], person[~chosen], metric="euclidean"
    )
    blocks = rerank(rows[chosen], rows[~chosen], k1=10, k2=3, metric="euclidean", block_bytes=9000)
    better = identify_by_distances(blocks, person[chosen], person[~chosen])
    assert better.average_precision.mean() > plain.average_precision.mean()


def test_blocks_keep_to_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    gallery = generator.standard_normal((400, 8))
    seen: list[int] = []
    original = reranking._jaccard

    def watched(encoding: Any, inverted: Any) -> Any:
        hits = inverted[encoding.indices].nnz
        seen.append(112 * encoding.shape[0] * inverted.shape[1] + 64 * hits)
        return original(encoding, inverted)

    monkeypatch.setattr(reranking, "_jaccard", watched)
    list(rerank(gallery[:50], gallery, block_bytes=600_000))
    assert len(seen) > 3
    assert max(seen) <= 600_000
    assert sorted(seen)[1] > 300_000  # and use it, but for the last


def test_mutual_neighbours_keep_to_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = np.random.default_rng(2).standard_normal((400, 8))
    seen: list[int] = []
    original = reciprocal._grow

    def watched(mutual: Any, smaller: Any) -> Any:
        seen.append(mutual.shape[0])
        return original(mutual, smaller)

    monkeypatch.setattr(reciprocal, "_grow", watched)
    list(rerank(gallery[:50], gallery[50:], k1=20, block_bytes=600_000))
    a_row = 64 * 21 * (11 + 1)  # 20 neighbours and itself, and half as many of each of them
    assert seen[0] == 600_000 // a_row
    assert sum(seen) == 400


@settings(max_examples=50, deadline=None)
@example(costs=[5, 6], limit=10)
@given(costs=st.lists(st.integers(1, 40), max_size=12), limit=st.integers(1, 60))
def test_rows_of_different_cost_fill_their_blocks(costs: list[int], limit: int) -> None:
    blocks = list(reciprocal.weighted_blocks(np.array(costs, dtype=np.int64), limit))
    assert [row for block in blocks for row in range(len(costs))[block]] == list(range(len(costs)))
    for block in blocks:
        assert sum(costs[block]) <= limit or block.stop - block.start == 1
        assert block.stop == len(costs) or sum(costs[block.start : block.stop + 1]) > limit


PEAK = """
from pathlib import Path
import numpy as np
from protocols.ranking.reranking import rerank

def kib(field):  # VmHWM, and not ru_maxrss, which a child inherits from pytest
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index(field + ":") + 1])

generator = np.random.default_rng(0)
people = generator.standard_normal((1500, 32))
rows = (people[np.arange(15_000) % 1500] + generator.standard_normal((15_000, 32))).astype("f4")
for _ in rerank(rows[:50], rows[50:150]):  # everything is loaded once
    pass
before = kib("VmRSS")
for _, block in rerank(rows[:300], rows[300:], block_bytes=2**24):
    assert block.shape[1] == 14_700
print(kib("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_peak_memory_is_far_below_the_matrix() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, timeout=120
    )
    peak = 1024 * int(done.stdout)
    print(f"peak {peak / 2**20:.0f} MiB")
    dense = 15_000**2 * 4
    assert peak < dense / 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k1": 0}, "k1 of at least 1, not 0"),
        ({"k2": 0}, "k2 of at least 1, not 0"),
        ({"weight": 1.5}, "must be 0 to 1, not 1.5"),
        ({"weight": float("nan")}, "must be 0 to 1, not nan"),
        ({"form": "jaccard"}, "matrix, features, opengait, not 'jaccard'"),
        ({"metric": "dot"}, "metric must be one of"),
    ],
)
def test_errors_say_what_is_wrong(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        rerank(np.eye(3), np.eye(3), **settings)
    assert ". " not in str(caught.value)


def test_bad_embeddings_are_named_by_their_side() -> None:
    with pytest.raises(ValueError, match="gallery embedding in row 1 is not finite"):
        rerank(np.eye(2), [[1.0, 1.0], [np.nan, 1.0]])
