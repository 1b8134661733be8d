"""Is one run better than another, by what each did with every person?

A re-identification or gait record keeps, for each person, how many of the probes were tried and
how many were hits at rank 1, under each part of the table (a pair of sets, a condition). Two such
runs are compared person by person: the interval of the difference comes from drawing people, each
with all parts of both runs, and the test swaps the two runs of a person at random (a paired
randomisation test, Fisher 1935), since single probes of a person are not independent, as the
McNemar test of single samples would have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.ranking.distances import FloatArray
from protocols.statistics.intervals import bootstrap_interval, mean_of_known, ratio
from protocols.statistics.verdict import Verdict, interval_words, judge, plain_sentence

PersonCounts = Mapping[str, tuple[int, int]]
"""Hits and trials by person."""

_SWAPS_A_CHUNK = 512


@dataclass(frozen=True)
class PeopleComparison:
    """Two runs on the same people.

    Attributes:
        difference: Rate of the first minus rate of the second, mean over the parts.
        low: Low end of its interval.
        high: High end.
        confidence: Coverage of the interval.
        p_value: Of the randomisation test, two-sided.
        people: How many people were compared.
        parts: Difference of each part, such as ``{"C-N": 0.03}``.
        gains: Difference of each person, mean over the person's parts; largest loss first.
        verdict: What these data say of the first.
        sentence: The same as a sentence.
    """

    difference: float
    low: float
    high: float
    confidence: float
    p_value: float
    people: int
    parts: dict[str, float]
    gains: dict[str, float]
    verdict: Verdict
    sentence: str


def compare_people(
    first: Mapping[str, PersonCounts],
    second: Mapping[str, PersonCounts],
    *,
    names: tuple[str, str] = ("the first", "the second"),
    measure: str = "rank-1",
    generator: np.random.Generator | None = None,
    draws: int = 2000,
    confidence: float = 0.95,
) -> PeopleComparison:
    """Compare two runs by people.

    The first is called better (or worse) where the interval does not hold 0 and the p-value is
    below 1 - confidence; otherwise these data do not tell the two apart.

    Args:
        first: Hits and trials by part and person.
        second: The same of the other run: the same parts, people and trials.
        names: What to call the two.
        measure: What the hits are of, for the sentence.
        generator: Draws people and swaps; None takes one of seed 0.
        draws: Number of resamples, and of swaps.
        confidence: Coverage, 0..1.

    Returns:
        The comparison.

    Raises:
        ValueError: Parts, people or trials differ, there are no trials, or a count is no count.
    """
    parts, people = _matched_names(first, second, names)
    runs = zip((first, second), names, strict=True)
    tables = [_table(run, parts, people, name) for run, name in runs]
    trials = tables[0][1]
    differing = np.argwhere(trials != tables[1][1])
    if len(differing):
        person, part = differing[0]
        raise ValueError(
            f"{people[person]} has {int(trials[person, part])} probes of {parts[part]} in "
            f"{names[0]} and {int(tables[1][1][person, part])} in {names[1]}: compare runs over "
            "the same probes."
        )
    if not trials.sum(axis=0).any():
        raise ValueError(f"{names[0]} and {names[1]} have no probe to compare.")
    gain = tables[0][0] - tables[1][0]
    generator = np.random.default_rng(0) if generator is None else generator
    ends = bootstrap_interval(
        gain, trials, generator, statistic=_mean_rate, draws=draws, confidence=confidence
    )
    low, high = float(ends[0]), float(ends[1])
    difference = float(_mean_rate(gain.sum(axis=0)[None], trials.sum(axis=0)[None])[0])
    p_value = _swap_test(gain, trials, generator, draws)
    verdict = judge(difference, low, high, p_value < 1.0 - confidence)
    basis = (
        f"{interval_words(low, high, confidence)} over {len(people)} people; swapping the runs of "
        f"people at random, p = {p_value:.2g}"
    )
    return PeopleComparison(
        difference=difference,
        low=low,
        high=high,
        confidence=confidence,
        p_value=p_value,
        people=len(people),
        parts=dict(zip(parts, ratio(gain.sum(axis=0), trials.sum(axis=0)).tolist(), strict=True)),
        gains=_gains(gain, trials, people),
        verdict=verdict,
        sentence=plain_sentence(verdict, difference, names, measure, basis),
    )


def reid_person_counts(cells: Mapping[str, Any] | None) -> dict[str, dict[str, tuple[int, int]]]:
    """Read the rank-1 hits and trials of every person from the cells of a re-ID record.

    Args:
        cells: ``ResultRecord.cells``, as ``ReidTable.record_cells`` writes them.

    Returns:
        Hits and trials by pair and person.

    Raises:
        ValueError: The cells hold no counts by person, or lists of different lengths.
    """
    pairs = (cells or {}).get("pairs")
    if not isinstance(pairs, Mapping) or not pairs:
        raise ValueError(
            "The record keeps no counts by person under cells.pairs: compare records of "
            "re-identification runs, written by this version."
        )
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for pair, entry in pairs.items():
        try:
            people = entry["people"]
            columns = (people["names"], people["rank1_hits"], people["trials"])
            rows = zip(*columns, strict=True)
            found[str(pair)] = {str(name): (int(hit), int(tried)) for name, hit, tried in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"The counts by person of pair {pair} are damaged: names, rank1_hits and trials "
                "must be lists of one length."
            ) from error
    return found


def _matched_names(
    first: Mapping[str, PersonCounts], second: Mapping[str, PersonCounts], names: tuple[str, str]
) -> tuple[list[str], list[str]]:
    """The parts and people of both runs, which must be the same."""
    parts = [sorted(run) for run in (first, second)]
    people = [
        sorted({str(person) for counts in run.values() for person in counts})
        for run in (first, second)
    ]
    for kind, (mine, theirs) in (("part", parts), ("person", people)):
        only = sorted(set(mine) ^ set(theirs))
        if only:
            raise ValueError(
                f"Only one of {names[0]} and {names[1]} has the {kind} {only[0]!r} ({len(only)} "
                "such in all): compare runs of one data set and protocol."
            )
    return parts[0], people[0]


def _table(
    run: Mapping[str, PersonCounts], parts: list[str], people: list[str], name: str
) -> tuple[FloatArray, FloatArray]:
    """Hits and trials, each (S, parts)."""
    hits, trials = np.zeros((2, len(people), len(parts)))
    place = {person: row for row, person in enumerate(people)}
    for column, part in enumerate(parts):
        for person, (hit, tried) in run[part].items():
            if not 0 <= hit <= tried:
                raise ValueError(
                    f"{name} has {hit} hits in {tried} probes of {person} under {part}: hits lie "
                    "between 0 and the number of probes."
                )
            hits[place[str(person)], column] += hit
            trials[place[str(person)], column] += tried
    return hits, trials


def _mean_rate(gain: FloatArray, trials: FloatArray) -> FloatArray:
    """(B,) mean over the parts of gain by trials."""
    return mean_of_known(ratio(gain, trials))


def _swap_test(
    gain: FloatArray, trials: FloatArray, generator: np.random.Generator, draws: int
) -> float:
    """Share of random swaps that differ at least as much as the runs do, these included."""
    total = trials.sum(axis=0)[None]
    seen = abs(float(_mean_rate(gain.sum(axis=0)[None], total)[0]))
    extreme = 0
    for start in range(0, draws, _SWAPS_A_CHUNK):
        size = min(_SWAPS_A_CHUNK, draws - start)
        sign = generator.integers(0, 2, size=(size, len(gain))) * 2.0 - 1.0
        swapped = np.abs(_mean_rate(sign @ gain, np.broadcast_to(total, (size, total.shape[1]))))
        # Sums of the same numbers in another order differ in their last bits.
        extreme += int(np.count_nonzero(swapped >= seen - 1e-12))
    return (extreme + 1) / (draws + 1)


def _gains(gain: FloatArray, trials: FloatArray, people: list[str]) -> dict[str, float]:
    """Difference of each person who was tried, the largest loss first."""
    each = mean_of_known(ratio(gain, trials))
    order = np.argsort(each, kind="stable")
    return {people[row]: float(each[row]) for row in order if np.isfinite(each[row])}
