"""How evenly a test treats people and groups: the rate of each, and of the people worst served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from protocols.embeddings import TextArray
from protocols.names import natural_order
from protocols.ranking.distances import IntArray
from protocols.statistics.intervals import named_intervals, ratio, sum_by_person

MOST_GROUPS = 30
"""Groups of a kind that are told apart; of more each would say little."""

QUARTERS = ("shortest", "shorter", "longer", "longest")


@dataclass(frozen=True)
class Fairness:
    """Rates of people and groups, 0..1.

    Attributes:
        metrics: ``by_person/mean``, ``by_person/worst tenth`` and ``by_person/worst`` (the mean
            over people, over the tenth of them with the lowest rates, rounded up, and the lowest
            rate); ``by_<kind>/<group>`` the share of a group's comparisons that are right.
        intervals: Low and high end of the groups' rates, by a bootstrap over people.
        counts: ``people/<metric>`` and ``samples/<metric>``.
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]


def measure_fairness(
    counts: IntArray, person: TextArray, groups: Mapping[str, TextArray]
) -> Fairness:
    """Rates of people and groups.

    Args:
        counts: (N, 2) of every sample: right comparisons, and all that count.
        person: (N,) names; empty where unknown. Then a sample is a person of its own, and there are
            no rates by person.
        groups: By kind, such as ``view``, the group (N,) of every sample; empty for none. A kind is
            left out unless it tells from two to :data:`MOST_GROUPS` groups apart.
    """
    used = counts[:, 1] > 0
    counts, person = counts[used], person[used]
    people, number = np.unique(person, return_inverse=True)
    alone = person == ""
    named = not alone.any()
    number = np.where(alone, len(people) + np.arange(len(person)), number)
    number = np.unique(number, return_inverse=True)[1]
    metrics: dict[str, float] = {}
    numbers: dict[str, int] = {}
    if named and len(people) > 1:
        sums = sum_by_person(counts.T, number, len(people))
        rates = np.sort(sums[:, 0] / sums[:, 1])
        tenth = math.ceil(len(people) / 10)
        for name, size in (("mean", len(people)), ("worst tenth", tenth), ("worst", 1)):
            metrics[f"by_person/{name}"] = float(rates[:size].mean())
            numbers[f"people/by_person/{name}"] = size
    members = {
        f"by_{kind}/{group}": group_of[used] == group
        for kind, group_of in groups.items()
        for group in _told_apart(group_of[used])
    }
    if not members:
        return Fairness(metrics, {}, numbers)
    where = np.stack(list(members.values()))
    size = int(number.max()) + 1
    right, tried = (sum_by_person(where * column, number, size) for column in counts.T)
    there = (tried > 0).sum(axis=0).tolist()
    for place, name in enumerate(members):
        metrics[name] = float(right[:, place].sum() / tried[:, place].sum())
        numbers[f"people/{name}"] = there[place]
        numbers[f"samples/{name}"] = int(where[place].sum())
    generator = np.random.default_rng(0)
    ends = named_intervals(list(members), there, right, tried, generator, ratio, 2000)
    return Fairness(metrics, ends, numbers)


def quarters(values: IntArray) -> TextArray:
    """The quarter (N,) of each number, by name; what is equal is in the same one.

    >>> quarters(np.array([5, 9, 7, 12])).tolist()
    ['shortest', 'longer', 'shorter', 'longest']
    >>> quarters(np.array([5, 5, 5])).tolist()
    ['shortest', 'shortest', 'shortest']
    """
    edges = np.quantile(values, [0.25, 0.5, 0.75])
    return np.array(QUARTERS, dtype=np.str_)[np.searchsorted(edges, values)]


def _told_apart(group: TextArray) -> list[str]:
    """The names of the groups, quarters by size and others in natural order."""
    names = natural_order(group[group != ""])
    if not 1 < len(names) <= MOST_GROUPS:
        return []
    return sorted(names, key=QUARTERS.index) if set(names) <= set(QUARTERS) else list(names)
