"""`aclnet-task report`: the same as `python -m protocols.report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tasks.commands.options import STORES, Cache, echo, say


def report_command(
    out: Annotated[Path | None, typer.Option(help="Folder to write to.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of the records; by default results.")
    ] = None,
    formats: Annotated[
        str, typer.Option(help="Formats to write, comma-separated.")
    ] = "markdown,latex,csv,html",
    figures: Annotated[bool, typer.Option(help="Draw figures.")] = True,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of run folders, for the training curves.")
    ] = None,
    into: Annotated[
        list[Path] | None,
        typer.Option(help="Markdown file to write tables into, between their marks; repeatable."),
    ] = None,
    errors: Annotated[
        list[Path] | None,
        typer.Option(
            help="A finished run whose worst errors to show as moving skeletons, on a private page "
            "beside the report; repeatable."
        ),
    ] = None,
    cache: Cache = STORES,
) -> None:
    """Write the paper's tables and our own, with figures, from result records.

    The same as `python -m protocols.report`, which has no --errors.
    """
    from protocols.report import make_report

    options: dict[str, Any] = {"figures": figures, "runs": runs, "into": into or ()}
    if errors:
        if out is None or "html" not in formats.split(","):
            raise ValueError(
                "--errors is for the report's page: give --out FOLDER, and html among --formats"
            )
        from tasks.commands.show.errors import write_errors

        options["errors"] = write_errors(errors, out, cache, say)
    with say.bar("writing"):
        lines = make_report(results, out, formats, **options, passed_over=say)
    for line in lines:
        echo(line)
