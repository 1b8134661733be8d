"""Names of the rows of a table, short enough for a page."""

from __future__ import annotations

from typing import NamedTuple

from protocols.reporting.model import ReportTable, Row

LONG = 64
"""Characters of a name from which the page folds it."""

_OWN = ("ours", "imported", "foreign", "synthetic")


class ShortNames(NamedTuple):
    """The names of a table's rows.

    Attributes:
        rows: One a row.
        shared: What was left out, as every run of the table has it; empty for nothing.
    """

    rows: list[str]
    shared: str


def short_names(table: ReportTable) -> ShortNames:
    """Leave out of the rows of runs the parts that all of them have, such as their streams.

    Parts stand behind commas; the first names the method and is kept, and rows of one part, such as
    guesses, are passed over. Nothing is left out where two rows would become alike.
    """
    full = [row.label for row in table.rows]
    parts = {
        place: row.label.split(", ")[1:]
        for place, row in enumerate(table.rows)
        if row.source in _OWN and ", " in row.label
    }
    if len(parts) < 2:
        return ShortNames(full, "")
    first, *others = parts.values()
    shared = [part for part in first if all(part in other for other in others)]
    short = [
        ", ".join([name.split(", ")[0], *(part for part in parts[place] if part not in shared)])
        if place in parts
        else name
        for place, name in enumerate(full)
    ]
    apart = len({*zip(short, _groups(table.rows), strict=True)})
    if apart < len({*zip(full, _groups(table.rows), strict=True)}):
        return ShortNames(full, "")
    return ShortNames(short, ", ".join(shared))


def _groups(rows: tuple[Row, ...]) -> list[str]:
    return [row.group for row in rows]
