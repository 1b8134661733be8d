"""Notes of cells, numbered: an equal sentence has one number."""

from __future__ import annotations

from collections.abc import Callable

from protocols.reporting.model import Cell, ReportTable, Row


def footnotes(table: ReportTable) -> tuple[Callable[[Cell], int], tuple[str, ...]]:
    """Number the notes of a table's cells in the order in which they are met.

    Returns:
        What gives the number of a cell's note (0 where it has none), and the notes from 1 on.
    """
    notes = tuple(dict.fromkeys(cell.note for row in table.rows for cell in row.cells if cell.note))
    numbers = {note: number for number, note in enumerate(notes, start=1)}
    return lambda cell: numbers.get(cell.note, 0), notes


def runs_of(row: Row) -> tuple[str, ...]:
    """Files of all records behind a row, each once."""
    return tuple(dict.fromkeys(file for cell in row.cells for file in cell.runs))


def row_mark(row: Row) -> str:
    """What marks a row whose figures are not those of runs on recorded people."""
    return {"synthetic": " [synthetic]", "imported": " [imported]"}.get(row.source, "")
