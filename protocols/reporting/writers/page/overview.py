"""What stands first: how much there is, our best figures, what signs mean, how to filter."""

from __future__ import annotations

from protocols.reporting.model import Report, ReportTable
from protocols.reporting.writers.page.anchors import Anchors
from protocols.reporting.writers.page.marks import best_rows, compared_rows
from protocols.reporting.writers.page.markup import Html, element, join
from protocols.reporting.writers.page.tables import KINDS, badge, mark_sign

TASKS = {
    "action": "Action recognition",
    "gait": "Gait recognition",
    "reid": "Person re-identification",
    "pretrain": "Pretraining",
    "cost": "Cost",
}
"""Headings of the tasks, in the order in which they are shown."""

_MEANINGS = {
    "published": "printed in a paper",
    "ours": "a run of this program on recorded people",
    "imported": "weights that another program trained, scored here",
    "synthetic": "a run on generated data, which proves nothing about people",
}


def task_names(report: Report) -> dict[str, str]:
    """Tasks that the report shows, with their headings; unknown ones under their own name."""
    found = {table.task for table in report.tables} | {figure.task for figure in report.figures}
    ordered = [task for task in TASKS if task in found] + sorted(found - set(TASKS))
    return {task: TASKS.get(task, task) for task in ordered}


def render_overview(report: Report, anchors: Anchors) -> Html:
    """Counts, our best beside the best published, and the legend."""
    parts: list[Html] = [element("p", _counts(report), class_="lead")]
    if report.skipped:
        files = "1 file" if len(report.skipped) == 1 else f"{len(report.skipped)} files"
        link = element("a", f"{files} passed over", href="#skipped")
        parts.append(element("p", link, ": not a record that this program can read."))
    parts += _glance(report, anchors)
    return element("section", element("h2", "Overview"), *parts, _legend(), id="overview")


def _counts(report: Report) -> str:
    """One sentence on how much there is."""
    datasets = {run.record.dataset.name for run in report.runs}
    counted = [
        (len(report.runs), "run"),
        (len(datasets), "data set"),
        (len(report.tables), "table"),
        (len(report.figures), "figure"),
    ]
    runs, sets, tables, figures = (
        f"{count} {word}" if count == 1 else f"{count} {word}s" for count, word in counted
    )
    return f"{runs} on {sets}, in {tables} and {figures}."


def _glance(report: Report, anchors: Anchors) -> list[Html]:
    """A line for each table that holds a figure of ours, and links to the tables without any."""
    lines, without = [], []
    compared = any(sides is not None and sides[2] for sides in map(_sides, report.tables))
    for table, anchor in zip(report.tables, anchors.tables, strict=True):
        link = element("a", table.title, href=f"#{anchor}")
        line = _glance_line(table, link, anchors, compared)
        if line is None:
            without.append(link)
        else:
            lines.append(line)
    parts: list[Html] = []
    if lines:
        heads = ("Table", "Figure", "Best of ours", *(("Best published",) if compared else ()))
        head = element("tr", *(element("th", text, scope="col") for text in heads))
        grid = element(
            "table", element("thead", head), element("tbody", *lines), class_="plain glance"
        )
        box = {"class_": "scroll", "role": "region", "aria_labelledby": "glance"}
        parts += [
            element("h3", "Our best at a glance", id="glance"),
            element("div", grid, tabindex=0, **box),
        ]
    if without:
        count = "1 table" if len(without) == 1 else f"{len(without)} tables"
        links = element("p", join(without, "; "), class_="without")
        title = element("summary", f"{count} without a run of ours on recorded people")
        parts.append(element("details", title, links))
    return parts


def _sides(table: ReportTable) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None:
    """The first column and protocol with a figure of ours: our best rows, the best published."""
    for rows in compared_rows(table):
        for place in range(len(table.columns)):
            ours = best_rows(table, rows, place, ("ours",), least=1)
            if ours:
                return place, ours, best_rows(table, rows, place, ("published",), least=1)
    return None


def _glance_line(table: ReportTable, link: Html, anchors: Anchors, compared: bool) -> Html | None:
    """Our best figure and, if any table has both, the best published one."""
    sides = _sides(table)
    if sides is None:
        return None
    place, ours, published = sides
    column = table.columns[place]
    name = f"{column.name} ({column.unit})" if column.unit else column.name
    cells = [
        element("td", name),
        element("td", _best(table, ours, place, anchors), data_name="Best of ours"),
    ]
    if compared:
        best = _best(table, published, place, anchors)
        cells.append(element("td", best, data_name="Best published"))
    return element("tr", element("th", link, scope="row"), *cells)


def _best(table: ReportTable, rows: tuple[int, ...], place: int, anchors: Anchors) -> Html:
    """The best figure, and whose it is."""
    if not rows:
        return element("span", "none", class_="absent")
    row = table.rows[rows[0]]
    cell = row.cells[place]
    target = anchors.of_cell(cell)
    figure = element("b", cell.text)
    shown = figure if target is None else element("a", figure, href=f"#{target}")
    label = row.label if len(rows) == 1 else f"{row.label} and {len(rows) - 1} more"
    return join([shown, " ", element("span", label, class_="whose")])


def _legend() -> Html:
    """What badges and signs mean."""
    kinds = [element("li", badge(source), " ", _MEANINGS[source]) for source in KINDS]
    signs = [
        element("li", mark_sign("best"), " best of its column, synthetic data left out"),
        element("li", mark_sign("our-best"), " best of our runs, where another figure is better"),
    ]
    note = (
        "A figure of ours leads to the settings of its runs; ± is the standard deviation over "
        "seeds. Stars compare figures as printed, in tables of our own those below one heading, "
        "and do not say that a difference is more than chance."
    )
    return element(
        "div",
        element("h3", "How to read the tables"),
        element("ul", *kinds, *signs),
        element("p", note),
        class_="legend",
    )


def render_filters(report: Report) -> Html:
    """Controls by task, data set, source and words; hidden until the script is there."""
    tasks = {"": "all", **task_names(report)}
    names = {name for table in report.tables for name in table.datasets}
    names |= {name for figure in report.figures for name in figure.datasets}
    datasets = {"": "all"} | {name: name for name in sorted(names, key=str.lower)}
    kinds = {"": "all", **{str(source): word for source, word in KINDS.items()}}
    search = element("input", id="words", type="search", placeholder="method, seed, note …")
    fields = element(
        "div",
        _choice("task", "Task", tasks),
        _choice("data", "Data set", datasets),
        _choice("kind", "Rows", kinds),
        element("label", "Search", search),
        element("button", "Reset", type="reset"),
        element("output", id="found", aria_live="polite"),
        class_="fields",
    )
    return element(
        "form",
        element("details", element("summary", "Filter"), fields, open=True),
        id="filters",
        hidden=True,
        role="search",
        aria_label="Filter",
    )


def _choice(name: str, title: str, options: dict[str, str]) -> Html:
    lines = [element("option", text, value=value) for value, text in options.items()]
    return element("label", title, element("select", *lines, id=name))
