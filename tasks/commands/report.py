"""`aclnet-task report`: the same as `python -m protocols.report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.commands.options import say


def report_command(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    results: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("results"),
    formats: Annotated[
        str, typer.Option(help="Formats to write, comma-separated.")
    ] = "markdown,latex,csv,html",
    figures: Annotated[bool, typer.Option(help="Draw figures.")] = True,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of run folders, for the training curves.")
    ] = None,
) -> None:
    """Write the paper's tables and our own, with figures, from result records.

    The same as `python -m protocols.report`.
    """
    from protocols.report import make_report

    for line in make_report(results, out, formats, figures=figures, runs=runs, passed_over=say):
        typer.echo(line)
