"""The records below a folder of results, each with its file."""

from __future__ import annotations

from pathlib import Path

from protocols.records import read_record_files
from protocols.reporting.model import RunEntry


def read_runs(results: Path | str) -> tuple[tuple[RunEntry, ...], tuple[str, ...]]:
    """Read every ``*.json`` below a folder; a file that is no record does not hide the others.

    Args:
        results: The folder.

    Returns:
        The runs in the order of their files, and one line for each file that is no record.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    records, skipped = read_record_files(results)
    runs = tuple(RunEntry(file, record) for file, record in records.items())
    return runs, tuple(skipped)
