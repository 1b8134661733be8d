from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from protocols.embeddings import Embeddings
from protocols.reid.evaluate import evaluate_reid
from protocols.reid.pairs import load_pairs
from protocols.reid.ranking import PairRanking, rank_pair
from protocols.reid.rules import RULES

PROTOCOL = load_pairs("casia_b")


def walks(people: int = 6, sequences: int = 3) -> Embeddings:
    """NM takes 1 and 2 and a CL take of each person, several sequences a walk."""
    rng = np.random.default_rng(0)
    labels = [
        (f"P{person}", condition, take)
        for person in range(people)
        for condition, take in (("nm", "1"), ("nm", "2"), ("cl", "1"))
        for _ in range(sequences)
    ]
    subject, condition, take = (np.array(column) for column in zip(*labels, strict=True))
    centre = rng.normal(size=(people, 5))[np.repeat(np.arange(people), 3 * sequences)]
    noise = rng.normal(size=(len(labels), 5))
    names = np.array([f"{'-'.join(row)}@{place}" for place, row in enumerate(labels)])
    return Embeddings(
        centre + noise,
        subject,
        condition=condition,
        take=take,
        view=["0"] * len(labels),
        sample=names,
    )


def ranked(probe: str = "C", gallery: str = "N", rule: str = "clean") -> PairRanking:
    return rank_pair(walks(), PROTOCOL, PROTOCOL.pair(probe, gallery), rule)


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("pair", ["N-N", "C-N"])
def test_figures_are_those_of_the_table(rule: str, pair: str) -> None:
    probe, gallery = pair.split("-")
    ranking = ranked(probe, gallery, rule)
    (expected,) = evaluate_reid(walks(), PROTOCOL, [pair], rule).pairs
    found = ranking.result.metrics
    for name, value in expected.metrics.items():
        assert found[name] == pytest.approx(value), name
    # The list that is drawn begins with a mate where rank 1 was right.
    people = ranking.data.subject
    for place in ranking.spread(99).tolist():
        row = ranking.comparison.probe[place]
        first = ranking.nearest(place, 1).rows[0]
        assert (people[first] == people[row]) == (ranking.found.first_mate[place] == 1)


@pytest.mark.parametrize("rule", ["clean", "cross-take", "transg"])
def test_nearest_are_the_first_of_a_plain_sort(rule: str) -> None:
    ranking = ranked("N", "N", rule)
    for place in (0, 7, 20):
        comparison, row = ranking.comparison, ranking.comparison.probe[place]
        seen = np.ones(len(comparison.gallery), dtype=bool)
        if comparison.exclude is not None:
            seen = ~comparison.exclude(slice(0, len(comparison.probe)))[place]
        gallery = comparison.gallery[seen]
        points = ranking.data.embedding.astype(np.float64)
        distance = cdist(points[[row]], points[gallery], ranking.metric)[0]
        order = np.argsort(distance)[comparison.skip : comparison.skip + 4]
        found = ranking.nearest(place, 4)
        assert found.rows.tolist() == gallery[order].tolist()
        assert found.distances == pytest.approx(distance[order], abs=1e-6)


def test_nearest_are_sorted_and_what_is_hidden_is_not_there() -> None:
    ranking = ranked("N", "N", "cross-take")
    rows, distances = ranking.nearest(0, 50)
    assert (np.diff(distances) >= 0).all()
    own = set(range(3))  # the probe's walk: rows 0, 1, 2
    assert not own & set(rows.tolist())
    assert len(rows) == 36 - 3
    assert len(ranking.nearest(0, 4).rows) == 4
    # What rank-k looks past is not drawn: the probe itself.
    assert 0 not in ranked("N", "N", "transg").nearest(0, 36).rows


def test_worst_are_wrong_and_of_different_walks() -> None:
    ranking = ranked()
    places = ranking.worst(99)
    assert len(places)
    assert (ranking.found.first_mate[places] != 1).all()
    precision = [ranking.precision(place) for place in places.tolist()]
    assert precision == sorted(precision)
    subjects = ranking.data.subject[ranking.comparison.probe[places]]
    assert len(set(subjects.tolist())) == len(places)
    failed = np.flatnonzero(ranking.found.first_mate != 1)
    assert precision[0] == min(ranking.precision(place) for place in failed.tolist())
    assert ranking.worst(2).tolist() == places[:2].tolist()


def test_spread_keeps_the_ends() -> None:
    assert ranked().spread(2).tolist() == [0, 17]
    assert ranked().spread(99).tolist() == list(range(18))


def test_probes_without_a_mate_are_not_looked_at() -> None:
    data = walks(people=2)
    first = data.subject == "P0"  # in the coat only; the other one is in the gallery only
    lonely = data.select(first == (data.condition == "cl"))
    ranking = rank_pair(lonely, PROTOCOL, PROTOCOL.pair("C", "N"))
    assert not len(ranking.spread(5))
    assert not len(ranking.worst(5))
    counts = ranking.distances()
    assert (counts.genuine.sum(), counts.impostor.sum()) == (0, 3 * 6)


def test_distances_are_of_all_pairs_that_may_be_seen() -> None:
    counts = ranked("N", "N").distances()
    assert counts.genuine.sum() == 36 * 5
    assert counts.impostor.sum() == 36 * 30
    assert len(counts.genuine) <= 60
