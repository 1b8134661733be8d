"""Exact search of a gallery that several processes hold in parts.

Each process searches its own part for all probes; the parts' answers are joined by distance, then
gallery row. How processes exchange values is the caller's: ``all_gather_object`` of
``torch.distributed``, ``allgather`` of MPI, or anything alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import (
    BLOCK_BYTES,
    Metric,
    Points,
    as_points,
    require_alike,
    to_distance,
)
from protocols.ranking.engines import Device, choose_backend
from protocols.ranking.retrieval import Neighbours, squared_neighbours

Exchange = Callable[[Any], list[Any]]
"""Gives every process the values of all processes, in the order of their ranks."""


def search_shards(
    probe: npt.ArrayLike,
    shard: npt.ArrayLike,
    k: int,
    rank: int,
    exchange: Exchange,
    *,
    metric: Metric = "cosine",
    device: Device = "auto",
    block_bytes: int = BLOCK_BYTES,
) -> Neighbours:
    """As :func:`protocols.ranking.retrieval.search`, of the parts of all processes together.

    The answer is that of one process with the parts one after the other, but that under
    ``euclidean`` the gallery's mean, about which distances are computed, is summed part by part:
    distances closer than 2^-40 of their magnitude may then count as equal in one and not the other.

    Args:
        probe: (P, D) numbers, or (P, C, parts); the same in all processes.
        shard: (G, D) numbers, or (G, C, parts): this process's part of the gallery; it may be empty
            where another's is not.
        k: Neighbours a probe, at least 1; cut to the rows of all parts.
        rank: This process's place among the processes, from 0.
        exchange: How the processes exchange values; all must call this function.
        metric: ``cosine`` or ``euclidean``.
        device: ``auto``, ``cpu`` or ``gpu``.
        block_bytes: Working memory in bytes.

    Returns:
        (P, min(k, rows)) rows, counted over the parts in the order of their ranks, and distances;
        the same in every process.

    Raises:
        ValueError: In every process, if in any the input is wrong; as
            :func:`protocols.ranking.retrieval.search`.

    >>> search_shards([[1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], 1, 0, lambda one: [one]).rows
    array([[1]])
    """
    sides = _agreed(probe, shard, k, exchange, metric, device)
    counts = exchange(len(sides[1]))
    if not sum(counts):
        raise ValueError("The gallery is empty: at least one enrolled embedding is needed.")
    totals = exchange(sides[1].values.sum(axis=0, dtype=np.float64))
    centre = np.zeros_like(totals[0])
    if metric == "euclidean":
        centre = np.sum(totals, axis=0) / sum(counts)
    rows = np.empty((len(sides[0]), 0), np.int64)
    squared = np.empty(rows.shape)
    if len(sides[1]):
        left, right = (replace(one, centre=centre) for one in sides)
        rows, squared = squared_neighbours(left, right, k, device, block_bytes)
    found = exchange((rows + sum(counts[:rank]), squared))
    every, far = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
    # Parts come in the order of their rows, and equal distances in each part too.
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    nearest = np.take_along_axis(every, order, axis=1)
    return Neighbours(nearest, to_distance(np.take_along_axis(far, order, axis=1), metric))


def _agreed(
    probe: npt.ArrayLike,
    shard: npt.ArrayLike,
    k: int,
    exchange: Exchange,
    metric: Metric,
    device: Device,
) -> tuple[Points, Points]:
    """The checked sides; a mistake in one process is raised in all, so that none waits for it."""
    sides: tuple[Points, Points] | None = None
    failure, question = "", ""
    try:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        choose_backend(device, k)
        sides = as_points(probe, metric, "probe"), as_points(shard, metric, "gallery")
        require_alike(*sides)
        values = sides[0].values
        question = f"{k} {metric} {values.shape} {zlib.crc32(values.tobytes())}"
    except ValueError as error:
        failure = str(error)
    answers = exchange((failure, question))
    failures = [other for other, _ in answers if other]
    if failures:
        raise ValueError(failures[0])
    if sides is None or len({other for _, other in answers}) > 1:
        raise ValueError(
            "The probes, k or the metric differ between the processes: give all of them the same."
        )
    return sides
