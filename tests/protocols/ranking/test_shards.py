"""A gallery in parts is searched as the whole: in threads here, over gloo in `tests/tasks`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from protocols.ranking.distances import Metric
from protocols.ranking.retrieval import search
from protocols.ranking.shards import Exchange, search_shards


def together(count: int, work: Callable[[int, Exchange], Any]) -> list[Any]:
    """The results of the work as done by processes that exchange values."""
    barrier, values = Barrier(count, timeout=20), [None] * count

    def one(rank: int) -> Any:
        def exchange(value: Any) -> list[Any]:
            values[rank] = value
            barrier.wait()
            found = list(values)
            barrier.wait()
            return found

        return work(rank, exchange)

    with ThreadPoolExecutor(count) as pool:
        return [each.result() for each in [pool.submit(one, rank) for rank in range(count)]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("ends", [(150, 300), (0, 1, 300, 300), (290, 300)])
def test_parts_give_what_the_whole_gives(metric: Metric, ends: tuple[int, ...]) -> None:
    generator = np.random.default_rng(3)
    gallery = np.rint(2 * generator.normal(0.5, 1, (300, 6)))
    gallery[:, 0] = 1
    gallery[150:] = gallery[:150]  # every row in two parts: the first wins
    probe = np.rint(2 * generator.normal(0.5, 1, (40, 6))) + 0.5
    parts = np.split(gallery, ends[:-1])
    wanted = search(probe, gallery, 12, metric=metric)
    for found in together(
        len(parts),
        lambda rank, exchange: search_shards(probe, parts[rank], 12, rank, exchange, metric=metric),
    ):
        np.testing.assert_array_equal(found.rows, wanted.rows)
        np.testing.assert_array_equal(found.distances, wanted.distances)


@pytest.mark.parametrize(
    ("probes", "parts", "message"),
    [
        ([[[1.0, 0]], [[1.0, 0]]], [[[1.0, 0]], [[np.nan, 0]]], "gallery embedding in row 0"),
        ([[[1.0, 0]], [[1.0, 1]]], [[[1.0, 0]], [[1.0, 0]]], "probes, k or the metric differ"),
        ([[[1.0, 0]], [[1.0, 0]]], [[[1.0, 0]], [[1.0]]], "2 dimensions and gallery embeddings 1"),
        ([[[1.0, 0]], [[1.0, 0]]], [np.empty((0, 2))] * 2, "The gallery is empty"),
    ],
)
def test_a_mistake_in_one_process_is_told_by_all(
    probes: list[Any], parts: list[Any], message: str
) -> None:
    def sentence(rank: int, exchange: Exchange) -> str:
        with pytest.raises(ValueError, match=message) as caught:
            search_shards(probes[rank], parts[rank], 1, rank, exchange)
        return str(caught.value)

    assert len(set(together(2, sentence))) == 1


def test_processes_that_want_other_neighbours_are_told() -> None:
    def sentence(rank: int, exchange: Exchange) -> str:
        with pytest.raises(ValueError, match="k or the metric differ") as caught:
            search_shards([[1.0, 0]], [[1.0, 0], [1.0, 1]], 1 + rank, rank, exchange)
        return str(caught.value)

    assert len(set(together(2, sentence))) == 1
