"""What differs between two runs: settings, data, figures, people, classes, and what that shows."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protocols.statistics.comparison import Comparison
from protocols.statistics.comparison import compare as compare_runs
from tasks.compare.gains import Gain, class_gains, people_gains
from tasks.compare.sides import Side, obstacles, read_sides
from tasks.run.resume import differences

Ends = tuple[float, float]

ABSENT = "(none)"
"""The value of a setting that only the other run has."""

_MEASURES = ("rank1", "top1", "eer", "mAP", "mean_class", "top5")
_ASIDE = ("chance", "majority", "threshold", "fmr_achieved", "dir_spread")
_FIGURES = 12


@dataclass(frozen=True)
class Figure:
    """One metric on both sides.

    Attributes:
        metric: its name.
        first: value of the first side, mean over its runs.
        second: of the second.
        first_ends: interval of the first, where it is one run that tells it.
        second_ends: of the second.
        first_spread: standard deviation over the runs of the first, where there are several.
        second_spread: of the second.
    """

    metric: str
    first: float
    second: float
    first_ends: Ends | None
    second_ends: Ends | None
    first_spread: float | None
    second_spread: float | None

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first


@dataclass(frozen=True)
class RunComparison:
    """Two sides, compared.

    Attributes:
        first: one or more runs.
        second: what they are compared with.
        obstacles: why the figures are not of one thing; empty if they are.
        settings: dotted name, first and second value of what differs.
        environment: the same of versions and devices.
        counts: the same of the counts.
        figures: the metrics that were asked for.
        left_out: how many metrics both have beyond these.
        people: gains of the people, greatest first.
        classes: gains of the classes, greatest first.
        verdict: None where these records cannot tell.
        sentence: the verdict in one plain sentence, or why there is none.
        notes: sentences that must stand beside it.
    """

    first: Side
    second: Side
    obstacles: tuple[str, ...]
    settings: tuple[tuple[str, Any, Any], ...]
    environment: tuple[tuple[str, Any, Any], ...]
    counts: tuple[tuple[str, Any, Any], ...]
    figures: tuple[Figure, ...]
    left_out: int
    people: tuple[Gain, ...]
    classes: tuple[Gain, ...]
    verdict: Comparison | None
    sentence: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; rates are 0..1, differences second minus first."""
        sides = {"first": self.first, "second": self.second}
        return {
            "comparison": 1,
            **{
                key: {
                    "name": side.name,
                    "records": [str(path) for path in side.paths],
                    "objective": side.record.objective,
                    "seeds": [record.seed for record in side.records],
                }
                for key, side in sides.items()
            },
            "task": self.first.record.task,
            "comparable": not self.obstacles,
            "obstacles": list(self.obstacles),
            **{key: _rows(getattr(self, key)) for key in ("settings", "environment", "counts")},
            **{
                key: [{**asdict(one), "difference": one.difference} for one in getattr(self, key)]
                for key in ("figures", "people", "classes")
            },
            "verdict": None if self.verdict is None else _verdict_json(self.verdict),
            "sentence": self.sentence,
            "notes": list(self.notes),
        }


def compare(first: str, second: str, metrics: Sequence[str] = ()) -> RunComparison:
    """Compare two runs, or the seeds of two.

    Args:
        first: a run's folder, a record file, or a pattern of either.
        second: the same.
        metrics: which figures: a name, which takes those behind it too (`rank1`, `rank1/nm`), or
            `all`; none: the ones that matter most.

    Returns:
        The comparison.

    Raises:
        ValueError: a record is missing, damaged or of another task, or a metric is in neither.
    """
    old, new, notes = read_sides(first, second)
    why = obstacles(old.record, new.record)
    figures, left_out = _figures(old, new, metrics)
    verdict, sentence = _verdict(old, new, why)
    several = len(old.records) > 1
    settings = [
        row
        for row in all_differences(old.record.settings, new.record.settings)
        if not (several and row[0] == "train.seed")
    ]
    counts = all_differences(old.record.counts, new.record.counts)
    return RunComparison(
        first=old,
        second=new,
        obstacles=why,
        settings=tuple(settings),
        environment=tuple(all_differences(old.record.environment, new.record.environment)),
        counts=tuple(counts),
        figures=figures,
        left_out=left_out,
        people=() if why else tuple(people_gains(old, new)),
        classes=() if why else tuple(class_gains(old, new)),
        verdict=verdict,
        sentence=sentence,
        notes=(*notes, *_other_settings(old), *_other_settings(new)),
    )


