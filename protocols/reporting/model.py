"""What a report is made of: tables of cells that know their origin, figures, and the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from protocols.figures.planning import ReportFigure
from protocols.groups import RunEntry
from protocols.records import ResultRecord

Source = Literal["published", "ours", "imported", "synthetic", "none"]
"""Where a figure comes from.

``published``: printed in a paper; ``ours``: a run of this program on recorded people;
``imported``: weights that another program trained, scored here; ``synthetic``: a run on generated
data; ``none``: there is no figure.
"""

_IN_WORDS: dict[Source, str] = {
    "ours": "this program",
    "imported": "imported weights",
    "synthetic": "generated data",
}

NOT_RUN = "not run"
"""The text of a cell for which no run exists."""


@dataclass(frozen=True)
class Column:
    """One column of figures.

    Attributes:
        name: Heading, such as ``X-Sub``.
        unit: Unit of its figures, such as ``%``; empty where a figure is text or has none.
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
    """One figure as shown, and where it comes from.

    Attributes:
        text: What is shown, such as ``94.7`` or ``57.3 ± 1.2`` or ``not run``.
        value: The figure in the unit of its column (so a rate in percent), for sorting; None where
            there is none.
        spread: Sample standard deviation (N - 1) over the seeds, same unit; None for one run.
        runs: Files of the records that it is made of, relative to the folder of results, with
            forward slashes.
        source: Where it comes from.
        note: A sentence that must stand beside it; empty for none.
    """

    text: str
    value: float | None
    spread: float | None
    runs: tuple[str, ...]
    source: Source
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One method or run.

    Attributes:
        label: What the row shows.
        cells: One a column of the table.
        source: Where its figures come from.
        reference: The publication it was printed in, or the command that makes it.
        group: Heading under which neighbouring rows stand together; empty for none.
    """

    label: str
    cells: tuple[Cell, ...]
    source: Source
    reference: str
    group: str = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """Files of all records behind it, each once."""
        return tuple(dict.fromkeys(file for cell in self.cells for file in cell.runs))

    @property
    def marked(self) -> str:
        """The label, which says where figures are not those of runs on recorded people."""
        return self.label + (
            f" [{self.source}]" if self.source in ("synthetic", "imported") else ""
        )

    @property
    def origin(self) -> str:
        """The publication; of own rows the kind, as their records name the commands."""
        return self.reference if self.source == "published" else _IN_WORDS.get(self.source, "")


@dataclass(frozen=True)
class ReportTable:
    """One table.

    Attributes:
        key: Name for files and anchors, such as ``table-1``; lower case, digits and hyphens.
        title: One line.
        columns: The columns of figures; the label of a row stands before them.
        rows: The rows, in the order shown.
        notes: Sentences that belong under the table.
        task: Name of the task; ``cost`` for what networks cost.
        datasets: Data sets it speaks of, by their display names.

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
                    f"{len(self.columns)} columns: give one a column."
                )

    @property
    def footnotes(self) -> tuple[str, ...]:
        """Notes of the cells in the order in which they are met, each once."""
        return tuple(dict.fromkeys(c.note for row in self.rows for c in row.cells if c.note))


@dataclass(frozen=True)
class Report:
    """All that is shown.

    Attributes:
        tables: The tables, those of the paper first.
        figures: The figures.
        runs: Every run that was read, in the order of their files.
        skipped: One line for each file that is no record, with its name.
    """

    tables: tuple[ReportTable, ...]
    figures: tuple[ReportFigure, ...]
    runs: tuple[RunEntry, ...]
    skipped: tuple[str, ...] = ()


def source_of(record: ResultRecord) -> Source:
    """Where a record's figures come from; generated data count before anything else."""
    if record.dataset.synthetic:
        return "synthetic"
    return "imported" if record.objective == "imported" else "ours"
