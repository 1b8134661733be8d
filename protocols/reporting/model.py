"""The parts of a report: tables of cells with their origin, figures, and the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from protocols.figures.drawing.planning import ReportFigure
from protocols.groups import RunEntry
from protocols.labels import free_name
from protocols.records import FOREIGN, ResultRecord

Source = Literal["published", "ours", "imported", "foreign", "synthetic", "none"]
"""Origin of a value.

``published``: printed in a paper; ``ours``: a run of this program on recorded people;
``imported``: weights that another program trained, scored here; ``foreign``: embeddings or scores
of another program, scored here; ``synthetic``: a run on generated data; ``none``: there is no
value.
"""

_IN_WORDS: dict[Source, str] = {
    "ours": "this program",
    "imported": "imported weights",
    "foreign": "another program",
    "synthetic": "generated data",
}

_MARKED = ("synthetic", "imported", "foreign")

NOT_RUN = "not run"
"""The text of a cell for which no run exists."""


@dataclass(frozen=True)
class Column:
    """One column of values.

    Attributes:
        name: Heading, such as ``X-Sub``.
        unit: Unit of its values, such as ``%``; empty for text and plain numbers.
        higher_is_better: None where neither end is better.
    """

    name: str
    unit: str = "%"
    higher_is_better: bool | None = True

    @property
    def heading(self) -> str:
        """The name, with the unit where it is not percent."""
        return self.name if self.unit in ("", "%") else f"{self.name} ({self.unit})"


@dataclass(frozen=True)
class Cell:
    """One value as shown, and its origin.

    Attributes:
        text: As shown, such as ``94.7`` or ``57.3 ± 1.2`` or ``not run``.
        value: The value in the unit of its column (so a rate in percent), for sorting; None where
            there is none.
        spread: Sample standard deviation (N - 1) over the seeds, same unit; None for one run.
        runs: Files of its records, relative to the folder of results, with forward slashes.
        source: Its origin.
        note: A sentence to be read with it; empty for none.
    """

    text: str
    value: float | None
    spread: float | None
    runs: tuple[str, ...]
    source: Source
    note: str = ""


def number_cell(value: float | None, form: str) -> Cell:
    """A number of ours in this format, or an empty cell."""
    text = "" if value is None else f"{value:{form}}"
    return Cell(text, value, None, (), "none" if value is None else "ours")


@dataclass(frozen=True)
class Row:
    """One method or run.

    Attributes:
        label: Name of the method or run.
        cells: One a column of the table.
        source: Origin of its values.
        reference: The publication it was printed in, or the command that makes it.
        group: Heading that neighbouring rows share; empty for none.
        compared: What the row may be compared with: the rows of the same text; empty as
            :func:`protocols.reporting.writers.marks.compared_rows` says.
    """

    label: str
    cells: tuple[Cell, ...]
    source: Source
    reference: str
    group: str = ""
    compared: str = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """Files of all its records, each once."""
        return tuple(dict.fromkeys(file for cell in self.cells for file in cell.runs))

    @property
    def marked(self) -> str:
        """The label, marked where values are not those of runs on recorded people."""
        return f"{self.label} [{self.source}]" if self.source in _MARKED else self.label

    @property
    def origin(self) -> str:
        """The publication; of own rows their kind, as their records have the commands."""
        return self.reference if self.source == "published" else _IN_WORDS.get(self.source, "")


@dataclass(frozen=True)
class ReportTable:
    """One table.

    Attributes:
        key: Name for files and anchors, such as ``table-1``; lower case, digits and hyphens.
        title: One line.
        columns: The columns of values; the label of a row comes before them.
        rows: The rows, in the order shown.
        notes: Sentences below the table.
        task: Name of the task; ``cost`` for the cost of networks.
        datasets: Its data sets, by their display names.

    Raises:
        ValueError: A row has more or fewer cells than there are columns.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    task: str
    datasets: tuple[str, ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"Row {row.label!r} of {self.key} has {len(row.cells)} cells for "
                    f"{len(self.columns)} columns: give one per column."
                )

    @property
    def footnotes(self) -> tuple[str, ...]:
        """Notes of the cells in order, each once."""
        return tuple(dict.fromkeys(c.note for row in self.rows for c in row.cells if c.note))


class ErrorPage(NamedTuple):
    """A page beside the report's, with the worst errors of a run.

    Attributes:
        record: The run's.
        address: Of the page, from the report's folder.
    """

    record: ResultRecord
    address: str


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        tables: The tables, those of the paper first.
        figures: The figures.
        runs: Every run that was read, in the order of their files.
        skipped: One line for each file that is not a record, with its name.
        errors: Pages with the worst errors of runs, to which the page leads.
    """

    tables: tuple[ReportTable, ...]
    figures: tuple[ReportFigure, ...]
    runs: tuple[RunEntry, ...]
    skipped: tuple[str, ...] = ()
    errors: tuple[ErrorPage, ...] = ()


def named_apart(tables: Sequence[ReportTable]) -> tuple[ReportTable, ...]:
    """The tables, a repeated key with a number, as of data named ``My Set`` and ``my-set``."""
    named: list[ReportTable] = []
    for table in tables:
        key = free_name(table.key, [other.key for other in named])
        named.append(replace(table, key=key))
    return tuple(named)


def source_of(record: ResultRecord) -> Source:
    """The origin of a record's values; generated data count before anything else."""
    if record.dataset.synthetic:
        return "synthetic"
    if FOREIGN in record.notes:
        return "foreign"
    return "imported" if record.objective == "imported" else "ours"
