"""Compares two runs: settings, data, metrics, people, classes, and a statistical verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aclnet.progress import Progress, share
from protocols.statistics.comparison import Comparison
from protocols.statistics.comparison import compare as compare_runs
from tasks.compare.gains import Gain, class_gains, people_gains
from tasks.compare.sides import FileQuery, Side, obstacles, pair_sides, read_sides
from tasks.run.resume import differences

Ends = tuple[float, float]

ABSENT = "(none)"
"""Value of a setting that only the other run has."""

_FIRST = ("rank1", "top1", "eer", "mAP", "mean_class", "top5")
_SKIPPED = ("chance", "majority", "threshold", "fmr_achieved", "dir_spread")
_SHOWN = 12


@dataclass(frozen=True)
class MetricPair:
    """One metric on both sides.

    Attributes:
        metric: name of the metric.
        first: value of the first side, mean over its runs.
        second: value of the second side.
        first_ends: interval of the first side, if it is one run and its record has the interval.
        second_ends: interval of the second side.
        first_spread: standard deviation over the runs of the first side, if there are several.
        second_spread: standard deviation of the second side.
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
    """The comparison of two sides.

    Attributes:
        first: one or more runs.
        second: the runs to compare with them.
        obstacles: why the metrics are not comparable; empty if they are.
        settings: dotted name, first and second value of settings that differ.
        environment: the same for versions and devices.
        counts: the same for counts.
        metrics: the selected metrics.
        left_out: number of further metrics that both sides have.
        people: gains of the people, greatest first.
        classes: gains of the classes, greatest first.
        verdict: statistical comparison; None if the records do not allow one.
        sentence: the verdict in one sentence, or why there is none.
        notes: sentences that belong to it.
    """

    first: Side
    second: Side
    obstacles: tuple[str, ...]
    settings: tuple[tuple[str, Any, Any], ...]
    environment: tuple[tuple[str, Any, Any], ...]
    counts: tuple[tuple[str, Any, Any], ...]
    metrics: tuple[MetricPair, ...]
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
            "comparison": 2,
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
                key: [{**asdict(one), "difference": one.difference} for one in each]
                for key, each in (
                    ("metrics", self.metrics),
                    ("people", self.people),
                    ("classes", self.classes),
                )
            },
            "verdict": None if self.verdict is None else verdict_json(self.verdict),
            "sentence": self.sentence,
            "notes": list(self.notes),
        }


def compare(
    first: str,
    second: str,
    metrics: Sequence[str] = (),
    files: FileQuery | None = None,
    progress: Progress | None = None,
) -> RunComparison:
    """Compare two runs, or two groups of runs paired by seed.

    Args:
        first: a run's folder, a record file, a file of embeddings or scores, or a pattern of these.
        second: the same.
        metrics: names of metrics, each with its parts (`rank1` selects `rank1/nm` too), or `all`;
            empty: the most important ones.
        files: how files of embeddings or scores are evaluated; None: by the defaults.
        progress: called with the amount done and the total.

    Raises:
        ValueError: a record is missing, damaged or of another task, or a side lacks a metric.
    """
    old, new, notes = pair_sides(*read_sides((first, second), files, share(progress, 0, 2)))
    why = obstacles(old.record, new.record)
    chosen, left_out = chosen_metrics((old, new), metrics)
    verdict, sentence = find_verdict(old, new, why, progress=share(progress, 1, 2))
    several = len(old.records) > 1
    settings = [
        row
        for row in all_differences(old.record.settings, new.record.settings)
        if not (several and row[0] == "train.seed")
    ]
    return RunComparison(
        first=old,
        second=new,
        obstacles=why,
        settings=tuple(settings),
        environment=tuple(all_differences(old.record.environment, new.record.environment)),
        counts=tuple(all_differences(old.record.counts, new.record.counts)),
        metrics=tuple(_pair(name, old, new) for name in chosen),
        left_out=left_out,
        people=() if why else tuple(people_gains(old, new)),
        classes=() if why else tuple(class_gains(old, new)),
        verdict=verdict,
        sentence=sentence,
        notes=(*notes, *side_notes(old, new)),
    )


