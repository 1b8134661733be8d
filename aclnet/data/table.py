"""CSV tables: every one that the package reads goes through here."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from aclnet.data.names import composed
from aclnet.foreign.text import check_regular

_FEW_CELLS = 1_000_000
"""So many cells may be missing at the ends of rows without a question."""


def csv_rows(file: Path, *, errors: str = "strict", **form: Any) -> Iterator[list[str]]:
    """The rows of a CSV as text, its header first; blank lines are skipped.

    Many programs end every line with a comma: an empty last column is not a column. Empty cells are
    cut off the end of the header, and off a row that is longer than it.

    Args:
        file: UTF-8, with or without a byte order mark. Its text is composed (`composed`).
        errors: what to do with bytes that are no UTF-8, as in `open`.
        **form: as `csv.reader` takes them.

    Raises:
        ValueError: while rows are drawn: it is not a CSV or is empty, or a row has more cells than
            the header.
    """
    width = number = 0
    check_regular(file)
    try:
        with file.open(encoding="utf-8-sig", errors=errors, newline="") as stream:
            for row in csv.reader(_composed(stream), strict=True, **form):
                while len(row) > width and not row[-1].strip():
                    row.pop()
                if len(row) > 1 or "".join(row).strip():
                    width = width or len(row)
                    if len(row) > width:
                        raise _other_length(file, number, row, width)
                    yield row
                    number += 1
    except csv.Error as error:
        raise ValueError(f"{file}: not a readable CSV: {error}") from None
    if not width:
        raise ValueError(f"{file}: not a readable CSV: there is no header")


def _composed(lines: Iterable[str]) -> Iterator[str]:
    try:
        yield from map(composed, lines)
    except ValueError as error:  # no UTF-8, or too many marks on a letter
        raise csv.Error(str(error)) from None


def read_csv(file: Path, *, ragged: bool = False, skipinitialspace: bool = False) -> pd.DataFrame:
    """A CSV as text, the names of its columns stripped.

    Args:
        file: as `csv_rows`.
        ragged: whether cells may be missing at the end of a row; they are empty then.
        skipinitialspace: whether spaces after a comma are left out.

    Raises:
        ValueError: it is not a CSV, a column appears twice, or a row has more cells than the
            header, or fewer.
    """
    header, *rows = csv_rows(file, skipinitialspace=skipinitialspace)
    names = [name.strip() for name in header]
    if twice := next((name for name, count in Counter(names).items() if name and count > 1), ""):
        raise ValueError(f"{file}: column {twice} appears twice; keep one of them")
    cells = sum(map(len, rows))
    if len(rows) * len(names) > _FEW_CELLS + 2 * cells:
        raise ValueError(
            f"{file}: {len(rows)} rows of {len(names)} columns hold {cells} cells in all; give "
            "every row one cell per column"
        )
    for number, row in enumerate(rows, 1):
        if len(row) < len(header) and not ragged:
            raise _other_length(file, number, row, len(header))
        row += [""] * (len(header) - len(row))
    return pd.DataFrame(rows, columns=names, dtype=str)


def _other_length(file: Path, number: int, row: Sequence[str], width: int) -> ValueError:
    return ValueError(
        f"{file}: row {number} has {len(row)} cells, the header {width}; give every row one cell "
        "per column, and write a cell with a comma in quotes"
    )
