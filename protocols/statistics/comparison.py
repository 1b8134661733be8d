"""Is one run better than another, on the same samples or people?

Runs are paired by key, never by order. The interval of the difference comes from resampling
persons, since the recordings of one person are not independent. With few persons such an interval
is too narrow, so a paired randomisation test (Fisher 1935) must agree before a run is called
better: it swaps the two runs of a person at random, with all that person's samples. McNemar's test,
which swaps single samples, would take the samples of a person as independent; it is used where the
person of a sample is unknown.

``samples``
    For two runs that keep the outcome of every sample.
``people``
    For runs that keep hits and trials of every person, under each part of a table (a condition, a
    pair of sets).
``seeds``
    For several pairs of runs, such as seeds or folds. All samples of a person in all pairs are kept
    together, because the seeds of one person are no further persons, and no pair may point the
    other way. What a training's luck gives to all people alike is not a difference of methods: a
    test over people and seeds (:mod:`protocols.statistics.trainings`) must agree too. Counts by
    person are summed over the seeds and compared as under ``people``, with that test. One run
    on each side says something about these two trainings, not about their methods.

Simulated (20 samples a person, four in five right; see ``test_verdict_rates.py`` in the tests), a
verdict falls on two equal methods, and finds a difference of 5 points, in per cent; luck moves a
training by a standard deviation of 1.7 points:

======  =============  =============  =============  =============  =============  =============
people  1 run a side   the same,      3 seeds        3 seeds,       5 seeds        5 seeds,
        (``samples``)  with luck                     with luck                     with luck
======  =============  =============  =============  =============  =============  =============
3       0 and 0        0 and 0        0 and 0        0 and 0        0 and 0        0 and 0
5       0 and 0        0 and 0        0 and 0        0 and 0        0 and 0        0 and 0
10      3.2 and 18     6.1 and 22     2.2 and 25     2.1 and 21     2.8 and 36     3.7 and 35
20      2.1 and 39     11.9 and 44    2.1 and 50     3.9 and 40     2.9 and 67     4.8 and 53
======  =============  =============  =============  =============  =============  =============

Under ``people`` they are alike. With 5 people or fewer no difference can be significant: p is never
below 0.06. With one run on each side, the promised 5 % hold only for these two trainings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np

from protocols.names import find_people
from protocols.ranking.distances import FloatArray
from protocols.records import ResultRecord
from protocols.statistics.intervals import (
    CONFIDENCE,
    bootstrap_interval,
    mcnemar,
    mean_rate,
    ratio,
    swap_test,
)
from protocols.statistics.outcomes import Outcomes, match_outcomes, resampling_units
from protocols.statistics.person_counts import (
    PartCounts,
    counted_measure,
    person_counts,
    read_kept,
    sum_counts,
)
from protocols.statistics.trainings import PairGain, trainings_test
from protocols.text import nouns

Unit = Literal["samples", "people", "seeds"]
Verdict = Literal["better", "worse", "not significant"]


@runtime_checkable
class Scores(Protocol):
    """Class scores, such as :class:`protocols.action.scores.ClassScores`."""

    def outcomes(self) -> Outcomes:
        """The predicted class of every sample of known label."""


Run: TypeAlias = ResultRecord | Outcomes | Scores | PartCounts

SIGNIFICANT = 1.0 - CONFIDENCE
"""From this p-value on, a difference is not significant."""


@dataclass(frozen=True)
class Comparison:
    """Two runs, or two groups of runs, compared.

    Attributes:
        unit: ``samples``, ``people`` or ``seeds``.
        difference: Rate of the first minus rate of the second; the mean over the pairs of runs, or
            over the parts of a table.
        low: Low end of its interval.
        high: High end.
        confidence: Coverage of the interval.
        units: Number of resampled units, each with all its samples, seeds or parts.
        resampled: Their name: ``persons`` (or ``people``, of counts), else ``samples``.
        verdict: Whether the first is better, or worse.
        sentence: The same as a sentence.
        p_value: Of the two-sided test.
        p_value_of_trainings: Of the two-sided test over people and seeds; None for one pair.
        detectable: The smallest true difference that four of five such groups of runs would find by
            that test, if they spread as these do; None for one pair, or one person.
        least_p_value: The smallest p-value that so many units allow, where one run wins for all of
            them: two of all swaps. With 5 or fewer it is above 0.05, and the sentence says so.
        differences: Of each pair of runs; empty for ``people``.
        samples: Samples compared, for ``samples``.
        only_first: Those that only the first gets right.
        only_second: Those that only the second gets right.
        parts: Difference of each part, such as ``{"C-N": 0.03}``, for ``people``.
        gains: Difference of each person, mean over the person's parts; largest loss first.
        names: Of the first and the second.
        measure: What is compared, in words.
        p_value_corrected: For the number of comparisons, where several were made at once
            (:mod:`protocols.statistics.several`).
    """

    unit: Unit
    difference: float
    low: float
    high: float
    confidence: float
    units: int
    resampled: str
    verdict: Verdict
    sentence: str
    p_value: float
    least_p_value: float
    p_value_of_trainings: float | None = None
    detectable: float | None = None
    differences: tuple[float, ...] = ()
    samples: int | None = None
    only_first: int | None = None
    only_second: int | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=dict)
    names: tuple[str, str] = ("the first", "the second")
    measure: str = ""
    p_value_corrected: float | None = None


class _How(NamedTuple):
    """Names of the two runs, how to resample, and who is told how far that is."""

    names: tuple[str, str]
    generator: np.random.Generator
    draws: int
    progress: Callable[[int, int], None] | None = None

    def resampled(self, done: int, total: int) -> None:
        """So many resamples are drawn, which are the first half of the work."""
        if self.progress is not None:
            self.progress(done, 2 * total)

    def swapped(self, done: int, total: int) -> None:
        """So many swaps are drawn, which are the second half."""
        if self.progress is not None:
            self.progress(total + done, 2 * total)


def compare(
    a: Run | Sequence[Run],
    b: Run | Sequence[Run],
    unit: Unit | None = None,
    *,
    names: tuple[str, str] = ("the first", "the second"),
    generator: np.random.Generator | None = None,
    draws: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare two runs, or two groups of runs pair by pair.

    The first is called better (or worse) where the 95 % interval excludes 0, p is below 0.05 and,
    of several pairs, none points the other way and p over people and seeds is below 0.05 too;
    otherwise the difference is not significant.

    Args:
        a: A result record of any task, class scores, outcomes, or hits and trials by part and
            person; or several of these, such as one a seed. Samples of unknown label are left out.
        b: The other run or runs, as many as ``a``, each on the same samples or people as its
            partner; the pairs may have different samples, as folds do.
        unit: ``samples``, ``people`` or ``seeds`` (see above). None takes people where the runs
            keep counts, else samples, and seeds where there are several pairs; seeds of one pair
            are compared as samples.
        names: Names of the two.
        generator: Draws the persons (the samples where a person is unknown or there is only one)
            and the swaps; None takes one of seed 0, so that the same data give the same interval.
        draws: Number of resamples, and of swaps.
        progress: Called with the number of resamples and swaps done and their total.

    Returns:
        The comparison.

    Raises:
        ValueError: The runs have other samples, labels, classes, parts, people or trials than their
            partners; there is nothing to compare; a record keeps neither outcomes nor counts; or
            ``unit`` is unknown or does not fit the runs.

    >>> better = {"nm": {str(person): (9, 10) for person in range(20)}}
    >>> worse = {"nm": {str(person): (5, 10) for person in range(20)}}
    >>> compare(better, worse).verdict
    'better'
    """
    if unit is not None and unit not in get_args(Unit):
        raise ValueError(f"unit must be one of {', '.join(get_args(Unit))}, not {unit!r}.")
    first, second = (_kept(runs, name) for runs, name in zip((a, b), names, strict=True))
    if len(first) != len(second) or not first:
        raise ValueError(
            f"{len(first)} runs of {names[0]} and {len(second)} of {names[1]} cannot be paired: "
            "give one or more runs, and as many of both."
        )
    generator = np.random.default_rng(0) if generator is None else generator
    how = _How(names, generator, draws, progress)
    outcomes = [
        (mine, theirs)
        for mine, theirs in zip(first, second, strict=True)
        if isinstance(mine, Outcomes) and isinstance(theirs, Outcomes)
    ]
    if unit != "people" and len(outcomes) == len(first):
        if unit == "samples" and len(first) > 1:
            raise ValueError(f"{len(first)} pairs of runs are compared by seeds, not by samples.")
        return _by_samples(outcomes, how)
    if unit == "samples":
        raise ValueError(f"{names[0]} or {names[1]} keeps no outcomes: compare them by people.")
    measure = _measure(a, b, names)
    counts = ([person_counts(run) for run in runs] for runs in (first, second))
    return _by_people(*counts, measure=measure, how=how)


