"""The report as one self-contained HTML page: it needs no network, no files, no script."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from protocols.figures.drawing.planning import ReportFigure
from protocols.groups import flat_settings
from protocols.labels import dataset_of
from protocols.reporting.model import NOT_RUN, Report, ReportTable, Row
from protocols.reporting.tasks import shown_task, task_place
from protocols.reporting.writers import runs
from protocols.reporting.writers.anchors import Anchors, find_anchors
from protocols.reporting.writers.marks import best_marks, compared_rows, glance
from protocols.reporting.writers.templates import load_template, read_resource
from protocols.text import printable_lines

_SIZE = re.compile(r"\s(width|height)\s*=\s*[\"']([0-9]+(?:\.[0-9]+)?)(pt|px|in)?[\"']")
_PIXELS = {"pt": 96 / 72, "px": 1.0, "in": 96.0, "": 1.0}
_WIDE = 440
"""Pixels from which a figure is scrolled on a phone rather than shrunk."""


def render_html(report: Report) -> str:
    """The page as text.

    Without its script the page is complete; the script sorts tables, filters, and unfolds the
    targets of links. A policy in the page (Content Security Policy, level 3, W3C) allows no request
    and no script but its own, so that text from records stays text. Equal reports give equal pages.

    Args:
        report: The report.

    Returns:
        HTML with style sheet, script and drawings.

    Raises:
        ValueError: The drawing of a figure cannot be read.
    """
    anchors = find_anchors(report)
    blocks: tuple[ReportTable | ReportFigure, ...] = (*report.tables, *report.figures)
    shown = {block.task for block in blocks}
    tasks = shown | {run.record.task for run in report.runs}
    datasets = {name for block in blocks for name in block.datasets}
    datasets |= {dataset_of(run.record.dataset) for run in report.runs}
    shown_in: dict[str, list[tuple[str, str]]] = {}
    for table, anchor in zip(report.tables, anchors.tables, strict=True):
        for file in dict.fromkeys(file for row in table.rows for file in row.runs):
            shown_in.setdefault(file, []).append((table.title, anchor))
    template = load_template(
        "page.html",
        {"digest": _digest, "letters": _letters, "number": runs.number},
        autoescape=True,
        finalize=_fit,
    )
    return template.render(
        report=report,
        anchors=anchors,
        style=read_resource("page.css"),
        script=read_resource("page.js"),
        tasks=[(task, shown_task(task).title) for task in sorted(tasks, key=task_place)],
        datasets=[(name, name) for name in sorted(datasets, key=str.lower)],
        sources=[
            (source, source) for source in ("published", "ours", "imported", "foreign", "synthetic")
        ],
        sections=[_section(task, report, anchors) for task in sorted(shown, key=task_place)],
        **_overview(report, anchors),
        best_marks=best_marks,
        compared_rows=compared_rows,
        references_of=_references,
        text_columns=_text_columns,
        drawing=_drawing,
        families=runs.families(report, anchors),
        shown_in=shown_in,
        compare=runs.compare,
        facts_of=runs.facts_of,
        metrics_of=runs.metrics_of,
        title_of=runs.title_of,
        dataset_of=dataset_of,
        flat_settings=flat_settings,
    )


def _fit(value: Any) -> Any:
    """Text with what HTML forbids escaped; markup consists of such text already."""
    return printable_lines(value) if type(value) is str else value


def _digest(text: str) -> str:
    """The hash by which a policy allows a style sheet or script."""
    return b64encode(sha256(text.encode("utf-8")).digest()).decode()


def _section(task: str, report: Report, anchors: Anchors) -> dict[str, Any]:
    """Tables and figures of a task, each with its address."""
    tables = zip(report.tables, anchors.tables, strict=True)
    figures = zip(report.figures, anchors.figures, strict=True)
    return {
        "title": shown_task(task).title,
        # With a capital, which identifiers of tables and figures never have.
        "anchor": f"Task-{''.join(letter for letter in task if letter.isalnum())}",
        "tables": [pair for pair in tables if pair[0].task == task],
        "figures": [pair for pair in figures if pair[0].task == task],
    }


def _overview(report: Report, anchors: Anchors) -> dict[str, Any]:
    """A line for each table with a value of ours, and the tables without any."""
    lines, without = [], []
    for table, anchor in zip(report.tables, anchors.tables, strict=True):
        if (found := glance(table)) is not None:
            place, ours, published = found
            column = table.columns[place]
            name = f"{column.name} ({column.unit})" if column.unit else column.name
            if published and published[0].compared != ours[0].compared:
                published = [
                    replace(row, label=f"{row.label}; {row.compared}") for row in published
                ]
            best = [_best(rows, place, anchors) for rows in (ours, published)]
            lines.append((table.title, anchor, name, *best))
        elif not any(row.source == "ours" for row in table.rows):
            without.append((table.title, anchor))
    measured_on = len({run.record.dataset.name for run in report.runs})
    return {"lines": lines, "without": without, "measured_on": measured_on}


def _best(rows: list[Row], place: int, anchors: Anchors) -> tuple[str, str, str | None] | None:
    """The best value of a column, its row, and the identifier of its settings."""
    if not rows:
        return None
    cell, label = rows[0].cells[place], rows[0].label
    if len(rows) > 1:
        label += f" and {len(rows) - 1} more"
    return cell.text, label, anchors.of_cell(cell)


def _references(table: ReportTable) -> dict[str, bool]:
    """The references of its rows, and whether each is a publication rather than a command."""
    printed = {row.reference for row in table.rows if row.source == "published"}
    return {row.reference: row.reference in printed for row in table.rows if row.reference}


def _text_columns(table: ReportTable) -> list[bool]:
    """Whether each column holds words only."""
    columns = [[row.cells[place] for row in table.rows] for place in range(len(table.columns))]
    return [
        all(cell.value is None for cell in cells)
        and any(cell.text not in ("", NOT_RUN) for cell in cells)
        for cells in columns
    ]


def _letters(number: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    text = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        text = ascii_lowercase[rest] + text
        number -= 1
    return text


def _drawing(figure: ReportFigure) -> dict[str, Any]:
    """The drawing as an address, and its size in pixels, so that the page reserves its space."""
    try:
        svg = figure.svg
        text = svg.read_text(encoding="utf-8") if isinstance(svg, Path) else svg
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The drawing of figure {figure.key} cannot be read from {figure.svg} ({error}): "
            "draw the figures again."
        ) from error
    start = text.find("<svg")
    head = text[start : text.find(">", start) + 1] if start >= 0 else ""
    size = {name: round(float(value) * _PIXELS[unit]) for name, value, unit in _SIZE.findall(head)}
    return {
        "address": "data:image/svg+xml;base64," + b64encode(text.encode()).decode("ascii"),
        "size": size,
        "wide": size.get("width", 0) > _WIDE,
    }