def all_differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, old and new value of what differs, with what only one of the two has.

    >>> list(all_differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "d": 4}}))
    [('a.b', 1, 3), ('a.c', 2, '(none)'), ('a.d', '(none)', 4)]
    """
    yield from differences(before, now, above)
    yield from _one_sided(before, now, above)


def _one_sided(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name, ABSENT), now.get(name, ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _one_sided(old, new, f"{above}{name}.")
        elif (name in before) != (name in now):
            yield f"{above}{name}", old, new


def _verdict(old: Side, new: Side, why: Sequence[str]) -> tuple[Comparison | None, str]:
    """The verdict with its sentence, or None with the reason."""
    if why:
        return None, f"No verdict: {', '.join(why)}."
    try:
        found = compare_runs(new.records, old.records, names=(new.name, old.name))
    except ValueError as error:
        return None, f"No verdict: {error}"
    return found, found.sentence


def _verdict_json(found: Comparison) -> dict[str, Any]:
    """What a comparison of its kind tells, by the names of the file's format."""
    told = {key: value for key, value in asdict(found).items() if value not in (None, (), {})}
    kind, resampled = told.pop("unit"), told.pop("resampled")
    if kind == "people":
        told["people"] = told.pop("units")
        return told
    if kind == "seeds":
        told |= {"mean": told.pop("difference"), "pairs": len(found.differences)}
    else:
        del told["differences"]
    return {**told, "unit": resampled}


def _figures(old: Side, new: Side, wanted: Sequence[str]) -> tuple[tuple[Figure, ...], int]:
    """The figures to show, and how many more both sides have."""
    every = [record.metrics for side in (old, new) for record in side.records]
    shared = [name for name in old.record.metrics if all(name in known for known in every)]
    chosen = _asked_for(shared, wanted) if wanted else _foremost(shared)
    return tuple(_figure(name, old, new) for name in chosen), len(shared) - len(chosen)


def _asked_for(shared: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The metrics of these names, and those behind them."""
    if "all" in wanted:
        return list(shared)
    for name in wanted:
        if not any(_behind(one, name) for one in shared):
            known = ", ".join(dict.fromkeys(one.split("/")[0] for one in shared))
            raise ValueError(
                f"--metric {name!r} is not a figure of both runs, which have {known or 'none'}"
            )
    return [one for one in shared if any(_behind(one, name) for name in wanted)]


def _behind(metric: str, name: str) -> bool:
    return metric == name or metric.startswith(f"{name}/")


def _foremost(shared: Sequence[str]) -> list[str]:
    """The most telling metrics, in the order of their weight."""

    def weight(name: str) -> int:
        measure = name.split("/", maxsplit=1)[0]
        return _MEASURES.index(measure) if measure in _MEASURES else len(_MEASURES)

    return sorted((name for name in shared if not name.startswith(_ASIDE)), key=weight)[:_FIGURES]


def _figure(name: str, old: Side, new: Side) -> Figure:
    values = [[record.metrics[name] for record in side.records] for side in (old, new)]
    alone = len(values[0]) == 1
    spread = [None if alone else statistics.stdev(each) for each in values]
    ends = [side.record.intervals.get(name) if alone else None for side in (old, new)]
    means = [statistics.fmean(each) for each in values]
    return Figure(name, means[0], means[1], ends[0], ends[1], spread[0], spread[1])


def _other_settings(side: Side) -> Iterator[str]:
    """A sentence where the runs of a side differ in more than their seed."""
    names = {
        name
        for record in side.records[1:]
        for name, _, _ in all_differences(side.record.settings, record.settings)
    }
    others = sorted(names - {"train.seed", "evaluation.gallery_seed"})
    if others:
        yield f"The runs of {side.name} differ among themselves in {', '.join(others)}."


def _rows(found: Sequence[tuple[str, Any, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "first": old, "second": new} for name, old, new in found]
