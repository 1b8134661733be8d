"""Gains of people and classes from one run to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.names import find_people
from protocols.records import ResultRecord
from protocols.statistics.person_counts import person_counts, read_kept, sum_counts
from tasks.compare.sides import Side


@dataclass(frozen=True)
class Gain:
    """The rates of one person or class in both runs.

    Attributes:
        name: name of the person or class.
        first: rate 0..1 in the first run, mean over its parts or all its samples.
        second: rate 0..1 in the second run.
    """

    name: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first


def people_gains(first: Side, second: Side) -> list[Gain]:
    """Gains of the people that both sides tested, greatest first; empty if unknown."""
    old, new = (_people_rates(side) for side in (first, second))
    names = find_people(new, old).names
    return _gains(old, {names.get(name, name): rate for name, rate in new.items()})


def class_gains(first: Side, second: Side) -> list[Gain]:
    """Gains of the classes that both sides tested, greatest first; empty if there are none."""
    return _gains(*(_class_rates(side.records) for side in (first, second)))


def _gains(first: Mapping[str, float], second: Mapping[str, float]) -> list[Gain]:
    both = [Gain(name, first[name], second[name]) for name in first if name in second]
    return sorted(both, key=lambda gain: -gain.difference)


def _people_rates(side: Side) -> dict[str, float]:
    """Share of each person's probes (or samples) that were correct; empty if unknown."""
    try:
        counts = sum_counts([person_counts(read_kept(one)) for one in side.records])
    except ValueError:  # the verdict gives the reason
        return {}
    shares: dict[str, list[float]] = {}
    for people in counts.values():
        for name, (hits, tried) in people.items():
            if tried:
                shares.setdefault(name, []).append(hits / tried)
    return {name: float(np.mean(each)) for name, each in shares.items()}


def _class_rates(records: Sequence[ResultRecord]) -> dict[str, float]:
    """Accuracy of each tested class over all seeds."""
    tested: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    for record in records:
        for name, tried, right in _class_counts(record.cells or {}):
            tested[name] += tried
            correct[name] += right
    return {name: correct[name] / tried for name, tried in tested.items() if tried > 0}


def _class_counts(cells: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Class, samples and hits; empty if the record has no class counts."""
    try:
        rows = zip(cells["classes"], cells["tested"], cells["correct"], strict=True)
        return [(str(name), int(tried), int(right)) for name, tried, right in rows]
    except (KeyError, TypeError, ValueError):  # no classification, or damaged: see the verdict
        return []
