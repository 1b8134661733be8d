"""Indices: near the exact answer, and the recall that they say is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from protocols.ranking.approximate import KINDS, Index, Kind
from protocols.ranking.distances import Metric
from protocols.ranking.retrieval import search

pytest.importorskip("faiss")


def people(rows: int, per: int = 20) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """60 probes and a gallery of people, in 32 dimensions."""
    generator = np.random.default_rng(5)
    centres = generator.normal(0, 1, (rows // per, 32))
    who = generator.integers(0, len(centres), 60)
    noisy = [centres[who], np.repeat(centres, per, axis=0)]
    probe, gallery = (each + generator.normal(0, 0.6, each.shape) for each in noisy)
    return probe, gallery


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_found_rows_have_exact_distances_and_the_stated_recall(
    metric: Metric, kind: Kind, dtype: Any
) -> None:
    probe, gallery = people(4000)
    gallery = gallery.astype(dtype)
    found = Index(gallery, kind, metric=metric).search(probe, 5)
    exact = search(probe, gallery, 5, metric=metric)
    same = [len(set(a) & set(b)) for a, b in zip(found.rows, exact.rows, strict=True)]
    assert found.recall == pytest.approx(np.mean(same) / 5)
    assert found.tried == 60
    assert found.recall > 0.95
    agree = found.rows == exact.rows
    np.testing.assert_array_equal(found.distances[agree], exact.distances[agree])


@pytest.mark.parametrize(("kind", "name"), [("ivf", "nprobe"), ("hnsw", "ef_search")])
def test_looking_at_more_buys_recall_and_too_little_is_not_hidden(kind: Kind, name: str) -> None:
    probe, gallery = people(4000)
    indices = (Index(gallery, kind, **{name: count}) for count in (1, 100_000))
    low, high = (index.search(probe, 20, sample=50) for index in indices)
    assert low.recall < high.recall
    assert high.recall == 1.0
    assert f"recall {low.recall:.4f} of the 20 nearest, measured on 50 probes" in str(low)


def test_fewer_rows_than_asked_for_are_infinitely_far() -> None:
    probe, gallery = people(4000)
    found = Index(gallery, "ivf", nprobe=1).search(probe, 300)
    assert ((found.rows == -1) == np.isinf(found.distances)).all()
    assert (found.rows == -1).any()
    assert found.recall < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "lsh"}, "one of ivf, hnsw, not 'lsh'"),
        ({"kind": "hnsw", "device": "gpu"}, "no HNSW on a GPU"),
        ({"kind": "ivf", "nprobe": 0}, "nprobe is for ivf and at least 1, not 0"),
        ({"kind": "ivf", "ef_search": 9}, "ef_search is for hnsw"),
        ({"kind": "ivf", "metric": "euclidean", "gallery": np.ones((3, 2, 2))}, "Several parts"),
    ],
)
def test_what_an_index_cannot_do(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Index(**{"gallery": np.ones((3, 2)), **options})


def test_an_index_needs_a_probe() -> None:
    with pytest.raises(ValueError, match="needs a probe"):
        Index(np.ones((3, 2)), "ivf").search(np.empty((0, 2)), 1)
