"""Where in the page each table, figure and run stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from protocols.reporting.model import Cell, Report


@dataclass(frozen=True)
class Anchors:
    """Identifiers of the page's parts, no two equal.

    Attributes:
        tables: one a table, in the report's order.
        figures: one a figure, in the report's order.
        runs: by the file of the run.
        sets: by the files of runs that a figure is the mean of.
        used: by the file of a run, the places of the tables that show it.
    """

    tables: tuple[str, ...]
    figures: tuple[str, ...]
    runs: dict[str, str]
    sets: dict[tuple[str, ...], str]
    used: dict[str, tuple[int, ...]]

    def known(self, cell: Cell) -> tuple[str, ...]:
        """The runs of a cell that the page has a place for."""
        return tuple(file for file in cell.runs if file in self.runs)

    def of_cell(self, cell: Cell) -> str | None:
        """Where the settings behind a cell are shown; None if it comes from no run of the page."""
        known = self.known(cell)
        if not known:
            return None
        return self.runs[known[0]] if len(known) == 1 else self.sets[known]


def find_anchors(report: Report) -> Anchors:
    """Give every part of a report an identifier."""
    taken = {"main", "overview", "filters", "task", "data", "kind", "words", "found", "skipped"}

    def new(stem: str) -> str:
        return _unique(stem, taken)

    tables = tuple(new(table.key) for table in report.tables)
    figures = tuple(new(f"figure-{figure.key}") for figure in report.figures)
    runs = {run.file: new(f"run-{run.file.removesuffix('.json')}") for run in report.runs}
    used: dict[str, list[int]] = {file: [] for file in runs}
    sets: dict[tuple[str, ...], str] = {}
    for place, cell in _cells(report):
        known = tuple(file for file in cell.runs if file in runs)
        if len(known) > 1 and known not in sets:
            sets[known] = new(f"runs-{len(known)}-{known[0].removesuffix('.json')}")
        for file in known:
            if place not in used[file]:
                used[file].append(place)
    places = {file: tuple(found) for file, found in used.items()}
    return Anchors(tables, figures, runs, sets, places)


def _cells(report: Report) -> Iterator[tuple[int, Cell]]:
    for place, table in enumerate(report.tables):
        for row in table.rows:
            for cell in row.cells:
                yield place, cell


def _unique(stem: str, taken: set[str]) -> str:
    """An identifier of letters, digits and hyphens, which is then taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "part"
    # A letter first, and nothing that the script would take for a state of the filters.
    name = plain if plain[0].isalpha() else f"part-{plain}"
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.add(chosen)
    return chosen
