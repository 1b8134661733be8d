"""`aclnet-task compare`: the differences between two runs on one screen."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.commands.options import JsonFile, Labels, echo

_RUN_HELP = (
    "A run folder, a record file, a file of embeddings from any system, or a quoted pattern of "
    "these, such as 'ce-seed*.json': several runs are paired by seed."
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
    top: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="People and classes to list on each side.")
    ] = 5,
    task: Annotated[
        str | None,
        typer.Option(
            help="Task that evaluates files; by default by their run or content, or gait."
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Protocol of files, as for the task's eval.")
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Rule of files, as for the task's eval.")] = None,
    labels: Labels = None,
    json: JsonFile = None,
) -> None:
    """Compare two runs, or two systems' embeddings: what differs, and whether significantly.

    Differences are the second run minus the first.
    """
    from json import dumps

    from protocols.files import write_text
    from tasks.compare.comparison import compare
    from tasks.compare.sides import FileQuery
    from tasks.compare.text import render_comparison

    options = {"protocol": protocol, "rule": rule}
    given = {name: value for name, value in options.items() if value is not None}
    found = compare(first, second, metric or (), FileQuery(task, given, labels))
    if json is not None:
        write_text(json, dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    echo(render_comparison(found, top))
