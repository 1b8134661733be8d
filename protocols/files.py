"""Files that appear whole or not at all, and tables."""

from __future__ import annotations

import csv
import errno
import fcntl
import os
import re
import secrets
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.foreign import array_names, check_regular
from protocols.names import compose
from protocols.parquet import read_parquet

_FEW_CELLS = 1_000_000
"""So many cells may be missing at the ends of rows without a question."""
_DRAFT = re.compile(r"\..+\.[0-9a-f]+\.partial(\.[^.]*)?")


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Write a file that appears complete or not at all; its folder is made if missing.

    Results name people, so that a new file and a new folder are private to their owner: 0600 and
    0700, less what the umask takes away. A file that is replaced keeps its permissions, a link
    stays, and a device or a pipe is written to directly. Drafts of killed processes in the folder
    are removed. (:mod:`aclnet.files` does the same for runs and stores.)

    Args:
        path: The file, which may be open for reading elsewhere.

    Yields:
        A draft of the same suffix in its folder, to be written in the body; it replaces the file if
        the body ends without an error.

    Raises:
        OSError: It cannot be written; the error names it, not the draft.
    """
    if (given := Path(path)).exists() and not given.is_file() and not given.is_dir():
        yield given
        return
    target = Path(os.path.realpath(given))
    draft = target.with_name(
        f".{target.stem[:50]}.{secrets.token_hex(4)}.partial{target.suffix[:20]}"
    )
    descriptor = -1
    try:
        for folder in (*reversed(target.parents),):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
        _remove_drafts(target.parent)
        descriptor = _locked(draft)
        yield draft
        if target.exists():
            draft.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(draft, target)
    except OSError as error:
        if error.errno is None:  # NumPy only says how much it could not write.
            raise OSError(errno.EIO, str(error), str(path)) from None
        if error.filename in (None, str(draft)):
            error.filename = str(path)
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        draft.unlink(missing_ok=True)


def _locked(draft: Path) -> int:
    """The descriptor of a new file, locked."""
    while True:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(OSError):  # some file systems know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # another process took it for a killed one's before it was locked


def _remove_drafts(folder: Path) -> None:
    """Delete the drafts of killed processes; a living one holds a lock on its own."""
    for name in os.listdir(folder):
        if _DRAFT.fullmatch(name):
            with suppress(OSError):
                descriptor = os.open(folder / name, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(folder / name)
                finally:
                    os.close(descriptor)


def write_text(path: Path | str, text: str) -> Path:
    """Write a text whole or not at all, in UTF-8 with its newlines as they are; return its path."""
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_arrays(path: Path | str, what: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an ``.npz`` without pickles, whole or not at all.

    Args:
        path: The file.
        what: Name of the arrays, for the message.
        arrays: The arrays by key.

    Raises:
        ValueError: The name does not end in ``.npz``.
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"{what} are saved as .npz, not as {path}.")
    with whole_file(path) as draft:
        np.savez(draft, allow_pickle=False, **arrays)


def read_table(lines: Iterable[str], *, ragged: bool = False) -> tuple[list[str], list[list[str]]]:
    """Read a CSV: the names of its columns, and its rows, each with one cell a column.

    Many programs end every line with a comma: an empty last column is not a column. Text is in
    Unicode's composed form, in which names are compared; blank lines are skipped. Spaces after
    commas belong to the cells, unless the header has them after every comma.

    Args:
        lines: The lines, or a file opened with ``newline=""``.
        ragged: Whether cells may be missing at the end of a row; they are empty then.

    Raises:
        ValueError: There is no header, a column appears twice, a quote is not closed, or a row has
            more cells than the header, or fewer.

    >>> read_table(["subject,view,", "ann,018,"])
    (['subject', 'view'], [['ann', '018']])
    """
    composed = map(compose, lines)
    rows = csv.reader(composed, strict=True)
    header: list[str] = []
    table: list[list[str]] = []
    try:
        # A `for` would keep the first reader.
        while (row := next(rows, None)) is not None:
            while len(row) > len(header) and not row[-1].strip():
                row.pop()
            if not header:
                header = [name.strip() for name in row]
                if row and all(name.startswith(" ") for name in row[1:]):
                    rows = csv.reader(composed, skipinitialspace=True, strict=True)
            elif len(row) > 1 or "".join(row).strip():
                table.append(row)
    except csv.Error as error:
        raise ValueError(f"not a readable CSV: {error}.") from None
    _check_header(header)
    cells = sum(map(len, table))
    if len(table) * len(header) > _FEW_CELLS + 2 * cells:
        raise ValueError(
            f"{len(table)} rows of {len(header)} columns hold {cells} cells in all: give every row "
            "one cell per column."
        )
    for number, row in enumerate(table, 1):
        if len(row) > len(header) or (len(row) < len(header) and not ragged):
            raise ValueError(
                f"row {number} has {len(row)} cells, the header {len(header)}: give every row one "
                "cell per column, and write a cell with a comma in quotes."
            )
        row += [""] * (len(header) - len(row))
    return header, table


def _check_header(header: list[str]) -> None:
    if not header:
        raise ValueError("there is no header: the first line names the columns.")
    if twice := next((name for name, count in Counter(header).items() if name and count > 1), ""):
        raise ValueError(f"column {twice} appears twice: keep one of them.")


def read_columns(source: Path) -> dict[str, list[Any]]:
    """Read the columns of a table by their names: of a CSV as text, of a Parquet file as they are.

    Raises:
        ValueError: The file is damaged, a CSV is none (:func:`read_table`), or Parquet is not
            installed.
    """
    if source.suffix == ".parquet":
        return read_parquet(source)
    check_regular(source)
    with source.open(encoding="utf-8-sig", newline="") as lines:
        header, rows = read_table(lines)
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        places.setdefault(name, place)
    return {name: [row[place] for row in rows] for name, place in places.items()}


def column_names(source: Path) -> list[str]:
    """Names of the columns of a table, or of the arrays of an ``.npz``; none if it is damaged."""
    try:
        if source.suffix == ".npz":
            return array_names(source)
        if source.suffix == ".parquet":
            return list(read_parquet(source, names_only=True))
        with source.open(encoding="utf-8-sig", newline="") as lines:
            return read_table(line for line, _ in zip(lines, range(1), strict=False))[0]
    except Exception:  # whatever it is, it is said where the columns are read
        return []
