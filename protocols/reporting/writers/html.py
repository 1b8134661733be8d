"""The report as one HTML page that needs nothing beside it: no network, no files, no script."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template

from protocols.files import write_text
from protocols.reporting.model import Report
from protocols.reporting.writers.page.anchors import Anchors, find_anchors
from protocols.reporting.writers.page.figures import render_figure
from protocols.reporting.writers.page.markup import Html, element, join
from protocols.reporting.writers.page.overview import render_filters, render_overview, task_names
from protocols.reporting.writers.page.runs import render_runs
from protocols.reporting.writers.page.tables import render_table

_TITLE = "aclnet: results"


def render_html(report: Report) -> str:
    """The page as text.

    Without its script the page is complete; the script sorts tables, filters, and unfolds what a
    link points into. A policy in the page allows no request and no script but its own, so that
    text from records stays text. Equal reports give equal pages.

    Args:
        report: what is shown.

    Returns:
        HTML, in which style sheet, script and drawings are contained.

    Raises:
        ValueError: the drawing of a figure cannot be read.
    """
    anchors = find_anchors(report)
    style, script = _resource("page.css"), _resource("page.js")
    tasks = task_names(report)
    sections = [_section(task, title, report, anchors) for task, title in tasks.items()]
    return Template(_resource("page.html")).substitute(
        title=_TITLE,
        policy=_policy(style, script),
        style=style,
        script=script,
        filters=render_filters(report),
        contents=_contents(tasks, report, anchors),
        main=join(
            [render_overview(report, anchors), *sections, _runs(report, anchors), _skipped(report)],
            Html("\n"),
        ),
    )


def write_html(report: Report, path: Path | str) -> None:
    """Write the page to a file, which appears complete or not at all.

    Args:
        report: what is shown.
        path: the file; its folder is made if need be.

    Raises:
        ValueError: the drawing of a figure cannot be read.
    """
    write_text(path, render_html(report))


def _resource(name: str) -> str:
    """A file of the page's frame."""
    return (files("protocols.reporting.writers.page") / name).read_text(encoding="utf-8").rstrip()


def _policy(style: str, script: str) -> str:
    """Content Security Policy, level 3 (W3C): only this style, this script and contained images."""
    digests = [
        b64encode(sha256(text.encode("utf-8")).digest()).decode() for text in (style, script)
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digests[0]}'; "
        f"script-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )


def _section(task: str, title: str, report: Report, anchors: Anchors) -> Html:
    """Tables and figures of a task."""
    tables = [
        render_table(table, anchor, anchors)
        for table, anchor in zip(report.tables, anchors.tables, strict=True)
        if table.task == task
    ]
    figures = [
        render_figure(figure, anchor)
        for figure, anchor in zip(report.figures, anchors.figures, strict=True)
        if figure.task == task
    ]
    gallery = [element("div", *figures, class_="gallery")] if figures else []
    return element("section", element("h2", title, id=_task_anchor(task)), *tables, *gallery)


def _task_anchor(task: str) -> str:
    """Identifier of a task's section; tables and figures cannot have it, having no capital."""
    return f"Task-{''.join(letter for letter in task if letter.isalnum())}"


def _contents(tasks: dict[str, str], report: Report, anchors: Anchors) -> Html:
    """Links to the sections, and below each to what is in it."""
    entries = [element("li", element("a", "Overview", href="#overview"))]
    for task, title in tasks.items():
        tables = zip(report.tables, anchors.tables, strict=True)
        figures = zip(report.figures, anchors.figures, strict=True)
        links = [(table.title, place) for table, place in tables if table.task == task]
        links += [(figure.title, place) for figure, place in figures if figure.task == task]
        below = [element("li", element("a", name, href=f"#{place}")) for name, place in links]
        entries.append(
            element(
                "li",
                element("a", title, href=f"#{_task_anchor(task)}"),
                element("ul", *below),
            )
        )
    if report.runs:
        entries.append(element("li", element("a", "Runs", href="#Runs")))
    return element("ul", *entries)


def _runs(report: Report, anchors: Anchors) -> Html:
    """The runs, each with its settings."""
    if not report.runs:
        return element("section", element("h2", "Runs", id="Runs"), element("p", "None was read."))
    note = "Figures are as in the record: rates from 0 to 1."
    return element(
        "section",
        element("h2", "Runs", id="Runs"),
        element("p", note),
        render_runs(report, anchors),
        class_="runs",
    )


def _skipped(report: Report) -> Html:
    """Files that are no records, and why."""
    if not report.skipped:
        return join(())
    lines = [element("li", line) for line in report.skipped]
    return element("section", element("h2", "Passed over"), element("ul", *lines), id="skipped")
