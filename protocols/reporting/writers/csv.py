"""A table as CSV: a value a row, so that spreadsheets and programs can filter and pivot it."""

from __future__ import annotations

import csv
import io

from protocols.reporting.model import ReportTable

HEADER = "table,group,row,column,unit,text,value,spread,source,reference,runs,note"
"""The columns: ``value`` and ``spread`` in the unit given, in full; ``runs`` divided by spaces."""


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
            writer.writerow((*place, *value, row.reference, " ".join(cell.runs), cell.note))
    return text.getvalue()
