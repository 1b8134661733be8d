"""A table as CSV: a value a row, so that spreadsheets and programs can filter and pivot it.

It is for people: texts that a spreadsheet would run as a formula begin with an apostrophe. Tables
that this program reads back, such as a store's `index.csv`, keep exact names.
"""

from __future__ import annotations

import csv
import io
import re

from protocols.reporting.model import ReportTable
from protocols.text import printable

HEADER = "table,group,row,column,unit,text,value,spread,source,reference,runs,note"
"""The columns: ``value`` and ``spread`` in the unit given, in full; ``runs`` divided by spaces."""

_NUMBER = re.compile(r"[+-]\d+(\.\d+)?")


def render_csv(table: ReportTable) -> str:
    """The table's values, row by row.

    Returns:
        The text, with the header first and a newline at its end.
    """
    text = io.StringIO()
    text.write(f"{HEADER}\n")
    writer = csv.writer(text, lineterminator="\n")
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            place = (table.key, row.group, row.label, column.name, column.unit)
            # None is written as nothing, a number with all its digits.
            value = (cell.text, cell.value, cell.spread, cell.source)
            cells = (*place, *value, row.reference, " ".join(cell.runs), cell.note)
            writer.writerow([_plain(one) if isinstance(one, str) else one for one in cells])
    return text.getvalue()


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, and no terminal for a command.

    >>> _plain("=HYPERLINK(A1)"), _plain("+1.5"), _plain("-"), _plain("a-b")
    ("'=HYPERLINK(A1)", '+1.5', "'-", 'a-b')
    """
    # Spaces before the sign are dropped by some; a signed number is one for all.
    formula = text.lstrip().startswith(("=", "+", "-", "@")) and not _NUMBER.fullmatch(text)
    return f"'{printable(text)}" if formula else printable(text)