def _each(runs: Run | Sequence[Run]) -> Sequence[Run]:
    """One run, or several, as several."""
    return [runs] if isinstance(runs, ResultRecord | Outcomes | Scores | Mapping) else runs


def _kept(runs: Run | Sequence[Run], name: str) -> list[Outcomes | PartCounts]:
    """The outcomes or counts of each run."""
    read = [read_kept(run, name) if isinstance(run, ResultRecord) else run for run in _each(runs)]
    return [run.outcomes() if isinstance(run, Scores) else run for run in read]


def _measure(a: Run | Sequence[Run], b: Run | Sequence[Run], names: tuple[str, str]) -> str:
    """What the runs count, for sentences; the same for all."""
    known = dict.fromkeys(counted_measure(run) for runs in (a, b) for run in _each(runs))
    found = [name for name in known if name is not None]
    if len(found) > 1:
        raise ValueError(
            f"{names[0]} and {names[1]} count different things ({', '.join(found)}): compare runs "
            "of one task."
        )
    return found[0] if found else "hit rate"


def _by_samples(pairs: Sequence[tuple[Outcomes, Outcomes]], how: _How) -> Comparison:
    """Compare top-1 of one pair, or of several that must agree."""
    matched = [match_outcomes(first, second, how.names) for first, second in pairs]
    resampled, size, number = resampling_units(matched)
    columns = [
        (np.bincount(own, weights=pair.gain, minlength=size), np.bincount(own, minlength=size))
        for own, pair in zip(number, matched, strict=True)
    ]
    gain, trials = (
        np.stack(part, axis=1).astype(np.float64) for part in zip(*columns, strict=True)
    )
    ends = _interval(gain, trials, how)
    differences = tuple(float(pair.gain.mean()) for pair in matched)
    difference = float(np.mean(differences))
    several = len(pairs) > 1
    found: dict[str, Any] = {"unit": "seeds" if several else "samples", "differences": differences}
    unit = np.arange(size)
    trainings, detectable, luck = _of_trainings(
        [
            PairGain(unit[tried > 0], won[tried > 0, None], tried[tried > 0, None])
            for won, tried in zip(gain.T, trials.T, strict=True)
        ],
        "people" if resampled == "persons" else resampled,
    )
    if not several:
        test = mcnemar(matched[0].first, matched[0].second)
        found |= {"samples": len(matched[0].sample), **test._asdict()}
    if several or resampled == "persons":
        found["p_value"] = swap_test(gain, trials, how.generator, how.draws, how.swapped)
        basis = f"p = {found['p_value']:.2g} when the runs of {resampled} are swapped at random"
    else:
        basis = f"McNemar p = {found['p_value']:.2g}"
    if several:
        shown = ", ".join(f"{100 * value:+.1f}" for value in differences)
        basis = f"by pair {shown}; {basis}"
    agree = all(value * difference >= 0 for value in differences)
    sure = agree and max(found["p_value"], trainings or 0.0) < SIGNIFICANT
    basis = f"{basis}; {luck}"
    found |= {"units": size, "resampled": resampled}
    found |= {"p_value_of_trainings": trainings, "detectable": detectable}
    return _comparison(difference, ends, sure, "top-1", basis, how.names, **found)


