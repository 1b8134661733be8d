"""The page's identifiers of tables, figures and runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from protocols.groups import group_runs
from protocols.labels import free_name, slug
from protocols.reporting.model import Cell, Report


@dataclass(frozen=True)
class Anchors:
    """Identifiers of the page's parts, no two equal.

    Attributes:
        tables: One a table, in the report's order.
        figures: One a figure, in the report's order.
        runs: By the file of the run.
        sets: By the files of the runs of one setting, or of those behind one mean.
    """

    tables: tuple[str, ...]
    figures: tuple[str, ...]
    runs: dict[str, str]
    sets: dict[tuple[str, ...], str]

    def known(self, cell: Cell) -> tuple[str, ...]:
        """The runs of a cell that are in the page."""
        return tuple(file for file in cell.runs if file in self.runs)

    def of_cell(self, cell: Cell) -> str | None:
        """The identifier of the settings behind a cell; None without a run in the page."""
        known = self.known(cell)
        if not known:
            return None
        return self.runs[known[0]] if len(known) == 1 else self.sets[known]


def find_anchors(report: Report) -> Anchors:
    """Give every part of a report an identifier of letters, digits and hyphens."""
    taken = {"main", "overview", "filters", "task", "data", "kind", "words", "found", "skipped"}
    taken |= {"scheme", "runs", "detail", "close", "details", "glance"}

    def new(stem: str) -> str:
        # A letter first, and none of the names that the script uses for its filters.
        name = slug(stem)
        name = free_name(name if name[0].isalpha() else f"part-{name}", taken)
        taken.add(name)
        return name

    tables = tuple(new(table.key) for table in report.tables)
    figures = tuple(new(f"figure-{figure.key}") for figure in report.figures)
    runs = {run.file: new(f"run-{run.file.removesuffix('.json')}") for run in report.runs}
    anchors = Anchors(tables, figures, runs, {})
    cells = (cell for table in report.tables for row in table.rows for cell in row.cells)
    groups = (group.files for group in group_runs(report.runs))
    for known in chain(groups, map(anchors.known, cells)):
        if len(known) > 1 and known not in anchors.sets:
            anchors.sets[known] = new(f"runs-{len(known)}-{known[0].removesuffix('.json')}")
    return anchors
