"""``python -m protocols.report``: tables, figures and pages from a folder of result records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from protocols.figures.planning import ReportFigure
from protocols.groups import RunEntry
from protocols.records import read_record_files
from protocols.reporting.model import Report, named_apart
from protocols.reporting.tables.own import own_tables
from protocols.reporting.tables.paper import paper_tables
from protocols.reporting.tables.studies import ablation_table, cost_table, study_tables
from protocols.reporting.writers.files import FORMATS, write_report

Say = Callable[[str], object]

WITHOUT_FIGURES = (
    "figures are left out: matplotlib is not installed; pip install 'aclnet[report]' to draw them"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the records, write the report, list the files written and those left out.

    Args:
        argv: Arguments of the command; None takes those of the process.

    Returns:
        0, or 2 where the results cannot be read or the report cannot be written.
    """
    options = _parser().parse_args(argv)
    try:
        lines = make_report(
            options.results,
            options.out,
            options.formats,
            figures=options.figures,
            runs=options.runs,
            passed_over=lambda line: sys.stderr.write(f"{line}\n"),
        )
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def make_report(
    results: Path | str,
    out: Path | str,
    formats: str = ",".join(FORMATS),
    *,
    figures: bool = True,
    runs: Path | str | None = None,
    passed_over: Say,
) -> list[str]:
    """Read the records, fill the tables, draw the figures, write everything.

    Args:
        results: Folder of the records.
        out: Folder to write to.
        formats: Of :data:`FORMATS`, by commas.
        figures: Draw figures. None are drawn for CSV alone, which cannot hold them.
        runs: Folder of run folders, whose logs become training curves; None draws none.
        passed_over: Called with a sentence for each file and figure that is left out.

    Returns:
        A line with the numbers of records, tables and figures, then the files to open first.

    Raises:
        ValueError: A format is unknown, or none is given.
        OSError: The results cannot be read or the report cannot be written.
    """
    chosen = [name for name in formats.split(",") if name]
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise ValueError(
            f"Reports are written as {', '.join(FORMATS)}, not as {', '.join(unknown) or 'none'}."
        )
    report = build_report(results)
    for line in report.skipped:
        passed_over(f"passed over {line}")
    logs = {} if runs is None else run_logs(runs)
    if figures and set(chosen) & {"markdown", "latex", "html"}:
        report = replace(report, figures=_draw(report, Path(out), logs, passed_over))
    opened = write_report(report, out, chosen)
    counts = (len(report.runs), len(report.tables), len(report.figures))
    return ["{} records, {} tables, {} figures".format(*counts), *map(str, opened)]


def build_report(results: Path | str) -> Report:
    """Read the records and fill every table; damaged files are listed and do not hide the others.

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
    report: Report, out: Path, logs: Mapping[str, Path], passed_over: Say
) -> tuple[ReportFigure, ...]:
    """The figures, or none where matplotlib is not installed."""
    try:
        from protocols.figures.registry import make_figures

        return make_figures(
            report.runs, out, logs=logs, passed_over=lambda line: passed_over(f"passed over {line}")
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        passed_over(WITHOUT_FIGURES)
        return ()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m protocols.report",
        description="Tables I to X of the paper and our own, and figures, from result records.",
    )
    parser.add_argument("--results", default="results", help="folder of the records")
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument(
        "--formats", default=",".join(FORMATS), help="some of %(default)s, by commas"
    )
    parser.add_argument(
        "--figures", action=argparse.BooleanOptionalAction, default=True, help="draw figures"
    )
    parser.add_argument("--runs", help="folder of run folders, whose logs become training curves")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
