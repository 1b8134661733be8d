"""The report as one self-contained HTML page: it needs no network, no files, no script."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase
from typing import Any
from urllib.parse import quote

from protocols.figures.drawing.planning import ReportFigure
from protocols.labels import dataset_of
from protocols.reporting.model import NOT_RUN, Report, ReportTable
from protocols.reporting.tasks import shown_task, task_place
from protocols.reporting.writers import runs
from protocols.reporting.writers.anchors import Anchors, find_anchors
from protocols.reporting.writers.marks import best_marks, compared_rows, glance
from protocols.reporting.writers.names import LONG, short_names
from protocols.reporting.writers.overview import has_runs, overview
from protocols.reporting.writers.templates import load_template, read_resource
from protocols.text import printable_lines

_SIZE = re.compile(r"\s(width|height)\s*=\s*[\"']([0-9]+(?:\.[0-9]+)?)(pt|px|in)?[\"']")
_PIXELS = {"pt": 96 / 72, "px": 1.0, "in": 96.0, "": 1.0}
_UNSEEN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|\s*\n\s*", re.DOTALL)
_FINE = re.compile(r"(?<![\w.#])(-?[1-9]\d*\.\d\d)\d+(?![\w.])")
"""Digits below a hundredth of a point in numbers from 1, which nobody sees."""
_PLAIN = " <>=:;,./'()!*+-_~@$?"
"""Characters that stand as they are in an address in a double-quoted attribute."""
_WIDE = 440
"""Pixels from which a figure is scrolled on a phone rather than shrunk."""


def render_html(report: Report) -> str:
    """The page as text.

    Without its script the page has every table, figure and run; the script sorts, filters, unfolds
    the targets of links, and shows the settings of a run. A policy in the page (Content Security
    Policy, level 3, W3C) allows no request and no script but its own, so that text from records
    stays text. Equal reports give equal pages.

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
        {"digest": _digest, "letters": _letters, "plain": runs.plain_value},
        autoescape=True,
        finalize=_fit,
    )
    sections = [_section(task, report, anchors) for task in sorted(shown, key=task_place)]
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
        sections=sections,
        **overview(report, anchors),
        best_marks=best_marks,
        compared_rows=compared_rows,
        references_of=_references,
        text_columns=_text_columns,
        short_names=short_names,
        long=LONG,
        drawing=_drawing,
        run_lines=runs.run_lines(report, anchors),
        shown_task=shown_task,
        packed=_packed(runs.run_details(report, anchors, shown_in)),
        glance=glance,
    )


def _packed(value: dict[str, Any]) -> str:
    """JSON for the script, compressed (RFC 1952) and in Base64: runs repeat each other's settings.

    Equal values give equal texts: no time is written.
    """
    text = json.dumps(value, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _fit(value: Any) -> Any:
    """Text with what HTML forbids escaped; markup consists of such text already."""
    return printable_lines(value) if type(value) is str else value


def _digest(text: str) -> str:
    """The hash by which a policy allows a style sheet or script."""
    return b64encode(sha256(text.encode("utf-8")).digest()).decode()


def _section(task: str, report: Report, anchors: Anchors) -> dict[str, Any]:
    """Tables and figures of a task, each with its address; tables without a run of ours apart."""
    tables = [
        pair for pair in zip(report.tables, anchors.tables, strict=True) if pair[0].task == task
    ]
    figures = zip(report.figures, anchors.figures, strict=True)
    own = [(table, anchor) for table, anchor in tables if has_runs(table)]
    return {
        "title": shown_task(task).title,
        # With a capital, which identifiers of tables and figures never have.
        "anchor": f"Task-{''.join(letter for letter in task if letter.isalnum())}",
        "own": own,
        "others": [pair for pair in tables if pair not in own],
        "figures": [pair for pair in figures if pair[0].task == task],
    }


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
    small = _FINE.sub(r"\1", _UNSEEN.sub(" ", text[max(start, 0) :]))
    return {
        "address": f"data:image/svg+xml,{quote(small, safe=_PLAIN)}",
        "size": size,
        "wide": size.get("width", 0) > _WIDE,
    }
