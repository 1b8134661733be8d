"""Our code against plain ways of the same work: what tests/benchmarks measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.records import BENCHMARKS, Name
from protocols.reporting.model import Cell, Column, ReportTable, Row

_COLUMNS = (
    Column("ours", "s", False),
    Column("the plain way", "s", False),
    Column("times as fast", "", True),
    Column("lowest", "", True),
    Column("highest", "", True),
)


class Ratio(BaseModel):
    """A plain way of some work, and ours, in one run.

    Attributes:
        work: What was done.
        plain: The plain way.
        seconds: Median of ours.
        plain_seconds: Median of the plain way.
        ratio: Of the medians.
        lowest: Lowest ratio of a round.
        highest: Highest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    work: Name
    plain: Name
    seconds: float = Field(gt=0, allow_inf_nan=False)
    plain_seconds: float = Field(gt=0, allow_inf_nan=False)
    ratio: float = Field(gt=0, allow_inf_nan=False)
    lowest: float = Field(gt=0, allow_inf_nan=False)
    highest: float = Field(gt=0, allow_inf_nan=False)


class Benchmark(BaseModel):
    """A file of ratios.

    Attributes:
        benchmark: The program in tests/benchmarks.
        rows: The ratios.
        command: What repeats them.
        environment: As in a record.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    benchmark: Name
    rows: tuple[Ratio, ...]
    command: str
    environment: dict[str, Any]


def benchmark_tables(results: Path | str | None) -> tuple[ReportTable, ...]:
    """The table of the files in ``benchmarks`` below a folder of results; none without files.

    Raises:
        ValueError: A file there is no such file; it is named.
    """
    folder = None if results is None else Path(results) / BENCHMARKS
    files = sorted(folder.glob("*.json")) if folder is not None and folder.is_dir() else []
    found = [_read(path) for path in files]
    if not found:
        return ()
    table = ReportTable(
        key=BENCHMARKS,
        title="Speed: the same results by plain ways and by ours, each pair in one run",
        columns=_COLUMNS,
        rows=tuple(row for one in found for row in _rows(one)),
        notes=tuple(map(_note, found)),
        task=BENCHMARKS,
        datasets=(),
    )
    return (table,)


def _read(path: Path) -> Benchmark:
    try:
        return Benchmark.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{path}: not written by tests/benchmarks: {place}: {first['msg']}"
        ) from None


def _rows(found: Benchmark) -> Iterator[Row]:
    for one in found.rows:
        cells = (
            _cell(one.seconds, "3g"),
            _cell(one.plain_seconds, "3g"),
            _cell(one.ratio, "1f"),
            _cell(one.lowest, "1f"),
            _cell(one.highest, "1f"),
        )
        yield Row(f"{one.work}; {one.plain}", cells, "ours", found.command)


def _cell(value: float, form: str) -> Cell:
    return Cell(f"{value:.{form}}", value, None, (), "ours")


def _note(found: Benchmark) -> str:
    about = found.environment
    commit = str(about.get("commit", "an unknown commit"))[:12]
    cpu = about.get("cpu", "an unknown processor")
    return f"{found.benchmark}: {found.command} at {commit} on {cpu}."
