"""Tables as LaTeX with booktabs, and a document that shows them and the figures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.reporting.model import Report, ReportTable
from protocols.reporting.writers.templates import load_template, path_from
from protocols.text import printable

if TYPE_CHECKING:
    from jinja2 import Template

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "×": r"$\times$",  # noqa: RUF001 - the sign itself
    "−": r"$-$",  # noqa: RUF001 - the minus sign itself
    "–": "--",  # noqa: RUF001 - the dash itself
    "—": "---",
    "Δ": r"$\Delta$",
    "λ": r"$\lambda$",
    "τ": r"$\tau$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "→": r"$\rightarrow$",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "°": r"\textdegree{}",
    "…": r"\ldots{}",
    "’": "'",  # noqa: RUF001 - the apostrophe itself
    "“": "``",
    "”": "''",
}

_LAST_LETTER = 0x17F
"""End of Latin Extended-A, whose letters the T1 encoding prints."""


def render_latex(table: ReportTable) -> str:
    """A table as a floating ``table`` of its own file.

    Needs the packages booktabs and graphicx; a table wider than the page is made to fit. Comments
    name the records of each row.

    Returns:
        The text, with a newline at its end.
    """
    return _template("table.tex").render(table=table)


def render_document(report: Report, folder: Path) -> str:
    """A document that reads every table from ``tables/`` in its folder; compiles by pdflatex.

    Figures that have a bitmap are floats, made to fit the page; LaTeX reads no SVG.

    Args:
        report: The report.
        folder: The document's folder, from which figures are named.

    Returns:
        The text, with a newline at its end.
    """
    figures = [
        (figure, path_from(folder, figure.png.with_suffix("")))
        for figure in report.figures
        if figure.png is not None
    ]
    return _template("main.tex").render(report=report, figures=figures)


@cache
def _template(name: str) -> Template:
    """A template with marks that LaTeX does not use."""
    return load_template(
        name,
        {"tex": escape, "line": one_line},
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        line_statement_prefix="%%",
    )


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, on one line; letters missing in its fonts by number."""
    return "".join(_SPECIAL.get(letter) or _letter(letter) for letter in one_line(text))


def one_line(text: str) -> str:
    """Text without its breaks and control characters, for comments."""
    return printable(" ".join(text.split()))


def _letter(letter: str) -> str:
    if letter.isprintable() and ord(letter) <= _LAST_LETTER:
        return letter
    return rf"\texttt{{U+{ord(letter):04X}}}"
