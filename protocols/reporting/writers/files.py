"""The report's files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protocols.files import write_text
from protocols.reporting.model import Report
from protocols.reporting.writers.csv import render_csv
from protocols.reporting.writers.html import render_html
from protocols.reporting.writers.latex import render_document, render_latex
from protocols.reporting.writers.markdown import render_markdown

FORMATS = ("markdown", "latex", "csv", "html")
"""Formats of the report."""


def write_report(report: Report, folder: Path | str, formats: Sequence[str]) -> tuple[Path, ...]:
    """Write the report: ``report.md``; ``main.tex`` and ``tables/*.tex``; ``tables/*.csv``; page.

    Args:
        report: The report.
        folder: Where to; it is made if missing, files of the same names are replaced.
        formats: Of :data:`FORMATS`.

    Returns:
        The files to open first, one a format.
    """
    root = Path(folder)
    opened: list[Path] = []
    if "markdown" in formats:
        opened.append(write_text(root / "report.md", render_markdown(report, root)))
    if "latex" in formats:
        for table in report.tables:
            write_text(root / "tables" / f"{table.key}.tex", render_latex(table))
        opened.append(write_text(root / "main.tex", render_document(report, root)))
    if "csv" in formats:
        for table in report.tables:
            write_text(root / "tables" / f"{table.key}.csv", render_csv(table))
        opened.append(root / "tables")
    if "html" in formats:
        write_text(root / "index.html", render_html(report))
        opened.append(root / "index.html")
    return tuple(opened)
