"""`aclnet-task compare`: the differences between two runs, or several, on one screen."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.commands.options import JsonFile, Labels, echo, say

_RUN_HELP = (
    "A run folder, a record file, a file of embeddings from any system, or a quoted pattern of "
    "these, such as 'ce-seed*.json': several runs are paired by seed."
)


def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help=_RUN_HELP)],
    pairs: Annotated[
        bool,
        typer.Option("--pairs", help="Of several runs all pairs, not each with the first."),
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metrics to compare: rank1 also selects rank1/nm and the like; repeatable; or all."
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1_000_000,
            help="Of two runs: people and classes to list on each side.",
            show_default="5",
        ),
    ] = None,
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
    """Compare runs, or systems' embeddings: what differs, and whether significantly.

    Two are shown in full, the second minus the first. Of several there is a table, with p-values
    that are corrected for the number of comparisons (Holm).
    """
    from json import dumps

    from protocols.files import write_text
    from tasks.compare.comparison import compare
    from tasks.compare.several import compare_several
    from tasks.compare.sides import FileQuery
    from tasks.compare.text import render_comparison, render_several

    options = {"protocol": protocol, "rule": rule}
    given = {name: value for name, value in options.items() if value is not None}
    files = FileQuery(task, given, labels)
    if len(runs) < 2:
        raise ValueError(f"only {runs[0]} is given: name two runs or more to compare")
    if len(runs) > 2 and top is not None:
        raise ValueError("--top is for two runs: leave it out, or compare two of them")
    with say.bar("comparing") as progress:
        if len(runs) == 2:
            two = compare(runs[0], runs[1], metric or (), files, progress)
            content, text = two.to_json(), render_comparison(two, 5 if top is None else top)
        else:
            several = compare_several(runs, metric or (), files, all_pairs=pairs, progress=progress)
            content, text = several.to_json(), render_several(several)
    if json is not None:
        write_text(json, dumps(content, indent=2, ensure_ascii=False) + "\n")
    echo(text)
