"""Which people and which classes one run does better with than another, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.records import ResultRecord
from protocols.statistics.outcomes import Outcomes
from protocols.statistics.paired import (
    PairedComparison,
    SeedComparison,
    compare_outcomes,
    compare_seeds,
)
from protocols.statistics.people import PeopleComparison, compare_people
from protocols.statistics.person_counts import PartCounts, person_counts, sum_counts
from tasks.compare.sides import Side

Verdict = PairedComparison | SeedComparison | PeopleComparison


@dataclass(frozen=True)
class Gain:
    """What became of one person or class.

    Attributes:
        name: of the person or class.
        first: rate 0..1 in the first run, mean over its parts or all its samples.
        second: the same in the second.
    """

    name: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first


def judge_sides(first: Side, second: Side) -> Verdict:
    """Compare the runs on the samples or people that both were tested on.

    The difference is that of the second from the first. Action runs are compared by sample, others
    by person.

    Raises:
        ValueError: the records keep too little for it, or are of other samples or people.
    """
    names = (second.name, first.name)
    if first.record.task == "action":
        pairs = [
            (_outcomes(new, second.name), _outcomes(old, first.name))
            for old, new in zip(first.records, second.records, strict=True)
        ]
        if len(pairs) == 1:
            return compare_outcomes(*pairs[0], names=names)
        return compare_seeds(pairs, names=names)
    counts = [[person_counts(one) for one in side.records] for side in (first, second)]
    for old, new in zip(*counts, strict=True):
        if _trials(old) != _trials(new):
            # One pair tells it apart best, whatever the sum over the seeds would hide.
            return compare_people(new, old, names=names)
    return compare_people(sum_counts(counts[1]), sum_counts(counts[0]), names=names)


def people_gains(first: Side, second: Side) -> list[Gain]:
    """The people that both sides tested, the greatest gain first; empty where none are known."""
    return _gains(*(_people_rates(side) for side in (first, second)))


def class_gains(first: Side, second: Side) -> list[Gain]:
    """The classes that both sides tested, the greatest gain first; empty where there are none."""
    return _gains(*(_class_rates(side.records) for side in (first, second)))


def _gains(first: Mapping[str, float], second: Mapping[str, float]) -> list[Gain]:
    both = [Gain(name, first[name], second[name]) for name in first if name in second]
    return sorted(both, key=lambda gain: -gain.difference)


def _outcomes(record: ResultRecord, name: str) -> Outcomes:
    """The outcomes of an action record."""
    try:
        return Outcomes.from_cells(record.cells)
    except (TypeError, KeyError) as error:
        raise ValueError(f"The outcomes in the record of {name} are damaged ({error}).") from error


def _trials(counts: PartCounts) -> dict[str, dict[str, int]]:
    return {
        part: {name: tried for name, (_, tried) in people.items()}
        for part, people in counts.items()
    }


def _people_rates(side: Side) -> dict[str, float]:
    """Share of each person's probes (or samples) that went right; nothing where it is not known."""
    try:
        if side.record.task == "action":
            every = [_outcomes(record, side.name) for record in side.records]
            return _accuracies(every)
        counts = sum_counts([person_counts(record) for record in side.records])
    except ValueError:  # the verdict says why
        return {}
    shares: dict[str, list[float]] = {}
    for people in counts.values():
        for name, (hits, tried) in people.items():
            if tried:
                shares.setdefault(name, []).append(hits / tried)
    return {name: float(np.mean(each)) for name, each in shares.items()}


def _accuracies(every: Sequence[Outcomes]) -> dict[str, float]:
    """Accuracy of each person over all seeds; nothing where a person is not known, or only one."""
    people = np.concatenate([one.subject for one in every])
    right = np.concatenate([one.correct for one in every])
    names = np.unique(people)
    if "" in names.tolist() or len(names) < 2:
        return {}
    return {str(name): float(right[people == name].mean()) for name in names}


def _class_rates(records: Sequence[ResultRecord]) -> dict[str, float]:
    """Accuracy of each tested class over all seeds."""
    tested: dict[str, int] = {}
    correct: dict[str, int] = {}
    for record in records:
        for name, tried, right in _class_counts(record.cells or {}):
            tested[name] = tested.get(name, 0) + tried
            correct[name] = correct.get(name, 0) + right
    return {name: correct[name] / tried for name, tried in tested.items() if tried > 0}


def _class_counts(cells: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Class, samples and hits; nothing where the record counts no classes."""
    try:
        rows = zip(cells["classes"], cells["tested"], cells["correct"], strict=True)
        return [(str(name), int(tried), int(right)) for name, tried, right in rows]
    except (KeyError, TypeError, ValueError):  # no classification, or damaged: the verdict says so
        return []
