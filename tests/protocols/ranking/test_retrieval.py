"""Exact search: the order, the ties, the fallbacks, the errors."""

from __future__ import annotations

import sys
import tracemalloc
import types
import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from protocols.ranking import engines, retrieval
from protocols.ranking.distances import Metric, all_squared, as_pair, distance_blocks, some_squared
from protocols.ranking.engines import Device, choose_backend
from protocols.ranking.retrieval import Neighbours, search

faiss = pytest.importorskip("faiss")


def slow_ranking(probe: npt.NDArray[Any], gallery: npt.NDArray[Any], k: int) -> list[list[int]]:
    """Plain Python, exact fractions, Euclidean; ties by the lowest row."""
    rows = []
    for p in probe.tolist():
        distances = [
            sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(p, g, strict=True))
            for g in gallery.tolist()
        ]
        rows.append(sorted(range(len(distances)), key=lambda row: (distances[row], row))[:k])
    return rows


@pytest.fixture
def no_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without FAISS."""
    monkeypatch.setitem(sys.modules, "faiss", None)


@pytest.fixture
def gpu_faiss(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """FAISS as its GPU build looks, computing on the CPU; lists the k of each search."""
    asked: list[int] = []

    class Flat:
        def __init__(self, index: Any) -> None:
            self._index = index

        def add(self, rows: npt.NDArray[np.float32]) -> None:
            self._index.add(rows)

        def search(self, queries: npt.NDArray[np.float32], k: int) -> Any:
            asked.append(k)
            if k > 2048:
                raise RuntimeError("GPU indices support k <= 2048")
            return self._index.search(queries, k)

    module = types.ModuleType("faiss")
    parts = {
        "IndexFlatL2": faiss.IndexFlatL2,
        "IndexFlatIP": faiss.IndexFlatIP,
        "METRIC_L2": faiss.METRIC_L2,
        "METRIC_INNER_PRODUCT": faiss.METRIC_INNER_PRODUCT,
        "knn": faiss.knn,
        "StandardGpuResources": object,
        "get_num_gpus": lambda: 1,
        "GpuIndexFlatConfig": types.SimpleNamespace,
        "GpuIndexFlatL2": lambda resources, dims, config: Flat(faiss.IndexFlatL2(dims)),
        "GpuIndexFlatIP": lambda resources, dims, config: Flat(faiss.IndexFlatIP(dims)),
    }
    for name, part in parts.items():
        setattr(module, name, part)
    monkeypatch.setitem(sys.modules, "faiss", module)
    engines._gpu_resources.cache_clear()
    yield asked
    engines._gpu_resources.cache_clear()


@pytest.fixture(autouse=True, scope="module", params=["few by NumPy", "all by FAISS"])
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test by both; FAISS is faster for many probes alone."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "all by FAISS":
            patch.setattr(retrieval, "FAISS_NUMBERS", 0)
        yield


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 60), dims=st.integers(1, 4))
def test_integers_with_many_ties_are_ranked_exactly(seed: int, rows: int, dims: int) -> None:
    generator = np.random.default_rng(seed)
    probe = generator.integers(-2, 3, (5, dims))
    gallery = generator.integers(-2, 3, (rows, dims))
    k = int(generator.integers(1, rows + 1))
    found = search(probe, gallery, k, metric="euclidean")
    assert found.rows.tolist() == slow_ranking(probe, gallery, k)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_float32_sums_that_mislead_faiss_are_corrected(metric: Metric) -> None:
    generator = np.random.default_rng(0)
    # A common offset a million times the differences: float32 inner products see noise only.
    # 2001 x 64 query values are enough for FAISS to leave its slower, exact loop for a product.
    base = 1000.0 * generator.standard_normal(64)
    gallery = (base + 1e-2 * generator.standard_normal((400, 64))).astype(np.float32)
    probe = (base + 1e-2 * generator.standard_normal((2001, 64))).astype(np.float32)
    naive = faiss.IndexFlatL2(64)
    naive.add(gallery)
    left, right = probe.astype(np.float64), gallery.astype(np.float64)
    if metric == "cosine":
        left /= np.linalg.norm(left, axis=1, keepdims=True)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
    plain = cdist(left, right, "sqeuclidean")
    expected = np.argsort(plain, axis=1, kind="stable")[:, :5]
    assert (naive.search(probe, 5)[1] != expected).any()
    found = search(probe, gallery, 5, metric=metric)
    if metric == "euclidean":
        np.testing.assert_array_equal(found.rows, expected)
    # Under cosine all vectors lie within 1e-5 of each other, where the tie grid can be seen.
    nearest = np.take_along_axis(plain, found.rows, axis=1)
    np.testing.assert_allclose(nearest, np.sort(plain, axis=1)[:, :5], atol=8e-12)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("kind", ["integers", "normal"])
def test_every_way_to_search_gives_the_same_answer(
    metric: Metric, kind: str, gpu_faiss: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(3)
    probe, gallery = generator.standard_normal((40, 6)), generator.standard_normal((300, 6))
    if kind == "integers":
        probe, gallery = np.rint(2 * probe), np.rint(2 * gallery)
        probe[:, 0], gallery[:, 0] = 1.0, 1.0
    answers: list[Neighbours] = [
        search(probe, gallery, 12, metric=metric, device="gpu"),
        search(probe, gallery, 12, metric=metric, device="cpu"),
        search(probe, gallery, 12, metric=metric, device="cpu", block_bytes=1),
    ]
    assert len(gpu_faiss) == 1
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(retrieval, "FAISS_NUMBERS", 0)
    with pytest.warns(UserWarning, match="FAISS is not installed"):
        answers.append(search(probe, gallery, 12, metric=metric))
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.rows, answers[0].rows)
        np.testing.assert_array_equal(answer.distances, answers[0].distances)


def test_both_distance_functions_agree() -> None:
    generator = np.random.default_rng(1)
    probe, gallery = as_pair(
        generator.standard_normal((7, 16)), generator.standard_normal((50, 16)), "cosine"
    )
    blocks = list(distance_blocks(probe, gallery, block_bytes=64 * 50 * 3))
    assert [block.stop - block.start for block, _ in blocks] == [3, 3, 1]
    rows = np.tile(np.arange(50), (7, 1))
    np.testing.assert_array_equal(
        np.concatenate([matrix for _, matrix in blocks]), some_squared(probe, gallery, rows)
    )


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_distances_are_those_of_the_metric(metric: Metric) -> None:
    generator = np.random.default_rng(2)
    probe, gallery = generator.standard_normal((4, 8)), generator.standard_normal((30, 8))
    found = search(probe, gallery, 30, metric=metric)
    left, right = probe.astype(np.float32).astype(float), gallery.astype(np.float32).astype(float)
    if metric == "cosine":
        norms = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)
        expected = 1.0 - left @ right.T / norms
    else:
        expected = np.linalg.norm(left[:, None] - right, axis=2)
    np.testing.assert_allclose(
        found.distances, np.take_along_axis(expected, found.rows, axis=1), atol=1e-10
    )
    assert (np.diff(found.distances, axis=1) >= 0).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_parts_are_compared_one_by_one_and_averaged(metric: Metric) -> None:
    generator = np.random.default_rng(1)
    probe, gallery = generator.standard_normal((6, 5, 3)), generator.standard_normal((40, 5, 3))
    found = search(probe, gallery, 40, metric=metric, block_bytes=4000)
    expected = np.mean([cdist(probe[..., p], gallery[..., p], metric) for p in range(3)], axis=0)
    order = np.argsort(expected, axis=1)
    np.testing.assert_array_equal(found.rows, order)
    sorted_ = np.take_along_axis(expected, order, axis=1)
    np.testing.assert_allclose(found.distances, sorted_, atol=1e-6)
    beside = search(probe.reshape(6, -1), gallery.reshape(40, -1), 40, metric=metric)
    assert (beside.rows != found.rows).any()


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e17, 1e25])
@pytest.mark.parametrize(("values", "spread"), [(2, 0.0), (6, 0.0), (9, 1e-6)])
def test_candidates_of_parts_are_those_of_the_whole_matrix(
    scale: float, values: int, spread: float
) -> None:
    generator = np.random.default_rng(values)
    shape = (60, 3, 4)
    probe, gallery = (
        scale * (generator.integers(0, values, shape) + spread * generator.standard_normal(shape))
        for _ in range(2)
    )
    points = as_pair(probe, gallery, "euclidean")
    for k in (1, 3, 20, 60):
        found = search(probe, gallery, k, metric="euclidean", block_bytes=3000)
        rows, squared = retrieval._rank_everything(*points, k, 2**20)
        np.testing.assert_array_equal(found.rows, rows)
        np.testing.assert_allclose(found.distances, np.sqrt(squared), rtol=1e-11)


def test_more_than_the_first_candidates_are_measured_only_where_these_prove_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = []

    def some(probe: Any, gallery: Any, rows: npt.NDArray[np.int64]) -> Any:
        measured.append(rows.shape)
        return some_squared(probe, gallery, rows)

    monkeypatch.setattr(retrieval, "some_squared", some)
    gallery = np.eye(64, dtype=np.float32)
    gallery[1:9] = gallery[0] + 1e-6 * gallery[1:9]  # nearer to each other than float32 tells
    assert search(np.eye(64)[[0, 40]], gallery, 1).rows.tolist() == [[0], [40]]
    assert measured == [(2, 4), (1, 18)]


def test_parts_in_another_order_are_still_a_tie() -> None:
    gallery = np.random.default_rng(2).integers(-5, 6, (1, 4, 7)).astype(np.float64)
    gallery = np.concatenate(
        [gallery[:, :, np.random.default_rng(i).permutation(7)] for i in range(20)]
    )
    for metric in ("euclidean", "cosine"):
        found = search(np.ones((1, 4, 7)), gallery, 20, metric=metric)
        assert found.rows[0].tolist() == list(range(20))


def test_rows_of_one_direction_tie_under_cosine() -> None:
    direction = np.array([0.3, -1.7, 0.11])
    gallery = np.stack([np.array([0.0, 1.0, 0.0]), 7.1 * direction, 0.013 * direction, direction])
    np.testing.assert_array_equal(search(3.3 * direction[None], gallery, 3).rows, [[1, 2, 3]])


def test_k_is_cut_to_the_gallery() -> None:
    assert search(np.eye(2), np.eye(2), 10).rows.shape == (2, 2)


def test_gpu_limit_is_respected(gpu_faiss: list[int]) -> None:
    generator = np.random.default_rng(4)
    probe, gallery = generator.standard_normal((2, 3)), generator.standard_normal((2500, 3))
    expected = slow_ranking(
        probe.astype(np.float32), gallery.astype(np.float32), 1500
    )  # fetches more than 2048 unless it is held back
    assert search(probe, gallery, 1500, metric="euclidean").rows.tolist() == expected
    assert gpu_faiss == [2048]
    assert choose_backend("auto", 2048) == "faiss-gpu"
    assert choose_backend("auto", 2049) == "faiss-cpu"
    assert choose_backend("cpu") == "faiss-cpu"
    with pytest.raises(ValueError, match="at most 2048 neighbours on a GPU, not 2049"):
        choose_backend("gpu", 2049)


def test_backends_on_this_machine() -> None:
    has_gpu = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    assert choose_backend("auto") == ("faiss-gpu" if has_gpu else "faiss-cpu")
    if not has_gpu:
        with pytest.raises(ValueError, match="FAISS sees no GPU here"):
            choose_backend("gpu")


@pytest.mark.gpu
def test_gpu_equals_cpu() -> None:
    if choose_backend() != "faiss-gpu":
        pytest.skip("FAISS sees no GPU here")
    generator = np.random.default_rng(5)
    probe, gallery = generator.standard_normal((300, 64)), generator.standard_normal((9000, 64))
    metrics: tuple[Metric, ...] = ("euclidean", "cosine")
    for metric in metrics:
        on_gpu = search(probe, gallery, 20, metric=metric, device="gpu")
        on_cpu = search(probe, gallery, 20, metric=metric, device="cpu")
        np.testing.assert_array_equal(on_gpu.rows, on_cpu.rows)


def test_without_faiss_one_sentence_says_so(no_faiss: None) -> None:
    assert choose_backend() == "numpy"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = search([[1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], 1).rows
    assert rows.tolist() == [[1]]
    # NumPy searches for few probes with FAISS, too.
    said = [] if retrieval.FAISS_NUMBERS else [0]
    assert [str(item.message).count(". ") for item in caught] == said


def test_an_emptied_faiss_folder_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", types.ModuleType("faiss"))
    assert choose_backend() == "numpy"


@pytest.mark.parametrize(
    ("probe", "gallery", "k", "metric", "device", "message"),
    [
        ([[np.nan, 1]], [[1, 1]], 1, "cosine", "auto", "probe embedding in row 0 is not finite"),
        ([[1, 1]], [[1, 1], [1, np.inf]], 1, "cosine", "auto", "gallery embedding in row 1"),
        ([[1, 1e300]], [[1, 1]], 1, "euclidean", "auto", "probe embedding in row 0"),
        ([[1, 1]], [[1, 1, 1]], 1, "cosine", "auto", "have 2 dimensions and gallery embeddings 3"),
        ([[1, 1]], np.empty((0, 2)), 1, "cosine", "auto", "The gallery is empty"),
        ([[0, 0]], [[1, 1]], 1, "cosine", "auto", "all zeros"),
        ([1, 1], [[1, 1]], 1, "cosine", "auto", r"shape \(N, D\)"),
        ([["a"]], [[1]], 1, "cosine", "auto", "numeric array"),
        ([[1]], [[1]], 0, "cosine", "auto", "k must be at least 1"),
        ([[1]], [[1]], 1, "manhattan", "auto", "euclidean, cosine"),
        ([[1]], [[1]], 1, "cosine", "tpu", "auto, cpu or gpu"),
    ],
)
def test_errors_say_what_is_wrong(
    probe: Any, gallery: Any, k: int, metric: Metric, device: Device, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        search(probe, gallery, k, metric=metric, device=device)
    assert str(caught.value).endswith(".")
    assert ". " not in str(caught.value)


def test_zeros_are_a_point_like_any_other_under_euclidean() -> None:
    assert search([[0, 0]], [[3, 4], [0, 1]], 2, metric="euclidean").rows.tolist() == [[1, 0]]


def test_values_beyond_float32_sums_are_still_ranked() -> None:
    gallery = np.array([[3e30, 0.0], [1e30, 0.0], [2e30, 1e30]])
    found = search([[0.9e30, 0.0]], gallery, 2, metric="euclidean")
    assert found.rows.tolist() == [[1, 2]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("offset", [0.0, 0.3, 100.0])
def test_a_gallery_that_is_searched_as_it_is(metric: Metric, offset: float) -> None:
    generator = np.random.default_rng(3)
    rows = generator.normal(offset, 1, (300, 16))
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[150:] = rows[:150]  # every row twice: the first wins
    found = search(rows[:50], rows, 3, metric=metric)
    distances = all_squared(*as_pair(rows[:50], rows, metric))
    np.testing.assert_array_equal(found.rows, np.argsort(distances, axis=1, kind="stable")[:, :3])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("parts", [1, 2])
def test_rows_whose_float32_sums_overflow_are_not_left_out(parts: int) -> None:
    generator = np.random.default_rng(0)
    points = (
        generator.normal(0, 1, (320, 64, parts))
        * 10.0 ** generator.integers(17, 20, 320)[:, None, None]
    )
    found = search(points[:20], points[20:], 50, metric="euclidean").rows
    ((_, squared),) = distance_blocks(*as_pair(points[:20], points[20:], "euclidean"))
    np.testing.assert_array_equal(found, np.argsort(squared, axis=1, kind="stable")[:, :50])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_float16_gallery_is_searched_as_the_same_values_in_float32(
    metric: Metric, offset: float, device: Device, gpu_faiss: list[int]
) -> None:
    generator = np.random.default_rng(3)
    rows = generator.normal(offset, 1, (9000, 16)).astype(np.float16)
    rows[8000:] = rows[:1000]
    found = search(rows[:50], rows, 7, metric=metric, device=device)
    wanted = search(rows[:50].astype(np.float32), rows.astype(np.float32), 7, metric=metric)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.distances, wanted.distances)


def test_a_float16_gallery_is_never_copied_whole() -> None:
    gallery = np.random.default_rng(0).normal(0, 1, (60_000, 128)).astype(np.float16)
    tracemalloc.start()
    search(gallery[:4], gallery, 1, metric="cosine", device="cpu", block_bytes=2**20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < gallery.nbytes


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_several_gpus_hold_a_part_each(
    metric: Metric, dtype: Any, gpu_faiss: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[int, bool, Any]] = []

    def card(kind: int) -> Any:
        def flat(resources: Any, dims: int, config: Any) -> Any:
            coder = faiss.ScalarQuantizer.QT_fp16
            index = faiss.IndexFlat(dims, kind)
            if config.useFloat16:
                index = faiss.IndexScalarQuantizer(dims, coder, kind)
            held.append((config.device, config.useFloat16, index))
            return index

        return flat

    module = sys.modules["faiss"]
    for name, part in {
        "get_num_gpus": lambda: 3,
        "IndexShards": faiss.IndexShards,
        "GpuIndexFlatL2": card(faiss.METRIC_L2),
        "GpuIndexFlatIP": card(faiss.METRIC_INNER_PRODUCT),
    }.items():
        monkeypatch.setattr(module, name, part, raising=False)
    rows = np.random.default_rng(8).normal(0, 1, (1000, 16)).astype(dtype)
    rows[500:] = rows[:500]
    found = search(rows[:40], rows, 5, metric=metric, device="gpu")
    wanted = search(rows[:40], rows, 5, metric=metric, device="cpu")
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.distances, wanted.distances)
    assert [(device, half) for device, half, _ in held] == [
        (device, dtype == np.float16) for device in range(3)
    ]
    assert [index.ntotal for *_, index in held] == [334, 334, 332]


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """FAISS's OpenBLAS takes the processor for an old one."""
    found = [
        {"filepath": "/site-packages/faiss_cpu.libs/libopenblas.so", "architecture": "Prescott"},
        {"filepath": "/site-packages/numpy.libs/libopenblas.so", "architecture": "Haswell"},
        {"filepath": "/site-packages/faiss_cpu.libs/libgomp.so"},
    ]
    monkeypatch.setattr(engines, "threadpool_info", lambda: found)
    engines.old_product.cache_clear()
    yield
    engines.old_product.cache_clear()


