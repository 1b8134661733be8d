"""`aclnet-task compare`: what differs between two runs, on one screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_WHAT = (
    "A run's folder, a record file, or a pattern of either in quotes, such as 'ce-seed*.json': "
    "several are paired by seed."
)


def compare_command(
    first: Annotated[str, typer.Argument(metavar="RUN", help=_WHAT)],
    second: Annotated[str, typer.Argument(metavar="RUN", help="What is compared with it.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Which figures: rank1 takes rank1/nm and the like too; repeatable; or all."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="People and classes to name on either side.")] = 5,
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the whole comparison here.")
    ] = None,
) -> None:
    """Say what differs between two runs: settings, figures, people, classes, and what it shows.

    Differences are those of the second run from the first.
    """
    from json import dumps

    from protocols.files import write_text
    from tasks.compare.comparison import compare
    from tasks.compare.text import render_comparison

    found = compare(first, second, metric or ())
    if json is not None:
        write_text(json, dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    typer.echo(render_comparison(found, top))
