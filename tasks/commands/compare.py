"""`aclnet-task compare`: the differences between two runs on one screen."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.commands.options import JsonFile

_RUN_HELP = (
    "A run folder, a record file, or a quoted pattern of either, such as 'ce-seed*.json': several "
    "runs are paired by seed."
)


def compare_command(
    first: Annotated[str, typer.Argument(metavar="RUN", help=_RUN_HELP)],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The run to compare with it.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metrics to compare: rank1 also selects rank1/nm and the like; repeatable; or all."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="People and classes to list on each side.")] = 5,
    json: JsonFile = None,
) -> None:
    """Compare two runs: settings, metrics, people, classes, and whether they differ significantly.

    Differences are the second run minus the first.
    """
    from json import dumps

    from protocols.files import write_text
    from tasks.compare.comparison import compare
    from tasks.compare.text import render_comparison

    found = compare(first, second, metric or ())
    if json is not None:
        write_text(json, dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    typer.echo(render_comparison(found, top))