@pytest.mark.parametrize(("probes", "asked"), [(127, 0), (128, 1)])
def test_faiss_is_not_asked_for_few_probes(
    monkeypatch: pytest.MonkeyPatch, probes: int, asked: int
) -> None:
    monkeypatch.setattr(retrieval, "FAISS_NUMBERS", 1024)
    calls = []

    def knn(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return real(*given, **named)

    real = faiss.knn
    monkeypatch.setattr(faiss, "knn", knn)
    search(np.eye(8).repeat(16, axis=0)[:probes], np.eye(8), 1, device="cpu")
    assert len(calls) == asked


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("size", [5, 300, 9000])
def test_numpy_searches_where_the_product_of_faiss_is_old(
    old_kernel: None, metric: Metric, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engines.old_product() == "Prescott"
    assert choose_backend() == "numpy"
    generator = np.random.default_rng(9)
    probe, gallery = generator.normal(0, 1, (20, 8)), generator.normal(0, 1, (size, 8))
    gallery[size // 2 :] = gallery[: size - size // 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = search(probe, gallery, 7, metric=metric)
    monkeypatch.setattr(retrieval, "choose_backend", lambda *_: "faiss-cpu")
    wanted = search(probe, gallery, 7, metric=metric)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.distances, wanted.distances)
