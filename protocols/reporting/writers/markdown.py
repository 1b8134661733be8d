"""The report as Markdown."""

from __future__ import annotations

import os
from pathlib import Path

from protocols.reporting.model import Cell, Column, Report, ReportTable, Row
from protocols.reporting.writers.footnotes import footnotes, row_mark, runs_of

_LEGEND = (
    "Rates are in percent. Rows of this program are means over seeds, ± the sample standard "
    "deviation (N - 1) where there are several; *not run* says that no record exists. Published "
    "figures stand as printed. Rows marked [synthetic] are of generated data, rows marked "
    "[imported] of weights that were not trained here."
)


def render_markdown(report: Report, folder: Path | None = None) -> str:
    """All tables, figures and files passed over, as one Markdown text.

    Args:
        report: The report.
        folder: Where the text will lie, so that figures are linked from there; None links none.

    Returns:
        The text, with a newline at its end.
    """
    parts = ["# Results", _LEGEND]
    parts += [render_table(table) for table in report.tables]
    for figure in report.figures:
        file = figure.png or (figure.svg if isinstance(figure.svg, Path) else None)
        if folder is not None and file is not None:
            path = Path(os.path.relpath(file, folder)).as_posix()
            parts.append(f"## {_text(figure.title)}\n\n![{_text(figure.title)}](<{path}>)")
            parts.append(_text(figure.caption))
    parts.append(f"{len(report.runs)} records were read.")
    if report.skipped:
        parts.append("Passed over, as no records of this format:")
        parts.append("\n".join(f"- {_text(line)}" for line in report.skipped))
    return "\n\n".join(parts) + "\n"


def render_table(table: ReportTable) -> str:
    """One table under its heading, with notes, footnotes and the records behind each row."""
    mark, notes = footnotes(table)
    head = ["", *(_text(_heading(column)) for column in table.columns), "source"]
    rule = ["---", *("---:" for _ in table.columns), "---"]
    lines = [_line(head), _line(rule)]
    group = ""
    for row in table.rows:
        if row.group != group:
            group = row.group
            lines.append(_line([f"**{_text(group)}**", *("" for _ in table.columns), ""]))
        cells = [_cell(cell, mark(cell)) for cell in row.cells]
        label = f"{_text(row.label)}{_text(row_mark(row))}"
        lines.append(_line([label, *cells, _source(row)]))
    parts = [f"## {_text(table.title)}", "\n".join(lines)]
    parts += [_text(note) for note in table.notes]
    if notes:
        parts.append("\n".join(f"{n}. {_text(note)}" for n, note in enumerate(notes, start=1)))
    if behind := [(row, files) for row in table.rows if (files := runs_of(row))]:
        told = [
            f"- {_name(row)}: {', '.join(f'`{file}`' for file in files)}" for row, files in behind
        ]
        parts.append("Records:\n\n" + "\n".join(told))
    return "\n\n".join(parts)


def _name(row: Row) -> str:
    """The row with its group, since labels return in other groups."""
    return _text(", ".join(filter(None, [row.group, row.label])))


def _heading(column: Column) -> str:
    """The name, with the unit where it is not percent."""
    return column.name if column.unit in ("", "%") else f"{column.name} ({column.unit})"


def _cell(cell: Cell, number: int) -> str:
    return f"{_text(cell.text)} <sup>{number}</sup>" if number else _text(cell.text)


def _source(row: Row) -> str:
    """The publication; of own rows the records stand below, with their commands in them."""
    if row.source == "published":
        return _text(row.reference)
    return {"none": "", "imported": "imported weights", "synthetic": "generated data"}.get(
        row.source, "this program"
    )


def _line(fields: list[str]) -> str:
    return "| " + " | ".join(fields) + " |"


def _text(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    flat = " ".join(text.split())
    for sign in ("\\", "`", "*", "_", "[", "]", "|", "~"):
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("<", "&lt;").replace(">", "&gt;")
