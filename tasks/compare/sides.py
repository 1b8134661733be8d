"""The records on the two sides of a comparison, and whether they are comparable."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from aclnet.progress import Progress, with_progress
from protocols.embeddings import READ
from protocols.records import ResultRecord
from tasks.run.judged import RECORD, Names, read_any, saved_by
from tasks.run.saved import evaluate_file, read_file
from tasks.spec import TaskSpec, all_tasks, find_task


@dataclass(frozen=True)
class Side:
    """One or more runs on one side of a comparison.

    Attributes:
        name: name of the folder, the file or the pattern.
        paths: paths of its records.
        records: records of its runs, in the order of the pairs.
        query: how its files are evaluated.
    """

    name: str
    paths: tuple[Path, ...]
    records: tuple[ResultRecord, ...]
    query: FileQuery

    @property
    def files(self) -> bool:
        """Whether there are files of embeddings or scores among its paths."""
        return any(map(is_file, self.paths))

    @property
    def record(self) -> ResultRecord:
        """The first record, for what all of them share."""
        return self.records[0]


@dataclass(frozen=True)
class FileQuery:
    """How files of embeddings or scores are evaluated before they are compared.

    Attributes:
        task: name of the task; None: that of the run that saved the file, else the one whose
            content it has, else gait.
        options: options of the task's `eval`, by name.
        labels: a table of labels, for files that have none.
    """

    task: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: Path | None = None

    def like(self, record: ResultRecord) -> FileQuery:
        """The same, by default under the task, protocol and rule of a record."""
        if self.task not in (None, record.task):
            return self
        known = {one.name for one in fields(find_task(record.task).query)}
        own = {"protocol": record.protocol, "rule": record.rule}
        usual = {name: value for name, value in own.items() if name in known and value}
        return replace(self, task=record.task, options={**usual, **self.options})

    def evaluate(self, path: Path) -> ResultRecord:
        """Evaluate a file.

        Raises:
            ValueError: it cannot be read, does not fit the protocol, or the task has no such
                option.
        """
        spec = self._spec(path)
        unknown = self.options.keys() - {one.name for one in fields(spec.query)}
        if unknown:
            raise ValueError(f"--{min(unknown)}: `{spec.name} eval` has no such option")
        query = spec.query(**self.options)
        return evaluate_file(spec, path, query, "", Names(path.stem), self._labels(path))[0]

    def samples(self, path: Path) -> set[str]:
        """The keys of the samples in a file."""
        return set(read_file(self._spec(path), path, self._labels(path)).sample.tolist())

    def _labels(self, path: Path) -> Path | None:
        """The table of labels for a file that may have none; an ``.npz`` always has its own."""
        return None if path.suffix == ".npz" else self.labels

    def _spec(self, path: Path) -> TaskSpec:
        info = saved_by(path)
        if self.task is None and info is None:
            tasks = all_tasks().values()
            return next(
                (task for task in tasks if task.recognises(path, self._labels(path))),
                find_task("gait"),
            )
        return find_task(self.task or ("" if info is None else info.task))


def read_sides(
    texts: Sequence[str], files: FileQuery | None = None, progress: Progress | None = None
) -> list[Side]:
    """Read the sides of a comparison.

    Args:
        texts: for each side a run's folder, a record file, a file of embeddings or scores, or a
            pattern of one of these, such as `ce-seed*.json`.
        files: how files of embeddings or scores are evaluated; None: by the defaults. Beside a
            record they are evaluated as it was, unless another way is given.
        progress: called with the number of sides read and their total.

    Returns:
        The sides, in the order of the texts; sides of one name are called by their texts.

    Raises:
        ValueError: a record is missing or damaged, the tasks differ, or the records of one side are
            not comparable.
    """
    query = files or FileQuery()
    known = next((text for text in texts if not any(map(is_file, _find(text)))), None)
    if known is not None:
        query = query.like(_read_side(known).record)
    found = [path for text in texts for path in _find(text) if is_file(path)]
    if query.labels is not None and found and all(path.suffix == ".npz" for path in found):
        raise ValueError(f"--labels: {found[0]} has labels of its own; leave it out")
    sides = list(with_progress((_read_side(text, query) for text in texts), len(texts), progress))
    if files not in (None, FileQuery()) and not found:
        raise ValueError(
            "--task, --protocol, --rule and --labels are for files of embeddings; records keep "
            "their own"
        )
    names = Counter(side.name for side in sides)
    for text, side in zip(texts, sides, strict=True):
        if side.record.task != sides[0].record.task:
            raise ValueError(
                f"{texts[0]} is a record of {sides[0].record.task}, but {text} of "
                f"{side.record.task}: compare runs of one task"
            )
    return [
        side if names[side.name] == 1 else replace(side, name=text)
        for text, side in zip(texts, sides, strict=True)
    ]


def pair_sides(first: Side, second: Side) -> tuple[Side, Side, tuple[str, ...]]:
    """Pair the records of two sides by seed if there are several.

    Returns:
        Both sides, and notes on records without a partner and on samples of one file alone.

    Raises:
        ValueError: a side has no seed, or one twice, or the sides share none.
    """
    if len(first.records) == len(second.records) == 1:
        return first, second, tuple(_strangers(first, second))
    return _paired(first, second)


def is_file(path: Path) -> bool:
    """Whether a path is that of a file of embeddings or scores."""
    return path.suffix in READ and not path.is_dir()


def _strangers(first: Side, second: Side) -> Iterator[str]:
    """The samples that only one of two files has."""
    if first.record.same_data(second.record) or not (first.files and second.files):
        return
    old, new = (side.query.samples(side.paths[0]) for side in (first, second))
    for side, only in ((first, old - new), (second, new - old)):
        if only:
            yield f"Only {side.name} has sample {min(only)!r} ({len(only)} in all)."


def obstacles(first: ResultRecord, second: ResultRecord) -> tuple[str, ...]:
    """Why the metrics of two records are not comparable, a few words each; empty if they are."""
    found = []
    if not first.same_data(second):
        old, new = (f"{one.dataset.name} {one.dataset.fingerprint[:8]}" for one in (first, second))
        found.append(f"other data set ({old}; {new})")
    for what in ("protocol", "described_rule"):
        old, new = getattr(first, what), getattr(second, what)
        if old != new:
            found.append(f"other {what.removeprefix('described_')} ({old}; {new})")
    return tuple(found)


def _read_side(text: str, files: FileQuery | None = None) -> Side:
    """Read the records of a side; files of embeddings are evaluated."""
    files = files or FileQuery()
    paths = _find(text)
    records = tuple(files.evaluate(path) if is_file(path) else read_any(path) for path in paths)
    for path, record in zip(paths, records, strict=True):
        why = obstacles(records[0], record)
        if why or record.task != records[0].task:
            raise ValueError(
                f"{text}: {path} is not comparable with {paths[0]}: "
                f"{', '.join(why) or 'other task'}; give seeds of one data set and protocol"
            )
    # A run's record is always called record.json; its folder has a meaningful name.
    name = Path(text).parent.name if Path(text).name == RECORD else Path(text).stem
    return Side(name or text, tuple(paths), records, files)


def _find(text: str) -> list[Path]:
    """The paths of a pattern; a path may contain wildcard characters too."""
    if Path(text).exists() or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(Path(name) for name in glob.glob(text))
    if not found:
        raise ValueError(f"{text}: no run folder or record file matches")
    return found


def _paired(first: Side, second: Side) -> tuple[Side, Side, tuple[str, ...]]:
    """Both sides with the seeds that they share, in the first one's order."""
    seeds = [_seeds(side) for side in (first, second)]
    shared = [seed for seed in seeds[0] if seed in seeds[1]]
    if not shared:
        old, new = (", ".join(map(str, known)) for known in seeds)
        raise ValueError(
            f"{first.name} has the seeds {old} and {second.name} the seeds {new}: runs are paired "
            "by seed, and none is on both sides"
        )
    single = ", ".join(map(str, sorted(set(seeds[0]) ^ set(seeds[1]))))
    notes = (f"Only one side has seed {single}: not compared.",) if single else ()
    kept = [_kept(side, known, shared) for side, known in zip((first, second), seeds, strict=True)]
    return kept[0], kept[1], notes


def _seeds(side: Side) -> list[int]:
    found = [record.seed for record in side.records]
    twice = [seed for seed, count in Counter(found).items() if count > 1]
    if None in found or twice:
        what = "a record without seed" if None in found else f"seed {twice[0]} twice"
        raise ValueError(f"{side.name} has {what}: several runs are paired by their seeds")
    return [seed for seed in found if seed is not None]


def _kept(side: Side, seeds: Sequence[int], wanted: Sequence[int]) -> Side:
    rows = [seeds.index(seed) for seed in wanted]
    paths, records = (side.paths[row] for row in rows), (side.records[row] for row in rows)
    return replace(side, paths=tuple(paths), records=tuple(records))
