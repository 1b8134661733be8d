"""A report's folder and a folder of runs, read; nothing outside them, through no link either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aclnet.foreign.text import check_regular, read_bytes
from protocols.groups import flat_settings
from protocols.labels import dataset_of
from protocols.records import ResultRecord
from protocols.reporting.writers.runs import facts_of, metrics_of, number, title_of

RECORD = "record.json"
MOST_RUNS, _DEEPEST = 500, 4
_MOST_BYTES = 64 << 20
_SHOWN_METRICS = 4

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".csv": "text/plain; charset=utf-8",
    ".json": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
"""Media types of what a report consists of, by ending; nothing else is shown."""


class RunLine(NamedTuple):
    """A line of the list of runs.

    Attributes:
        place: the run's folder, from that of all.
        title: objective, streams, seed; or why there is no result.
        about: task, data and protocol.
        metrics: its first values.
    """

    place: str
    title: str
    about: str = ""
    metrics: str = ""


class RunPage(NamedTuple):
    """A run.

    Attributes:
        title: objective, streams, seed.
        facts: data, protocol and the like.
        metrics: values by name.
        notes: sentences.
        settings: by dotted name.
        command: that made it.
    """

    title: str
    facts: dict[str, str]
    metrics: dict[str, str]
    notes: tuple[str, ...]
    settings: dict[str, str]
    command: str


@dataclass(frozen=True)
class Places:
    """The folders that may be browsed.

    Args:
        report: a report's; None: there is none.
        runs: of run folders.

    Raises:
        ValueError: one is not a folder.
    """

    report: Path | None = None
    runs: Path | None = None

    def __post_init__(self) -> None:
        for option, folder in (("--report", self.report), ("--runs", self.runs)):
            if folder is not None and not folder.is_dir():
                raise ValueError(f"{option} {folder}: no such folder")

    def listed(self) -> tuple[list[RunLine], bool]:
        """The runs, and whether there are more."""
        if self.runs is None:
            return [], False
        found: list[RunLine] = []
        for folder in _run_folders(self.runs):
            if len(found) == MOST_RUNS:
                return found, True
            found.append(_line(self.runs, folder))
        return found, False

    def run(self, place: str) -> RunPage | None:
        """A run by its place in the list; None: there is none."""
        file = None if self.runs is None else inside(self.runs, f"{place}/{RECORD}")
        if file is None:
            return None
        record = _record(file)
        return RunPage(
            title_of(record),
            {"Task": record.task, **facts_of(record)},
            metrics_of(record),
            record.notes,
            flat_settings(record.settings),
            record.command,
        )

    def report_files(self) -> list[tuple[str, str]]:
        """The report's files: their folder and their path, from that of the report."""
        if self.report is None:
            return []
        places = [
            file.relative_to(self.report).as_posix()
            for folder in _folders(self.report)
            for file in sorted(folder.iterdir())
            if file.suffix in KINDS
            and inside(self.report, file.relative_to(self.report).as_posix()) is not None
        ][:MOST_RUNS]
        return [(place.rpartition("/")[0], place) for place in places]

    def report_file(self, place: str) -> tuple[bytes, str] | None:
        """Content and ending of a file of the report; None: there is none."""
        file = None if self.report is None else inside(self.report, place)
        if file is None or file.suffix not in KINDS:
            return None
        return read_bytes(file, _MOST_BYTES), file.suffix


def inside(folder: Path, place: str) -> Path | None:
    """A regular file below a folder, links resolved; None where it is none or lies elsewhere.

    Args:
        folder: the folder.
        place: path from it; names that begin with a dot are hidden.
    """
    parts = place.split("/")
    if "\0" in place or "\\" in place or any(part.startswith(".") or not part for part in parts):
        return None
    try:
        root = folder.resolve(strict=True)
        found = root.joinpath(*parts).resolve(strict=True)
        check_regular(found)
    except (OSError, RuntimeError, ValueError):
        return None
    return found if found.is_relative_to(root) else None


def _folders(root: Path) -> Iterator[Path]:
    """A folder and those below it, not through links and not too deep."""
    for name, below, _ in os.walk(root):
        folder = Path(name)
        deep = len(folder.relative_to(root).parts)
        below[:] = sorted(one for one in below if not one.startswith(".") and deep < _DEEPEST)
        yield folder


def _run_folders(root: Path) -> Iterator[Path]:
    return (
        folder
        for folder in _folders(root)
        if folder != root and any((folder / name).is_file() for name in (RECORD, "settings.yaml"))
    )


def _line(root: Path, folder: Path) -> RunLine:
    place = folder.relative_to(root).as_posix()
    file = inside(root, f"{place}/{RECORD}")
    if file is None:
        return RunLine(place, "no result yet")
    try:
        record = _record(file)
    except ValueError:
        return RunLine(place, "its record cannot be read")
    first = sorted(record.metrics, key=lambda name: "/" in name)[:_SHOWN_METRICS]
    return RunLine(
        place,
        title_of(record),
        f"{record.task}, {dataset_of(record.dataset)}, {record.protocol}",
        ", ".join(f"{name} {number(record.metrics[name])}" for name in first),
    )


def _record(file: Path) -> ResultRecord:
    return ResultRecord.from_json(read_bytes(file, _MOST_BYTES).decode("utf-8"))
