"""Parquet tables, read in a process of its own.

Arrow ends the process over some damaged files instead of raising an error: then it is not the
user's that ends. The process sends the table in Arrow's stream format, or a sentence on standard
error.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from protocols.foreign import MOST_UNPACKED, MOST_UNPACKED_A_BYTE, check_regular, reason

_FEW_CELLS = 1_000_000
"""So many cells may be of one value without a question."""
_START = (
    "import sys; path, what, *sys.path[:] = sys.argv[1:]; "
    "from protocols.parquet import serve; sys.exit(serve(path, what == 'names'))"
)
_FIRST_SECONDS = 20
_BYTES_A_SECOND = 1_000_000


def read_parquet(path: Path, names_only: bool = False) -> dict[str, list[Any]]:
    """Read the columns of a Parquet file by their names.

    Args:
        path: The file.
        names_only: Leave the columns empty.

    Raises:
        ValueError: The file is damaged, or pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
    except ImportError:
        raise ValueError(
            "Parquet is read by pyarrow, which is not installed: pip install 'aclnet[parquet]'."
        ) from None
    check_regular(path)
    what = "names" if names_only else "columns"
    command = [sys.executable, "-c", _START, str(path.absolute()), what, *sys.path]
    ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace") if ended.returncode == 1 else ""
        why = said.strip() or "it is damaged, and Arrow stops over it"
        raise ValueError(f"not a readable Parquet file: {reason(ValueError(why))}")
    table = arrow.ipc.open_stream(ended.stdout).read_all()
    return {str(name): table.column(name).to_pylist() for name in table.column_names}


def serve(path: str, names_only: bool) -> int:
    """The process's work: the table on standard output; returns the exit code."""
    import pyarrow as arrow
    from pyarrow import parquet

    size = Path(path).stat().st_size
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (_FIRST_SECONDS + size // _BYTES_A_SECOND, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with parquet.ParquetFile(path) as file:
            _check(file.metadata, size)
            table = file.schema_arrow.empty_table() if names_only else file.read()
        with arrow.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
            stream.write_table(table)
    except Exception as error:  # Arrow has errors of its own beside Python's
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _check(about: Any, size: int) -> None:
    """Check what a Parquet file says of itself: a run of one value takes no bytes."""
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    values = sum(chunk.num_values for chunk in chunks)
    rows = sum(group.num_rows for group in groups) * about.num_columns
    if unpacked > MOST_UNPACKED + MOST_UNPACKED_A_BYTE * size:
        raise ValueError(f"its {size} bytes unpack to {unpacked}; save it without compression")
    if max(values, rows) > _FEW_CELLS + size:
        raise ValueError(f"its {size} bytes hold {max(values, rows)} values; save it as .npz")
