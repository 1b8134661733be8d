from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.ranking.distances import Metric, as_pair, distance_blocks
from protocols.ranking.exclusion import ExclusionRule, same_labels
from protocols.ranking.identification import (
    Identification,
    identify,
    identify_by_distances,
    identify_in_parts,
)
from protocols.ranking.layout import lay_out, split_rows
from protocols.ranking.precision import Ties
from protocols.ranking.proven import every, product
from protocols.ranking.proven.every import all_mates
from protocols.ranking.proven.first import first_mates

FIELDS = ("first_mate", "mates", "candidates", "average_precision", "inverse_penalty")


def exactly(probe: Any, gallery: Any, people: Any, metric: Metric, **ranks: Any) -> Identification:
    blocks = distance_blocks(*as_pair(probe, gallery, metric))
    return identify_by_distances(blocks, *people, **ranks)


def agree(found: Identification, wanted: Identification, precision: bool) -> None:
    for name in FIELDS if precision else FIELDS[:3]:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 24), st.integers(1, 4)),
    scale=st.sampled_from([0, 1, 1e-20, 1e3, 1e30]),
    metric=st.sampled_from(["cosine", "euclidean"]),
    ties=st.sampled_from(["row", "grouped"]),
    hides=st.booleans(),
    precision=st.booleans(),
    skip=st.integers(0, 2),
    parts=st.integers(1, 3),
    most=st.sampled_from([None, 0.25, 1e9]),
)
def test_as_the_exact_ranking(
    seed: int,
    sizes: tuple[int, int, int],
    scale: float,
    metric: Metric,
    ties: Ties,
    hides: bool,
    precision: bool,
    skip: int,
    parts: int,
    most: float | None,
) -> None:
    """Small integers have many ties, which the lowest row of the gallery wins."""
    generator = np.random.default_rng(seed)
    probes, rows, dims = sizes
    points = generator.integers(-2, 3, (probes + rows, dims)).astype(np.float32)
    if scale:
        points = (points + generator.normal(0, 0.1, points.shape)) * scale
    if metric == "cosine":
        points[~points.any(axis=1), 0] = 1
    probe, gallery = points[:probes], points[probes:]
    people = generator.integers(0, 4, probes), generator.integers(0, 4, rows)
    views = generator.integers(0, 2, probes), generator.integers(0, 2, rows)
    part = generator.integers(0, parts, rows)
    part = np.unique(part, return_inverse=True)[1]
    rule = same_labels(people, views) if hides else None
    ranks = {"depth": 4, "ties": ties, "skip": skip}
    with pytest.MonkeyPatch.context() as changed:
        if most is not None:  # as in a large gallery, however much is tied, or sorted if it is
            changed.setattr(every, "_FEWEST_COUNTED", 0)
            for name in ("_MOST_CLOSE", "_MOST_TIED"):
                changed.setattr(every, name, most)
            changed.setattr(every, "_SAMPLE", 1)
        found = identify_in_parts(
            probe, gallery, *people, part, exclude=rule, precision=precision, metric=metric, **ranks
        )
    everyone = np.arange(probes)
    for each, here in zip(found, split_rows(part), strict=True):
        seen = None if rule is None else rule.take(everyone, here)
        own = (people[0], people[1][here])
        wanted = exactly(probe, gallery[here], own, metric, exclude=seen, **ranks)
        agree(each, wanted, precision)


def walkers(generator: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    people = generator.integers(0, 30, 200), generator.integers(0, 30, 600)
    centres = generator.normal(0, 1, (30, 64))
    sides = (centres[own] + generator.normal(0, 1.2, (len(own), 64)) for own in people)
    return *(side.astype(np.float32) for side in sides), *people


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_nearly_all_is_proven(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MOST_CLOSE", "_MOST_TIED"):  # of few rows, more are near to mates
        monkeypatch.setattr(every, name, 1.0)
    probe, gallery, own, enrolled = walkers(np.random.default_rng(0))
    layout = lay_out(own, enrolled)
    points = as_pair(probe, gallery, metric)
    stored = points[1].take(layout.order)
    (found,) = all_mates(points[0], stored, layout)
    assert found.proven.all()
    (counted,) = every.Counting(points[0], stored, layout).all(2**20)
    assert counted.proven.all()
    for one, other in zip(counted.ranks, found.ranks, strict=True):
        np.testing.assert_array_equal(one, other)
    first, certain = first_mates(points[0], stored, layout, depth=600)
    assert certain.all()
    np.testing.assert_array_equal(first[:, 0], found.ranks.first)
    for repeats in (points[0].take(np.r_[0, 0]), points[0].take(np.r_[1, 1])):
        # A row of another person that is as near as a mate: it is for the grid to say who wins.
        twin = lay_out(np.zeros(2, np.int64), np.array([0, 1]))
        assert not all_mates(repeats, repeats, twin)[0].proven.any()
        for enrolled, wins in (([0, 1], 1), ([1, 0], 0)):
            twin = lay_out(np.zeros(2, np.int64), np.array(enrolled))
            first, certain = first_mates(repeats, repeats, twin, depth=1)
            assert certain.all()
            assert (first == wins).all()


@pytest.mark.parametrize("precision", [True, False])
@pytest.mark.parametrize("kept", [0, 2**30])
def test_blocks_and_tiles_change_nothing(
    precision: bool, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, gallery, own, enrolled = walkers(np.random.default_rng(1))
    whole = identify(probe, gallery, own, enrolled, precision=precision)
    for name in ("_TILE_BYTES", "_WORKING_BYTES"):
        monkeypatch.setattr(product, name, 10_000)
    monkeypatch.setattr(product, "_KEPT_BYTES", kept)
    tiles = identify(probe, gallery, own, enrolled, precision=precision, block_bytes=50_000)
    agree(tiles, whole, precision)
    agree(whole, exactly(probe, gallery, (own, enrolled), "cosine", depth=10), precision)


@pytest.mark.parametrize("rank", [first_mates, all_mates])
def test_the_gallery_is_prepared_once_for_all_blocks(
    rank: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, gallery, own, enrolled = walkers(np.random.default_rng(1))
    made: list[int] = []
    monkeypatch.setattr(product, "_TILE_BYTES", 100_000)
    make = product.Right._tile

    def count(side: product.Right, rows: slice) -> Any:
        made.extend(range(rows.start, rows.stop))
        return make(side, rows)

    monkeypatch.setattr(product.Right, "_tile", count)
    ranks = {"depth": 1} if rank is first_mates else {}
    rank(*as_pair(probe, gallery, "cosine"), lay_out(own, enrolled), block_bytes=50_000, **ranks)
    assert sorted(made) == list(range(len(gallery)))


@pytest.mark.parametrize("precision", [True, False])
def test_embeddings_without_numbers_are_tied(precision: bool) -> None:
    sides = np.empty((1, 0)), np.empty((3, 0))
    found = identify(*sides, [1], [0, 1, 1], metric="euclidean", precision=precision)
    agree(found, exactly(*sides, ([1], [0, 1, 1]), "euclidean"), precision)


def test_what_can_overflow_is_not_proven() -> None:
    points = as_pair([[3e18, 1.0]], [[3e18, 1.0], [-3e18, 0.0]], "euclidean")
    found = first_mates(*points, lay_out(np.array([0]), np.array([0, 1])), depth=1)
    assert not found.proven.any()


def test_the_same_rule_of_some_rows() -> None:
    rule = ExclusionRule((np.array([0, 1]), np.array([1, 0, 1])))
    some = rule.take(np.array([1]), np.array([2, 1]))
    assert some(slice(0, 1)).tolist() == [[True, False]]
