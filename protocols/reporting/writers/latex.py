"""Tables as LaTeX with booktabs, and a document that shows them and the figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from protocols.reporting.model import Cell, Column, Report, ReportFigure, ReportTable, Row
from protocols.reporting.writers.footnotes import footnotes, row_mark, runs_of

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

_PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{textcomp}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm]{geometry}
\begin{document}
\section*{Results}
Rates are in percent. Rows of this program are means over seeds, $\pm$ the sample standard
deviation ($N-1$) where there are several; ``not run'' says that no record exists."""


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, on one line.

    A letter that the document's fonts do not have is printed by its number.
    """
    flat = " ".join(text.split())
    return "".join(_SPECIAL.get(letter) or _letter(letter) for letter in flat)


def render_latex(table: ReportTable) -> str:
    """A table as a floating ``table`` of its own file.

    Needs the packages booktabs and graphicx; a table wider than the page is made to fit. The
    records behind a row stand in comments.

    Returns:
        The text, with a newline at its end.
    """
    mark, notes = footnotes(table)
    head = ["", *(_heading(column) for column in table.columns), "Source"]
    lines = [
        f"% {_comment(table.title)}",
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{escape(table.title)}}}",
        rf"\label{{tab:{table.key}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}l}}",
        r"\toprule",
        _line(head),
    ]
    group: str | None = None
    for row in table.rows:
        if row.group != group:
            group = row.group
            lines.append(r"\midrule")
            if group:
                wide = len(table.columns) + 2
                lines.append(rf"\multicolumn{{{wide}}}{{l}}{{\emph{{{escape(group)}}}}} \\")
        lines += [f"% {_comment(file)}" for file in runs_of(row)]
        cells = [_cell(cell, mark(cell)) for cell in row.cells]
        lines.append(_line([escape(row.label + row_mark(row)), *cells, _source(row)]))
    lines += [r"\bottomrule", r"\end{tabular}}", *_below(table.notes, notes), r"\end{table}"]
    return "\n".join(lines) + "\n"


def render_figure(figure: ReportFigure, folder: Path) -> str:
    """A figure as a floating ``figure``; empty where there is no bitmap of it.

    Needs the package graphicx; a figure wider than the page is made to fit. The file is named
    without its ending: LaTeX takes a PDF that lies beside the bitmap, else the bitmap.

    Args:
        figure: The figure; SVG is nothing that LaTeX reads.
        folder: Where the document will lie, so that the file is named from there.

    Returns:
        The text, with a newline at its end.
    """
    if figure.png is None:
        return ""
    file = Path(os.path.relpath(figure.png, folder)).with_suffix("").as_posix()
    lines = [
        rf"% {_comment(figure.title)}",
        r"\begin{figure}[htbp]",
        r"\centering",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\includegraphics{{\detokenize{{{file}}}}}}}",
        rf"\caption{{{escape(figure.title)}. {escape(figure.caption)}}}",
        rf"\label{{fig:{figure.key}}}",
        r"\end{figure}",
    ]
    return "\n".join(lines) + "\n"


def render_document(report: Report, folder: Path | None = None) -> str:
    """A document that reads every table from ``tables/`` beside it; compiles by pdflatex.

    Args:
        report: The report.
        folder: Where the document will lie, so that figures are named from there; None shows none.

    Returns:
        The text, with a newline at its end.
    """
    floats = [rf"\input{{tables/{table.key}.tex}}" for table in report.tables]
    if folder is not None:
        drawn = (render_figure(figure, folder) for figure in report.figures)
        floats += [text.rstrip("\n") for text in drawn if text]
    lines = [_PREAMBLE]
    for place, text in enumerate(floats):
        lines.append(text)
        if place % 3 == 2:  # floats that wait for too long overflow LaTeX's memory of them
            lines.append(r"\clearpage")
    lines.append(r"\end{document}")
    return "\n".join(lines) + "\n"


def _below(notes: Sequence[str], numbered: Sequence[str]) -> list[str]:
    """Notes in small print under the table."""
    told = [escape(note) for note in notes]
    told += [
        rf"\textsuperscript{{{number}}}\,{escape(note)}"
        for number, note in enumerate(numbered, start=1)
    ]
    if not told:
        return []
    return (
        [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        + [rf"{note}\par" for note in told]
        + [r"\end{minipage}"]
    )


def _heading(column: Column) -> str:
    """The name, with its unit under it: wide headings would make the whole table small."""
    if column.unit in ("", "%"):
        return escape(column.name)
    return rf"\shortstack[r]{{{escape(column.name)}\\({escape(column.unit)})}}"


def _cell(cell: Cell, number: int) -> str:
    mark = rf"\textsuperscript{{{number}}}" if number else ""
    return f"{escape(cell.text)}{mark}"


def _source(row: Row) -> str:
    if row.source == "published":
        return escape(row.reference)
    return {"none": "", "imported": "imported weights", "synthetic": "generated data"}.get(
        row.source, "this program"
    )


def _line(fields: Sequence[str]) -> str:
    return " & ".join(fields) + r" \\"


def _comment(text: str) -> str:
    """Text of a comment: one line, whatever it holds."""
    return " ".join(text.split())


def _letter(letter: str) -> str:
    if letter.isprintable() and ord(letter) <= _LAST_LETTER:
        return letter
    return rf"\texttt{{U+{ord(letter):04X}}}"
