"""The two sides of a comparison: which records they are, and whether they can be compared."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protocols.records import ResultRecord
from tasks.run.judged import RECORD, read_any


@dataclass(frozen=True)
class Side:
    """One or more runs that are compared as one.

    Attributes:
        name: what to call it: the folder's or file's name, or the pattern's.
        paths: where its records were read from.
        records: of the runs, in the order of the pairs.
    """

    name: str
    paths: tuple[Path, ...]
    records: tuple[ResultRecord, ...]

    @property
    def record(self) -> ResultRecord:
        """The first record, which tells what holds for all of them."""
        return self.records[0]


def read_sides(first: str, second: str) -> tuple[Side, Side, tuple[str, ...]]:
    """Read both sides and pair their records by seed where there are several.

    Args:
        first: a run's folder, a record file, or a pattern of either, such as `ce-seed*.json`.
        second: the same.

    Returns:
        Both sides, and a sentence for what has no partner.

    Raises:
        ValueError: there is no such record, it is damaged, the two are of different tasks, the
            records of one side do not belong together, or no seed is on both sides.
    """
    sides = [_read_side(text) for text in (first, second)]
    if sides[0].name == sides[1].name:
        named = zip((first, second), sides, strict=True)
        sides = [Side(text, side.paths, side.records) for text, side in named]
    tasks = [side.record.task for side in sides]
    if tasks[0] != tasks[1]:
        raise ValueError(
            f"{first} is a record of {tasks[0]} and {second} of {tasks[1]}: compare runs of one "
            "task"
        )
    if len(sides[0].records) == len(sides[1].records) == 1:
        return sides[0], sides[1], ()
    return _paired(sides[0], sides[1])


def obstacles(first: ResultRecord, second: ResultRecord) -> tuple[str, ...]:
    """Why the figures of two records are not of one thing, a few words each; empty if they are."""
    found = []
    if first.dataset.fingerprint != second.dataset.fingerprint:
        old, new = (f"{one.dataset.name} {one.dataset.fingerprint[:8]}" for one in (first, second))
        found.append(f"other data set ({old}; {new})")
    for what in ("protocol", "described_rule"):
        old, new = getattr(first, what), getattr(second, what)
        if old != new:
            found.append(f"other {what.removeprefix('described_')} ({old}; {new})")
    return tuple(found)


def _read_side(text: str) -> Side:
    paths = _find(text)
    records = tuple(read_any(path) for path in paths)
    for path, record in zip(paths, records, strict=True):
        why = obstacles(records[0], record)
        if why or record.task != records[0].task:
            raise ValueError(
                f"{text}: {path} does not belong with {paths[0]}: "
                f"{', '.join(why) or 'other task'}; give seeds of one data set and protocol"
            )
    # A run's folder is named after what it is; its record is always called record.json.
    name = Path(text).parent.name if Path(text).name == RECORD else Path(text).stem
    return Side(name or text, tuple(paths), records)


def _find(text: str) -> list[Path]:
    """The paths that a text means; a name with a wildcard in it may still be a path."""
    if Path(text).exists() or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(Path(name) for name in glob.glob(text))
    if not found:
        raise ValueError(f"{text}: no run folder and no record file is named so")
    return found


def _paired(first: Side, second: Side) -> tuple[Side, Side, tuple[str, ...]]:
    """Both sides with the seeds that both have, in their order."""
    seeds = [_seeds(side) for side in (first, second)]
    shared = [seed for seed in seeds[0] if seed in seeds[1]]
    if not shared:
        words = [", ".join(map(str, known)) for known in seeds]
        raise ValueError(
            f"{first.name} has the seeds {words[0]} and {second.name} the seeds {words[1]}: runs "
            "are paired by seed, and none is on both sides"
        )
    alone = sorted(set(seeds[0]) ^ set(seeds[1]))
    notes = (f"Only one side has seed {', '.join(map(str, alone))}: left out.",) if alone else ()
    kept = [_kept(side, known, shared) for side, known in zip((first, second), seeds, strict=True)]
    return kept[0], kept[1], notes


def _seeds(side: Side) -> list[int]:
    """The seed of each record."""
    found = [record.seed for record in side.records]
    twice = [seed for seed, count in Counter(found).items() if count > 1]
    if None in found or twice:
        what = "a record without seed" if None in found else f"seed {twice[0]} twice"
        raise ValueError(f"{side.name} has {what}: several runs are paired by their seeds")
    return [seed for seed in found if seed is not None]


def _kept(side: Side, seeds: Sequence[int], wanted: Sequence[int]) -> Side:
    rows = [seeds.index(seed) for seed in wanted]
    return Side(side.name, tuple(side.paths[r] for r in rows), tuple(side.records[r] for r in rows))
