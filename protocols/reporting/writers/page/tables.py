"""Tables of the page: who a figure is from, what is best, and where each figure is explained."""

from __future__ import annotations

import json
from string import ascii_lowercase

from protocols.reporting.model import NOT_RUN, Cell, Column, ReportTable, Row, Source
from protocols.reporting.writers.page.anchors import Anchors
from protocols.reporting.writers.page.marks import Mark, best_marks, compared_rows
from protocols.reporting.writers.page.markup import Html, element, join, unseen

KINDS: dict[Source, str] = {
    "published": "published",
    "ours": "ours",
    "imported": "imported",
    "synthetic": "synthetic",
}
"""Words for the sources of rows that hold figures."""

_MARKS: dict[Mark, tuple[str, str]] = {
    "best": ("★", "best of the column"),
    "our-best": ("☆", "best of our runs"),
}


def badge(source: Source) -> Html:
    """The word, sign and colour by which the rows of a source are known."""
    word = KINDS.get(source, "no figure")
    return element("span", word, class_=f"badge {source}")


def mark_sign(mark: Mark) -> Html:
    """The sign of a best figure."""
    sign, meaning = _MARKS[mark]
    return element(
        "span", sign, class_=f"mark {mark}", role="img", aria_label=meaning, title=meaning
    )


def render_table(table: ReportTable, anchor: str, anchors: Anchors) -> Html:
    """A table with its notes and sources.

    Args:
        table: the table.
        anchor: identifier of its place.
        anchors: identifiers of the runs.
    """
    remarks = _numbered([cell.note for row in table.rows for cell in row.cells])
    sources = _numbered([row.reference for row in table.rows])
    head = element(
        "tr",
        element("th", "Method or run", scope="col", class_="label"),
        *(_heading(column, _is_text(table, place)) for place, column in enumerate(table.columns)),
    )
    grid = element(
        "table",
        element("thead", head),
        element("tbody", *_body(table, anchor, anchors, remarks, sources)),
        aria_labelledby=f"{anchor}-title",
        # Rows that may not be compared are sorted below their own headings.
        data_apart=len(compared_rows(table)) > 1,
    )
    return element(
        "article",
        element("h3", table.title, id=f"{anchor}-title"),
        _datasets(table),
        element(
            "div",
            grid,
            class_="scroll",
            role="region",
            tabindex=0,
            aria_labelledby=f"{anchor}-title",
        ),
        _notes(table, anchor, remarks),
        _sources(table, anchor, sources),
        id=anchor,
        class_="block",
        data_block="table",
        data_task=table.task,
        data_datasets=json.dumps(table.datasets),
    )


def _datasets(table: ReportTable) -> Html:
    """The data sets that the title does not name."""
    names = [name for name in table.datasets if name not in table.title]
    return element("p", ", ".join(names), class_="datasets") if names else join(())


def _heading(column: Column, is_text: bool) -> Html:
    """Heading of a column; the script turns it into a button."""
    parts: list[str] = [element("span", column.name, class_="name")]
    if column.unit:
        parts += ["\u00a0", element("span", column.unit, class_="unit")]
    if column.higher_is_better is False:
        parts += ["\u00a0", element("span", "↓", unseen("lower is better"), class_="unit")]
    first = "ascending" if column.higher_is_better is False or is_text else "descending"
    return element(
        "th", *parts, scope="col", data_first=first, class_="text" if is_text else "number"
    )


def _is_text(table: ReportTable, place: int) -> bool:
    """Whether a column holds words only."""
    cells = [row.cells[place] for row in table.rows]
    return all(cell.value is None for cell in cells) and any(
        cell.text not in ("", NOT_RUN) for cell in cells
    )


