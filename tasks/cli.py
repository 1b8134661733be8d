"""`aclnet-task`: the command line. Only light imports here, so that --help answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aclnet.training.interrupts import Interrupted
from tasks.action.commands import action_app
from tasks.action.study_commands import add_study_commands
from tasks.commands.biometrics import add_biometrics
from tasks.commands.compare import add_compare
from tasks.commands.cost import add_cost
from tasks.commands.data import data_app
from tasks.commands.report import add_report
from tasks.gait.commands import gait_app
from tasks.reid.commands import reid_app

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, embed and evaluate on skeletons with affinity contrastive learning.",
)
add_study_commands(action_app)
add_biometrics(gait_app, "gait")
add_biometrics(reid_app, "reid")
app.add_typer(action_app, name="action")
app.add_typer(gait_app, name="gait")
app.add_typer(reid_app, name="reid")
app.add_typer(data_app, name="data")
add_compare(app)
add_report(app)
add_cost(app)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is installed and what is missing: versions, devices, search, threads."""
    from tasks.commands.doctor import examine

    checks = examine()
    if as_json:
        import json

        rows = [{"name": c.name, "good": c.good, "found": c.found} for c in checks]
        typer.echo(json.dumps(rows, indent=2))
    else:
        table = Table("", "what", "found", box=None)
        for check in checks:
            mark = Text("ok", "green") if check.good else Text("!!", "bold red")
            table.add_row(mark, check.name, Text(check.found))
        Console().print(table)
    if not all(check.good for check in checks):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line: a mistake in the input is one sentence and exit code 2.

    A stopped run (Ctrl-C) says how to go on and exits with 130, as does, without a word, any other
    command that is stopped; anything else is a fault of this program and shows where.
    """
    try:
        app()
    except (ValueError, OSError) as error:
        _fail(_sentence(error), 2)
    except Interrupted as error:
        _fail(str(error), 130)


def _sentence(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    return " ".join(str(error).split())  # pandas ends its sentences with a line break


def _fail(sentence: str, code: int) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        Text.assemble(("error: ", "bold red"), sentence)
    )
    sys.exit(code)


if __name__ == "__main__":
    main()
