"""`aclnet-task runs`: the runs below a folder with their main values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.commands.options import echo, only_json, say

if TYPE_CHECKING:
    from tasks.run.listing import ListedRun


def runs_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of runs, also of studies.")
    ] = Path("runs"),
    sort: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="run, task, data, objective, stream, seed, epoch or state; or a metric, such as "
            "rank1, with the greatest first.",
        ),
    ] = "run",
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only runs with this value, such as task=gait or state=interrupted; repeatable.",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metrics to show; by default the main ones of each task; repeatable."),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Also write the list here as JSON; - prints it instead."),
    ] = None,
) -> None:
    """List runs: data, objective, epochs, state and main values.

    Folders that cannot be read are named, and the rest is listed. A run is "running" while a
    process holds it; "untested" is one that was trained and not evaluated.
    """
    from json import dumps

    from protocols.files import write_text
    from tasks.run.listing import kept_runs, list_runs, require_metrics, sorted_runs

    wanted: dict[str, list[str]] = {}
    for text in keep or []:
        key, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"--keep {text!r}: expected KEY=VALUE, such as task=gait")
        wanted.setdefault(key, []).append(value)
    found, damaged = list_runs(folder)
    require_metrics(found, metric or [])
    runs = sorted_runs(kept_runs(found, wanted), sort, reverse)
    for place, reason in damaged.items():
        say(f"warning: {reason}" if place in reason else f"warning: {place}: {reason}")
    content = {"runs": [run.to_json() for run in runs], "damaged": damaged}
    text = dumps(content, indent=1, ensure_ascii=False)
    if json == "-":
        echo(text)
        return
    if json is not None:
        only_json(Path(json))
        write_text(json, f"{text}\n")
    echo(_table(runs, folder, metric) if runs else f"no run in {folder}")


def _table(runs: list[ListedRun], folder: Path, metrics: list[str] | None) -> str:
    """The runs as a table; rates in percent."""
    from protocols.text import align_columns, format_rate

    shown = metrics or list(dict.fromkeys(name for run in runs for name in run.main))
    rows = [["run", "task", "data", "objective", "state", "seed", "epochs", *shown]]
    for run in runs:
        place = Path(run.run)
        below = place.relative_to(folder) if place != folder else place
        names = [str(below), run.task, f"{run.data}{' (synthetic)' if run.synthetic else ''}"]
        numbers = [str(run.seed), f"{run.epoch}/{run.epochs}"]
        values = [format_rate(run.value(name)) for name in shown]
        rows.append([*names, run.objective, run.state, *numbers, *values])
    return align_columns(rows, names=5)
