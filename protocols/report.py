"""``python -m protocols.report``: tables, figures and pages from a folder of result records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from protocols.figures.drawing.planning import ReportFigure
from protocols.files import write_text
from protocols.groups import RunEntry
from protocols.records import read_record_files
from protocols.reporting.model import ErrorPage, Report, named_apart
from protocols.reporting.tables.benchmarks import benchmark_tables
from protocols.reporting.tables.gains import gain_tables
from protocols.reporting.tables.motion import motion_tables
from protocols.reporting.tables.own import own_tables
from protocols.reporting.tables.paper import paper_tables
from protocols.reporting.tables.pretraining import pretraining_tables
from protocols.reporting.tables.reliability import reliability_tables
from protocols.reporting.tables.rivals import rivals_tables
from protocols.reporting.tables.robustness import robustness_tables
from protocols.reporting.tables.studies import ablation_table, cost_table, study_tables
from protocols.reporting.tables.views import view_tables
from protocols.reporting.writers.between import write_between
from protocols.reporting.writers.files import FORMATS, write_report
from protocols.text import printable

Say = Callable[[str], object]

WITHOUT_FIGURES = (
    "figures are left out: matplotlib is not installed; pip install 'aclnet[report]' to draw them"
)


USUAL = "results"
"""The folder of records where none is named."""

WITHOUT_RECORDS = (
    f"there is no folder {USUAL} here, so the tables hold only published values: give the "
    "folder of your records with --results"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the records, write the report, list the files written and those left out.

    Args:
        argv: Arguments of the command; None takes those of the process.

    Returns:
        0, or 2 where the results cannot be read or the report cannot be written.
    """
    options = command_line().parse_args(argv)
    try:
        lines = make_report(
            options.results,
            options.out,
            options.formats,
            figures=options.figures,
            runs=options.runs,
            into=options.into,
            passed_over=lambda line: sys.stderr.write(f"{printable(line)}\n"),
        )
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        return 2
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return 0


def make_report(
    results: Path | str | None,
    out: Path | str | None,
    formats: str = ",".join(FORMATS),
    *,
    figures: bool = True,
    runs: Path | str | None = None,
    into: Sequence[Path | str] = (),
    errors: Sequence[ErrorPage] = (),
    passed_over: Say,
) -> list[str]:
    """Read the records, fill the tables, draw the figures, write everything.

    Args:
        results: Folder of the records; None: ``results`` if it is there, else there are none.
        out: Folder to write to; None writes only ``into``. Figures in it of the same records are
            kept.
        formats: Of :data:`FORMATS`, by commas.
        figures: Draw figures. None are drawn for CSV alone, which cannot hold them.
        runs: Folder of run folders, for training curves and actionlets; None draws none.
        into: Markdown files whose tables are written again between their marks, all or none
            (:func:`protocols.reporting.writers.between.write_between`).
        errors: Pages with the worst errors of runs, in the folder already; the page leads there.
        passed_over: Called with a sentence for each file and figure that is left out.

    Returns:
        A line with the numbers of records, tables and figures, then the files to open first.

    Raises:
        ValueError: A format is unknown, or none is given; there is nowhere to write to; or a mark
            of ``into`` is not of these tables.
        OSError: The results cannot be read or the report cannot be written.
    """
    chosen = [name for name in formats.split(",") if name]
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise ValueError(
            f"Reports are written as {', '.join(FORMATS)}, not as {', '.join(unknown) or 'none'}."
        )
    if out is None and not into:
        raise ValueError("There is nowhere to write to: give --out FOLDER, or --into FILE.")
    if results is None and not Path(USUAL).is_dir():
        passed_over(WITHOUT_RECORDS)
    folder = results or (USUAL if Path(USUAL).is_dir() else None)
    report = replace(build_report(folder), errors=tuple(errors))
    for line in report.skipped:
        passed_over(f"skipped {line}")
    opened: list[Path] = []
    texts = [write_between(Path(file).read_text("utf-8"), report.tables) for file in into]
    opened += [write_text(file, text) for file, text in zip(into, texts, strict=True)]
    if out is None:
        return [*map(str, opened)]
    logs = {} if runs is None else run_logs(runs)
    if figures and set(chosen) & {"markdown", "latex", "html"}:
        report = replace(report, figures=_draw(report, Path(out), folder, logs, passed_over))
    opened += write_report(report, out, chosen)
    counts = (len(report.runs), len(report.tables), len(report.figures))
    return ["{} records, {} tables, {} figures".format(*counts), *map(str, opened)]


def build_report(results: Path | str | None) -> Report:
    """Read the records and fill every table; damaged files are listed and do not hide the others.

    Args:
        results: Folder of the records; None: there are none, and the tables hold published values.

    Returns:
        The report without figures: the paper's tables first, then our own by task and data set,
        views, gains, pre-training, motion without shape, robustness, studies, rivals,
        cost, reliability.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A file of counts in ``reliability`` is damaged.
    """
    records, skipped = ({}, []) if results is None else read_record_files(results)
    runs = tuple(RunEntry(file, record) for file, record in records.items())
    tables = (
        *paper_tables(runs),
        *own_tables(runs),
        *view_tables(runs),
        *gain_tables(runs),
        *pretraining_tables(runs),
        *motion_tables(runs),
        *robustness_tables(runs),
        ablation_table(runs),
        *rivals_tables(runs),
        *study_tables(runs),
        cost_table(runs),
        *reliability_tables(results),
        *benchmark_tables(results),
    )
    return Report(named_apart(tables), (), runs, tuple(skipped))


def run_logs(runs: Path | str) -> dict[str, Path]:
    """The logs below a folder of run folders, by the names of their runs.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    root = Path(runs)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder of runs {root}: give the folder above them.")
    found = sorted(root.rglob("log.jsonl"))
    return {path.parent.relative_to(root).as_posix(): path for path in found}


def _draw(
    report: Report,
    out: Path,
    results: Path | str | None,
    logs: Mapping[str, Path],
    passed_over: Say,
) -> tuple[ReportFigure, ...]:
    """The figures, or none where matplotlib is not installed."""
    try:
        from protocols.figures.registry import make_figures

        return make_figures(
            report.runs,
            out,
            logs=logs,
            results=results,
            passed_over=lambda line: passed_over(f"skipped {line}"),
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        passed_over(WITHOUT_FIGURES)
        return ()


def command_line() -> argparse.ArgumentParser:
    """The arguments and options of ``python -m protocols.report``."""
    parser = argparse.ArgumentParser(
        prog="python -m protocols.report",
        description="Tables I to X of the paper and our own, and figures, from result records.",
    )
    parser.add_argument("--results", help="folder of the records; by default results")
    parser.add_argument("--out", help="folder to write to")
    parser.add_argument(
        "--into",
        action="append",
        default=[],
        help="Markdown file to write tables into, between their marks; may be given again",
    )
    parser.add_argument(
        "--formats", default=",".join(FORMATS), help="some of %(default)s, comma-separated"
    )
    parser.add_argument(
        "--figures", action=argparse.BooleanOptionalAction, default=True, help="draw figures"
    )
    parser.add_argument(
        "--runs",
        help="folder of run folders: their logs become training curves, and those of "
        "ActCLR show their actionlets",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