def _by_people(
    first: Sequence[PartCounts], second: Sequence[PartCounts], *, measure: str, how: _How
) -> Comparison:
    """Compare hits by trials, summed over seeds so that a person is one unit."""
    second, note = _named_alike(first, second)
    # A sum over seeds could hide what differs.
    tables = [_people_tables(*pair, how.names) for pair in zip(first, second, strict=True)]
    parts, people, gain, trials = _people_tables(sum_counts(first), sum_counts(second), how.names)
    ends = _interval(gain, trials, how)
    total, tried = gain.sum(axis=0), trials.sum(axis=0)
    difference = float(mean_rate(total[None], tried[None])[0])
    p_value = swap_test(gain, trials, how.generator, how.draws, how.swapped)
    each = mean_rate(gain, trials)
    order = [row for row in np.argsort(each, kind="stable").tolist() if np.isfinite(each[row])]
    number = {person: row for row, person in enumerate(people)}
    trainings, detectable, luck = _of_trainings(
        [PairGain(np.array([number[who] for who in names]), *rest) for _, names, *rest in tables]
    )
    basis = [f"p = {p_value:.2g} when the runs of people are swapped at random", luck, *note]
    return _comparison(
        difference,
        ends,
        max(p_value, trainings or 0.0) < SIGNIFICANT,
        measure,
        "; ".join(basis),
        how.names,
        unit="people",
        units=len(people),
        resampled="people",
        p_value=p_value,
        p_value_of_trainings=trainings,
        detectable=detectable,
        parts=dict(zip(parts, ratio(total, tried).tolist(), strict=True)),
        gains={people[row]: float(each[row]) for row in order},
    )


