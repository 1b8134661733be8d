"""Damaged files, kills, full disks and two processes at once: counts of tests/fuzz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from protocols.measured import Measured, read_measured
from protocols.records import RELIABILITY, Name
from protocols.reporting.model import Cell, Column, ReportTable, Row, number_cell

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


class ReliabilityCounts(Measured):
    """A file of counts.

    Attributes:
        reliability: What was run: ``fuzz`` or ``kills``.
        seed: Seed of the inputs.
        rows: The counts.
        left_out: Formats that could not be tried there.
        seconds: Wall time.
    """

    reliability: Name
    seed: int
    rows: tuple[Tries, ...]
    left_out: tuple[str, ...] = ()
    seconds: float = Field(ge=0, allow_inf_nan=False)


def reliability_tables(results: Path | str | None) -> tuple[ReportTable, ...]:
    """The tables of the counts in ``reliability`` below a folder of results; none without counts.

    One has a row for each thing that was done, the other for each format and command too.

    Raises:
        ValueError: A file there is no such counts; it is named.
    """
    counts = read_measured(results, RELIABILITY, ReliabilityCounts)
    if not counts:
        return ()
    rows = {
        "": [row for one in counts for row in _sums(one)],
        "parts": [row for one in counts for row in _parts(one)],
    }
    title = "Reliability: damaged files, kills, full disks, two processes at once"
    return tuple(
        ReportTable(
            key="-".join(filter(None, (RELIABILITY, part))),
            title=f"{title}{', each format and command' if part else ''}",
            columns=_COLUMNS,
            rows=tuple(own),
            notes=tuple(map(_note, counts)),
            task=RELIABILITY,
            datasets=(),
        )
        for part, own in rows.items()
    )


def _sums(counts: ReliabilityCounts) -> Iterator[Row]:
    """A row for each group."""
    for group, own in _groups(counts):
        yield Row(group, tuple(_cells(own)), "ours", counts.command)


def _parts(counts: ReliabilityCounts) -> Iterator[Row]:
    """A row for each format or command, group by group."""
    for group, own in _groups(counts):
        for row in own:
            yield Row(row.name, tuple(_cells([row])), "ours", counts.command, group)


def _groups(counts: ReliabilityCounts) -> Iterator[tuple[str, list[Tries]]]:
    for group in dict.fromkeys(row.group for row in counts.rows):
        yield group, [row for row in counts.rows if row.group == group]


def _cells(rows: list[Tries]) -> Iterator[Cell]:
    """Sums, and the largest of what has a largest."""
    for name in ("tries", "read", "refused"):
        yield number_cell(sum(getattr(row, name) for row in rows), ".0f")
    yield number_cell(sum(sum(row.faults.values()) for row in rows), ".0f")
    seconds = [row.longest_seconds for row in rows if row.longest_seconds is not None]
    yield number_cell(max(seconds, default=None), ".1f")
    sizes = [row.largest_bytes for row in rows if row.largest_bytes is not None]
    yield number_cell(max(sizes) / 2**20 if sizes else None, ".0f")


def _note(counts: ReliabilityCounts) -> str:
    left = f"; not tried there: {', '.join(counts.left_out)}" if counts.left_out else ""
    return f"{counts.reliability}: {counts.command} at {counts.commit}{left}."
