"""`aclnet-task`: the command line. It imports nothing heavy, so that --help is fast."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from aclnet.memory import is_shortage
from aclnet.training.interrupts import Interrupted
from protocols.text import printable
from tasks.commands.compare import compare_command
from tasks.commands.cost import cost_command
from tasks.commands.data import data_app
from tasks.commands.doctor import doctor_command
from tasks.commands.report import report_command
from tasks.commands.task import task_app
from tasks.plugins import load_plugins
from tasks.spec import all_tasks

PLUGIN = "--plugin"

_TOO_LARGE = (
    "there is not enough memory: lower the sizes in settings and options, such as "
    "sampler.batch_size, embed.batch_size, clip.frames or -o persons, or give smaller files"
)


class _TasksFirst(TyperGroup):
    """Lists the tasks before the other commands."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Command names in display order."""
        tasks = all_tasks()
        return sorted(super().list_commands(ctx), key=lambda name: name not in tasks)


def make_app() -> typer.Typer:
    """Build the command line with all registered tasks."""
    app = typer.Typer(
        cls=_TasksFirst,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Train, embed and evaluate on skeletons with affinity contrastive learning.",
    )
    app.callback()(_root)
    for name, spec in all_tasks().items():
        app.add_typer(task_app(spec), name=name)
    app.add_typer(data_app, name="data")
    app.command("compare")(compare_command)
    app.command("report")(report_command)
    app.command("cost")(cost_command)
    app.command("doctor")(doctor_command)
    return app


def _show_version(requested: bool) -> None:
    if requested:
        import aclnet

        typer.echo(aclnet.__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            PLUGIN,
            help="A Python file that registers your own task, reader, backbone, loss, protocol or "
            "figure; goes before the command, repeatable.",
        ),
    ] = None,
) -> None:
    """Only declares the options; `main` loads the plug-ins."""
    del version, plugin


def main() -> None:
    """Run the command line; an error in the input prints one sentence and exits with code 2.

    An interrupted training (Ctrl-C) prints how to resume it and exits with 130, as does any other
    interrupted command, without a message. Where memory runs out, a sentence says so (exit code 2).
    Any other exception is a bug and shows its traceback.
    """
    try:
        load_plugins(_plugins(sys.argv[1:]))
        make_app()()
    except (ValueError, OSError) as error:
        _fail(_sentence(error), 2)
    except Interrupted as error:
        _fail(str(error), 130)
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        _fail(f"{_TOO_LARGE} ({_first_line(error)})", 2)


def _plugins(arguments: Sequence[str]) -> list[Path]:
    """The --plugin files, read before typer runs: a plug-in may add the command itself."""
    found: list[Path] = []
    left = list(arguments)
    while left and left[0].startswith("-"):
        option, sign, value = left.pop(0).partition("=")
        if option == PLUGIN and (sign or left):
            found.append(Path(value if sign else left.pop(0)))
    return found


def _sentence(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file'}: {error.strerror}"
    return " ".join(str(error).split())  # pandas ends its messages with a newline


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _fail(sentence: str, code: int) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        Text.assemble(("error: ", "bold red"), printable(sentence))
    )
    sys.exit(code)


if __name__ == "__main__":
    main()
