"""Our code against plain ways of the same work: what tests/benchmarks measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from protocols.records import BENCHMARKS, Name
from protocols.reporting.model import Column, ReportTable, Row
from protocols.reporting.tables.measured import Measured, number_cell, read_measured

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


class Benchmark(Measured):
    """A file of ratios.

    Attributes:
        benchmark: The program in tests/benchmarks.
        rows: The ratios.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # some say more, such as a peak

    benchmark: Name
    rows: tuple[Ratio, ...]


def benchmark_tables(results: Path | str | None) -> tuple[ReportTable, ...]:
    """The table of the files in ``benchmarks`` below a folder of results; none without files.

    Raises:
        ValueError: A file there is no such file; it is named.
    """
    found = read_measured(results, BENCHMARKS, Benchmark)
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


def _rows(found: Benchmark) -> Iterator[Row]:
    for one in found.rows:
        seconds = (number_cell(value, ".3g") for value in (one.seconds, one.plain_seconds))
        ratios = (number_cell(value, ".1f") for value in (one.ratio, one.lowest, one.highest))
        cells = (*seconds, *ratios)
        yield Row(f"{one.work}; {one.plain}", cells, "ours", found.command)


def _note(found: Benchmark) -> str:
    cpu = found.environment.get("cpu", "an unknown processor")
    gpus = [name for name in found.environment.get("devices", ()) if name != "cpu"]
    place = ", ".join([*gpus[:1], cpu])
    return f"{found.benchmark}: {found.command} at {found.commit} on {place}."
