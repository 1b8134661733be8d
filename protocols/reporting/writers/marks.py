"""The best cells of each column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from protocols.reporting.model import Cell, ReportTable, Row, Source

Mark = Literal["best", "our-best"]

_COMPETING: tuple[Source, ...] = ("published", "ours", "imported", "foreign")
"""Sources that are compared: generated data are easier or harder than people."""


def compared_rows(table: ReportTable) -> tuple[tuple[int, ...], ...]:
    """Sets of rows that may be compared.

    Rows that say what they compare with are compared with the others that say the same. Of the rest
    all are compared in a table with published rows, whose rows have one protocol; in any other
    table each heading is another protocol or input, and only rows below it are compared.

    Returns:
        Sets of places of rows; together every row of the table.
    """
    published = any(row.source == "published" for row in table.rows)
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(table.rows):
        alone = "" if published else row.group
        groups.setdefault(row.compared or alone, []).append(place)
    return tuple(tuple(rows) for rows in groups.values())


def best_marks(table: ReportTable) -> dict[tuple[int, int], Mark]:
    """The best of all and the best of ours, in each column that has a better end.

    A single value is not marked; cells that read the same are equally good. Marks compare values
    and do not claim significance.

    Args:
        table: the table.

    Returns:
        By row and column, ``best``, or ``our-best`` where a value of another source is better.
    """
    marks: dict[tuple[int, int], Mark] = {}
    for rows in compared_rows(table):
        for column in range(len(table.columns)):
            for row in best_rows(table, rows, column, ("ours",)):
                marks[row, column] = "our-best"
            for row in best_rows(table, rows, column, _COMPETING):
                marks[row, column] = "best"
    return marks


def best_rows(
    table: ReportTable,
    rows: Sequence[int],
    column: int,
    sources: tuple[Source, ...],
    least: int = 2,
) -> tuple[int, ...]:
    """The rows with the best value of a column.

    Args:
        table: the table.
        rows: places of the rows that are compared.
        column: place of the column.
        sources: sources that are compared.
        least: the least number of values for one to be the best.

    Returns:
        Their places; several where values read the same, none where there is no best or, of
        several, all are the same.
    """
    better_up = table.columns[column].higher_is_better
    found: list[tuple[float, int]] = []
    for row in rows:
        cell = table.rows[row].cells[column]
        if cell.value is not None and cell.source in sources:
            found.append((cell.value, row))
    if better_up is None or len(found) < least:
        return ()
    _, first = (max if better_up else min)(found, key=lambda item: item[0])
    shown = _shown(table.rows[first].cells[column])
    equal = tuple(row for _, row in found if _shown(table.rows[row].cells[column]) == shown)
    return equal if len(equal) < len(found) or least == 1 else ()


def glance(table: ReportTable) -> tuple[int, list[Row], list[Row]] | None:
    """The first comparable rows with a value of ours, and their first such column.

    Returns:
        The place of the column, our best rows and the best published ones, of any protocol where
        there is none of the same; None where no column with a better end has a value of ours.
    """

    def best(rows: Sequence[int], place: int, source: Source) -> list[Row]:
        return [table.rows[row] for row in best_rows(table, rows, place, (source,), least=1)]

    for rows in compared_rows(table):
        for place in range(len(table.columns)):
            if ours := best(rows, place, "ours"):
                anywhere = range(len(table.rows))
                published = best(rows, place, "published") or best(anywhere, place, "published")
                return place, ours, published
    return None


def _shown(cell: Cell) -> str:
    """A cell's value as shown, without the spread."""
    return cell.text.split("±")[0].strip()
