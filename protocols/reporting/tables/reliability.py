"""Damaged files, kills, full disks and two processes at once: counts of tests/fuzz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.records import RELIABILITY, Name
from protocols.reporting.model import Cell, Column, ReportTable, Row

_COLUMNS = (
    Column("tries", "", None),
    Column("read", "", None),
    Column("refused", "", None),
    Column("faults", "", False),
    Column("longest", "s", False),
    Column("most memory", "MiB", False),
)


class Tries(BaseModel):
    """What was tried on one format or command, and how it ended.

    Attributes:
        group: What was done, such as ``damaged files``.
        name: The format or the command.
        tries: How often.
        read: Of these, inputs that were read, or commands whose result was that of an undisturbed
            one.
        refused: Inputs that were refused in a sentence, or processes that gave way to another.
        faults: By kind, how often something else happened; one try may have several.
        longest_seconds: Of the longest try; None where it is not measured.
        largest_bytes: Most memory of a try beyond that in use before; None where it is not
            measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: Name
    name: Name
    tries: int = Field(ge=0)
    read: int = Field(ge=0)
    refused: int = Field(ge=0)
    faults: dict[str, int]
    longest_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    largest_bytes: int | None = None


class ReliabilityCounts(BaseModel):
    """A file of counts.

    Attributes:
        reliability: What was run: ``fuzz`` or ``kills``.
        seed: Seed of the inputs.
        rows: The counts.
        left_out: Formats that could not be tried there.
        seconds: Wall time.
        command: The command that repeats them.
        environment: As in a record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reliability: Name
    seed: int
    rows: tuple[Tries, ...]
    left_out: tuple[str, ...] = ()
    seconds: float = Field(ge=0, allow_inf_nan=False)
    command: str
    environment: dict[str, Any]


def reliability_tables(results: Path | str | None) -> tuple[ReportTable, ...]:
    """The table of the counts in ``reliability`` below a folder of results; none without counts.

    Raises:
        ValueError: A file there is no such counts; it is named.
    """
    folder = None if results is None else Path(results) / RELIABILITY
    files = sorted(folder.glob("*.json")) if folder is not None and folder.is_dir() else []
    counts = [_read(path) for path in files]
    if not counts:
        return ()
    table = ReportTable(
        key=RELIABILITY,
        title="Reliability: damaged files, kills, full disks, two processes at once",
        columns=_COLUMNS,
        rows=tuple(row for one in counts for row in _rows(one)),
        notes=tuple(_note(one) for one in counts),
        task=RELIABILITY,
        datasets=(),
    )
    return (table,)


def _read(path: Path) -> ReliabilityCounts:
    try:
        return ReliabilityCounts.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: no counts of tests/fuzz: {place}: {first['msg']}") from None


def _rows(counts: ReliabilityCounts) -> Iterator[Row]:
    """The sum of each group, then its parts."""
    for group in dict.fromkeys(row.group for row in counts.rows):
        own = [row for row in counts.rows if row.group == group]
        for label, part in (("all", own), *((row.name, [row]) for row in own)):
            yield Row(label, tuple(_cells(part)), "ours", counts.command, group)


def _cells(rows: list[Tries]) -> Iterator[Cell]:
    """Sums, and the largest of what has a largest."""
    for name in ("tries", "read", "refused"):
        yield _cell(sum(getattr(row, name) for row in rows))
    yield _cell(sum(sum(row.faults.values()) for row in rows))
    seconds = [row.longest_seconds for row in rows if row.longest_seconds is not None]
    yield _cell(max(seconds, default=None), 1)
    sizes = [row.largest_bytes for row in rows if row.largest_bytes is not None]
    yield _cell(max(sizes) / 2**20 if sizes else None)


def _cell(value: float | None, decimals: int = 0) -> Cell:
    text = "" if value is None else f"{value:.{decimals}f}"
    return Cell(text, value, None, (), "none" if value is None else "ours")


def _note(counts: ReliabilityCounts) -> str:
    left = f"; not tried there: {', '.join(counts.left_out)}" if counts.left_out else ""
    commit = counts.environment.get("commit", "an unknown commit")
    return f"{counts.reliability}: {counts.command} at {commit[:12]}{left}."
