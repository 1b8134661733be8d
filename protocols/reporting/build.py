"""From a folder of records to the report."""

from __future__ import annotations

from pathlib import Path

from protocols.groups import RunEntry
from protocols.records import read_record_files
from protocols.reporting.model import Report
from protocols.reporting.tables.own import own_tables
from protocols.reporting.tables.paper import paper_tables
from protocols.reporting.tables.studies import ablation_table, cost_table, study_tables


def build_report(results: Path | str) -> Report:
    """Read the records and fill every table; a file that is no record does not hide the others.

    Args:
        results: Folder of the records.

    Returns:
        The report without figures: the paper's tables first, then our own by task and data set,
        studies, cost.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    records, skipped = read_record_files(results)
    runs = tuple(RunEntry(file, record) for file, record in records.items())
    tables = (
        *paper_tables(runs),
        *own_tables(runs),
        ablation_table(runs),
        *study_tables(runs),
        cost_table(runs),
    )
    return Report(tables, (), runs, tuple(skipped))
