"""Speed and memory of ours and of what each row names: what tests/benchmarks measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from protocols.measured import Benchmark, read_benchmarks
from protocols.records import BENCHMARKS
from protocols.reporting.model import Column, ReportTable, Row, number_cell

_COLUMNS = (
    Column("ours", "", False),
    Column("compared with", "", False),
    Column("ratio", "", True),
    Column("lowest", "", True),
    Column("highest", "", True),
)


def benchmark_tables(results: Path | str | None) -> tuple[ReportTable, ...]:
    """The table of the files in ``benchmarks`` below a folder of results; none without files.

    Raises:
        ValueError: As :func:`read_benchmarks`.
    """
    found = read_benchmarks(results)
    if not found:
        return ()
    table = ReportTable(
        key=BENCHMARKS,
        title="Speed and memory: work; what ours is compared with, both in one run",
        columns=_COLUMNS,
        rows=tuple(row for one in found for row in _rows(one)),
        notes=tuple(map(_note, found)),
        task=BENCHMARKS,
        datasets=(),
    )
    return (table,)


def _rows(found: Benchmark) -> Iterator[Row]:
    for one in found.rows:
        amounts = (number_cell(value, ".3g") for value in (one.seconds, one.plain_seconds))
        taken = (replace(cell, text=f"{cell.text} {one.unit}") for cell in amounts)
        ratios = (number_cell(value, ".1f") for value in (one.ratio, one.lowest, one.highest))
        cells = (*taken, *ratios)
        yield Row(f"{one.work}; {one.plain}", cells, "ours", found.command)


def _note(found: Benchmark) -> str:
    cpu = found.environment.get("cpu", "an unknown processor")
    gpus = [name for name in found.environment.get("devices", ()) if name != "cpu"]
    place = ", ".join([*gpus[:1], cpu])
    told = f"{found.benchmark}: {found.command} at {found.commit} on {place}."
    return " ".join([told, *found.notes])
