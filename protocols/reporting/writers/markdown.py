"""The report as Markdown."""

from __future__ import annotations

from pathlib import Path

from protocols.figures.drawing.planning import ReportFigure
from protocols.reporting.model import Report
from protocols.reporting.writers.templates import load_template, path_from
from protocols.text import printable


def render_markdown(report: Report, folder: Path) -> str:
    """All tables, figures and skipped files, as one Markdown text.

    Args:
        report: The report.
        folder: The text's folder, from which figures are linked.

    Returns:
        The text, with a newline at its end.
    """

    def beside(figure: ReportFigure) -> str:
        file = figure.png or figure.svg
        return path_from(folder, file) if isinstance(file, Path) else ""

    return load_template("report.md", {"md": escape, "code": code}).render(
        report=report, beside=beside
    )


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    flat = printable(" ".join(text.split()))
    for sign in ("\\", "`", "*", "_", "[", "]", "|", "~"):
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("<", "&lt;").replace(">", "&gt;")


def code(name: str) -> str:
    """A file's name as code on one line."""
    return f"`{printable(name).replace('`', chr(39))}`"