def _named_alike(
    first: Sequence[PartCounts], second: Sequence[PartCounts]
) -> tuple[list[PartCounts], list[str]]:
    """The second runs with the names of the first, which older records wrote without zeros.

    Only if everybody is found that way; with a few words on it.
    """
    people, others = (
        {who for run in runs for part in run.values() for who in part} for runs in (first, second)
    )
    found, note = find_people(others, people)
    if not note or len(found) < len(others) or len(set(found.values())) < len(others):
        return list(second), []
    renamed: list[PartCounts] = [
        {part: {found[who]: counts for who, counts in each.items()} for part, each in run.items()}
        for run in second
    ]
    return renamed, ["people matched by number"]


def _people_tables(
    first: PartCounts, second: PartCounts, names: tuple[str, str]
) -> tuple[list[str], list[str], FloatArray, FloatArray]:
    """The parts and S people of both runs, which must be the same; (S, parts) gain and trials."""
    runs = (first, second)
    all_parts = [sorted(run) for run in runs]
    all_people = [sorted({str(who) for part in run.values() for who in part}) for run in runs]
    for kind, (mine, theirs) in (("part", all_parts), ("person", all_people)):
        only = sorted(set(mine) ^ set(theirs))
        if only:
            raise ValueError(
                f"Only one of {names[0]} and {names[1]} has the {kind} {only[0]!r} ({len(only)} "
                "such in all): compare runs of one data set and protocol."
            )
    parts, people = all_parts[0], all_people[0]
    (hits, trials), (their_hits, their_trials) = (
        _table(run, parts, people, name) for run, name in zip(runs, names, strict=True)
    )
    differing = np.argwhere(trials != their_trials)
    if len(differing):
        person, part = differing[0]
        raise ValueError(
            f"{people[person]} has {int(trials[person, part])} probes of {parts[part]} in "
            f"{names[0]} and {int(their_trials[person, part])} in {names[1]}: compare runs over "
            "the same probes."
        )
    if not trials.any():
        raise ValueError(f"{names[0]} and {names[1]} have no probe to compare.")
    return parts, people, hits - their_hits, trials


def _table(
    run: PartCounts, parts: list[str], people: list[str], name: str
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


def _interval(gain: FloatArray, trials: FloatArray, how: _How) -> tuple[float, float]:
    """Low and high end of the mean rate over resampled units, the first axis of both."""
    low, high = bootstrap_interval(gain, trials, how.generator, mean_rate, how.draws, how.resampled)
    return float(low), float(high)


def _of_trainings(
    pairs: Sequence[PairGain], units: str = "people"
) -> tuple[float | None, float | None, str]:
    """p-value over people (or samples) and trainings, and the difference that they would find.

    Both are None for one pair; then a few words on it.
    """
    if len(pairs) == 1:
        return None, None, "one run on each side, so this holds for these two training runs only"
    p_value, detectable = trainings_test(pairs, SIGNIFICANT)
    words = f"p = {p_value:.2g} over {units} and {len(pairs)} pairs of training runs"
    if detectable:
        found = f"{100 * detectable:.1f} points"
        words += f", which would find a true difference of {found} four times in five"
    return p_value, detectable, words


def _comparison(
    difference: float,
    ends: tuple[float, float],
    sure: bool,
    measure: str,
    basis: str,
    names: tuple[str, str],
    **found: Any,
) -> Comparison:
    """The verdict, given whether test and pairs allow one, and its sentence in points."""
    least = 0.5 ** (found["units"] - 1)
    over = f"{found['units']} {nouns(found['resampled'], found['units'])}"
    reasons = f"({interval_in_words(*ends)} over {over}; {basis})"
    if sure and (ends[0] > 0.0 or ends[1] < 0.0):
        verdict: Verdict = "better" if difference > 0 else "worse"
        sentence = (
            f"Significant: {names[0]} is {verdict} than {names[1]} by "
            f"{100 * abs(difference):.1f} points of {measure} {reasons}."
        )
    else:
        verdict = "not significant"
        sentence = (
            f"Not significant: {names[0]} and {names[1]} differ by {100 * difference:+.1f} points "
            f"of {measure} {reasons}."
        )
        if least >= SIGNIFICANT:
            sentence += (
                f" With {over}, no difference can be significant: the lowest possible p is "
                f"{least:.2g}."
            )
    return Comparison(
        difference=difference,
        low=ends[0],
        high=ends[1],
        confidence=CONFIDENCE,
        least_p_value=least,
        verdict=verdict,
        sentence=sentence,
        names=names,
        measure=measure,
        **found,
    )


def interval_in_words(low: float, high: float) -> str:
    """The interval of a difference, in points, or that there is none."""
    if low == high:
        return "no interval, because all differ equally,"
    return f"{100 * CONFIDENCE:g} % interval {100 * low:+.1f} to {100 * high:+.1f}"