def _body(
    table: ReportTable,
    anchor: str,
    anchors: Anchors,
    remarks: dict[str, int],
    sources: dict[str, int],
) -> list[Html]:
    """The rows, with a heading wherever another group begins."""
    marks = best_marks(table)
    texts = [_is_text(table, place) for place in range(len(table.columns))]
    lines: list[Html] = []
    group = ""
    for number, row in enumerate(table.rows):
        if row.group != group:
            group = row.group
            title = element("span", group or "Others")
            wide = len(table.columns) + 1
            lines.append(
                element("tr", element("th", title, colspan=wide, scope="colgroup"), class_="group")
            )
        cells = [
            _cell(cell, marks.get((number, place)), anchor, anchors, remarks, texts[place])
            for place, cell in enumerate(row.cells)
        ]
        lines.append(element("tr", _label(row, anchor, sources), *cells, data_source=row.source))
    return lines


def _label(row: Row, anchor: str, sources: dict[str, int]) -> Html:
    """Head of a row: its name, its group for when rows are sorted, its source."""
    name = element("span", row.label, class_="name")
    parts = [name]
    if row.reference:
        number = sources[row.reference]
        link = element(
            "a", unseen("source "), str(number + 1), href=f"#{anchor}-source-{number + 1}"
        )
        parts = [join([name, element("sup", link)])]
    if row.group:
        parts.append(element("span", row.group, class_="from"))
    return element("th", join([*parts, badge(row.source)], " "), scope="row", class_="label")


def _cell(
    cell: Cell,
    mark: Mark | None,
    anchor: str,
    anchors: Anchors,
    remarks: dict[str, int],
    is_text: bool,
) -> Html:
    """One figure: a link to its runs, its spread, its mark, the letter of its note."""
    figure, sign, spread = cell.text.partition("±")
    shown: str = element("span", figure.strip(), class_="figure")
    if sign:
        shown = join([shown, " ", element("span", f"± {spread.strip()}", class_="spread")])
    target = anchors.of_cell(cell)
    if target is not None:
        count = len(anchors.known(cell))
        hint = "Settings of the run" if count == 1 else f"Settings of the {count} runs"
        shown = element("a", shown, href=f"#{target}", title=hint)
    parts = [shown]
    if cell.note:
        letter = _letters(remarks[cell.note])
        link = element(
            "a",
            unseen("note "),
            letter,
            href=f"#{anchor}-note-{remarks[cell.note] + 1}",
            title=cell.note,
        )
        parts.append(element("sup", link))
    if not is_text:
        parts.append(mark_sign(mark) if mark else element("span", class_="mark"))
    kind = "text" if is_text else ("number" if cell.value is not None else "number absent")
    return element(
        "td",
        *parts,
        class_=f"{kind} {mark}" if mark else kind,
        data_value=None if cell.value is None else repr(float(cell.value)),
    )


def _notes(table: ReportTable, anchor: str, remarks: dict[str, int]) -> Html:
    """What must stand under the table."""
    lines = [element("p", note) for note in table.notes]
    if remarks:
        items = [
            element(
                "li",
                element("b", _letters(number)),
                " ",
                note,
                id=f"{anchor}-note-{number + 1}",
            )
            for note, number in remarks.items()
        ]
        lines.append(element("ul", *items))
    return element("div", *lines, class_="notes") if lines else join(())


def _sources(table: ReportTable, anchor: str, sources: dict[str, int]) -> Html:
    """Publications and commands, folded away."""
    if not sources:
        return join(())
    printed = {row.reference for row in table.rows if row.source == "published"}
    items = [
        element(
            "li",
            reference if reference in printed else element("code", reference),
            id=f"{anchor}-source-{number + 1}",
        )
        for reference, number in sources.items()
    ]
    title = element("summary", f"Sources and commands ({len(items)})")
    return element("details", title, element("ol", *items), class_="sources")


def _numbered(texts: list[str]) -> dict[str, int]:
    """Texts that are not empty, each once, numbered from 0."""
    return {text: number for number, text in enumerate(dict.fromkeys(filter(None, texts)))}


def _letters(number: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    text = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        text = ascii_lowercase[rest] + text
        number -= 1
    return text
