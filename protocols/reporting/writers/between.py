"""Tables written between the marks of a Markdown text, such as the README."""

from __future__ import annotations

import re
from collections.abc import Sequence

from protocols.reporting.model import ReportTable
from protocols.reporting.writers.markdown import escape

_MARKED = re.compile(
    r"(?P<mark><!-- table (?P<key>\S+): (?P<columns>[^\n]*?) -->\n).*?(?P<end><!-- end -->)",
    re.DOTALL,
)

NOTES = "notes"
"""In a mark after its columns: the table's notes too."""


def write_between(text: str, tables: Sequence[ReportTable]) -> str:
    """Replace what stands between each ``<!-- table KEY: COLUMN; COLUMN -->`` and its end.

    The mark names the columns, by semicolons, and may close with ``notes``. The end is
    ``<!-- end -->``. Rows without a value in these columns are left out.

    Args:
        text: Markdown with marks.
        tables: All tables.

    Returns:
        The text with the tables of today.

    Raises:
        ValueError: A mark names no table or a column that its table does not have.
    """
    known = {table.key: table for table in tables}

    def written(found: re.Match[str]) -> str:
        key, names = found["key"], [name.strip() for name in found["columns"].split(";")]
        if key not in known:
            raise ValueError(
                f"A mark names the table {key}, which is not one of {', '.join(known)}."
            )
        lines = _lines(known[key], [name for name in names if name != NOTES])
        if NOTES in names:
            lines += ["", escape(" ".join(known[key].notes))]
        return f"{found['mark']}{chr(10).join(lines)}\n{found['end']}"

    return _MARKED.sub(written, text)


def _lines(table: ReportTable, names: Sequence[str]) -> list[str]:
    """The lines of the table with these columns; a heading above rows where there are several."""
    own = [column.name for column in table.columns]
    missing = [name for name in names if name not in own]
    if missing:
        raise ValueError(
            f"Table {table.key} has no column {missing[0]!r}; its columns are {', '.join(own)}."
        )
    places = [own.index(name) for name in names]
    rows = [row for row in table.rows if any(row.cells[p].value is not None for p in places)]
    heads = [escape(table.columns[place].heading) for place in places]
    lines = [_line("", heads), f"|{'---|' * (len(places) + 1)}"]
    several, before = len({row.group for row in rows}) > 1, ""
    for row in rows:
        if several and row.group != before:
            lines.append(_line(f"**{escape(row.group)}**", [""] * len(places)))
        before = row.group
        lines.append(_line(escape(row.label), [escape(row.cells[place].text) for place in places]))
    return lines


def _line(label: str, texts: Sequence[str]) -> str:
    return f"| {' | '.join([label, *texts])} |".replace("  ", " ")
