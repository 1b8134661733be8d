"""From a folder of records to the report."""

from __future__ import annotations

from pathlib import Path

from protocols.reporting.model import Report, ReportFigure
from protocols.reporting.reading import read_runs
from protocols.reporting.tables.own import own_tables
from protocols.reporting.tables.paper import paper_tables
from protocols.reporting.tables.studies import (
    ablation_table,
    cost_table,
    difficulty_tables,
    occlusion_tables,
)


def build_report(results: Path | str, figures: tuple[ReportFigure, ...] = ()) -> Report:
    """Read the records and fill every table.

    Args:
        results: Folder of the records.
        figures: Figures that were drawn of them.

    Returns:
        The report: the paper's tables first, then our own by task and data set, studies, cost.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    runs, skipped = read_runs(results)
    tables = (
        *paper_tables(runs),
        *own_tables(runs),
        ablation_table(runs),
        *occlusion_tables(runs),
        *difficulty_tables(runs),
        cost_table(runs),
    )
    return Report(tables, figures, runs, skipped)