def all_differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, old and new value of what differs, including what only one of them has.

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


def find_verdict(
    old: Side,
    new: Side,
    why: Sequence[str],
    draws: int = 2000,
    progress: Progress | None = None,
) -> tuple[Comparison | None, str]:
    """The verdict on the second side and its sentence, or None and the reason."""
    if why:
        return None, f"No verdict: {', '.join(why)}."
    names = (new.name, old.name)
    try:
        found = compare_runs(new.records, old.records, names=names, draws=draws, progress=progress)
    except ValueError as error:
        return None, f"No verdict: {error}"
    finally:
        if progress is not None:
            progress(1, 1)
    return found, found.sentence


def verdict_json(found: Comparison) -> dict[str, Any]:
    """A comparison under the names of the file format, which depend on its kind."""
    values = {key: value for key, value in asdict(found).items() if value not in (None, (), {})}
    del values["names"]
    kind, resampled = values.pop("unit"), values.pop("resampled")
    if kind == "people":
        values["people"] = values.pop("units")
        return values
    if kind == "seeds":
        values |= {"mean": values.pop("difference"), "pairs": len(found.differences)}
    else:
        del values["differences"]
    return {**values, "unit": resampled}


def chosen_metrics(sides: Sequence[Side], names: Sequence[str]) -> tuple[list[str], int]:
    """The selected metrics, and the number of further ones that all sides have."""
    every = [record.metrics for side in sides for record in side.records]
    shared = [name for name in every[0] if all(name in known for known in every)]
    chosen = _named(shared, names) if names else _most_important(shared)
    return chosen, len(shared) - len(chosen)


def _named(shared: Sequence[str], names: Sequence[str]) -> list[str]:
    """The metrics of these names, with their parts."""
    if "all" in names:
        return list(shared)
    for name in names:
        if not any(f"{metric}/".startswith(f"{name}/") for metric in shared):
            known = ", ".join(dict.fromkeys(metric.split("/")[0] for metric in shared))
            raise ValueError(
                f"--metric {name!r}: not a metric of all runs, which share {known or 'none'}"
            )
    starts = tuple(f"{name}/" for name in names)
    return [metric for metric in shared if f"{metric}/".startswith(starts)]


def _most_important(shared: Sequence[str]) -> list[str]:
    def place(name: str) -> int:
        measure = name.split("/", maxsplit=1)[0]
        return _FIRST.index(measure) if measure in _FIRST else len(_FIRST)

    return sorted((name for name in shared if not name.startswith(_SKIPPED)), key=place)[:_SHOWN]


def _pair(name: str, old: Side, new: Side) -> MetricPair:
    values = [[record.metrics[name] for record in side.records] for side in (old, new)]
    single = len(values[0]) == 1
    spread = [None if single else statistics.stdev(each) for each in values]
    ends = [side.record.intervals.get(name) if single else None for side in (old, new)]
    means = [statistics.fmean(each) for each in values]
    return MetricPair(name, means[0], means[1], ends[0], ends[1], spread[0], spread[1])


def side_notes(*sides: Side) -> Iterator[str]:
    """Sentences on the runs of each side, and on how its files were read."""
    for side in sides:
        yield from _other_settings(side)
    yield from _file_notes(*sides)


def _other_settings(side: Side) -> Iterator[str]:
    """A sentence if the runs of a side differ in more than their seed."""
    names = {
        name
        for record in side.records[1:]
        for name, _, _ in all_differences(side.record.settings, record.settings)
    }
    others = sorted(names - {"train.seed", "evaluation.gallery_seed"})
    if others:
        yield f"The runs of {side.name} differ from each other in {', '.join(others)}."


def _file_notes(*sides: Side) -> Iterator[str]:
    """The notes of files that were evaluated here, as nobody has seen their records."""
    notes = (note for side in sides if side.files for one in side.records for note in one.notes)
    yield from dict.fromkeys(notes)


def _rows(found: Sequence[tuple[str, Any, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "first": old, "second": new} for name, old, new in found]
