"""`aclnet-task`: the command line. It imports nothing heavy, so that --help is fast."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from aclnet.memory import is_shortage
from aclnet.training.machine.interrupts import Interrupted, StopRequest
from protocols.text import printable
from tasks.commands.compare import compare_command
from tasks.commands.cost import cost_command
from tasks.commands.data import data_app
from tasks.commands.doctor import doctor_command
from tasks.commands.export import export_command
from tasks.commands.gallery import gallery_app
from tasks.commands.live import live_command
from tasks.commands.options import Reading, with_query
from tasks.commands.report import report_command
from tasks.commands.runs import runs_command
from tasks.commands.search import search_command
from tasks.commands.serve import serve_command
from tasks.commands.submit import submit_command
from tasks.commands.task import task_app
from tasks.plugins import load_plugins
from tasks.spec import all_tasks

PLUGIN = "--plugin"
_STOPPED = "stopped: no file is half-written; run the same command again"
_STOPPED_BY_TYPER = 130
"""Typer's exit code for a KeyboardInterrupt."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MAKE_ROOM = "make room and run the command again (a training goes on with --resume)"

_TOO_LARGE = (
    "there is not enough memory: lower the sizes in settings and options, such as "
    "sampler.batch_size, embed.batch_size, clip.frames or -o persons, or give smaller files"
)

_INSTALL = (
    "install aclnet with its dependencies (without torch, galleries and aclnet.load use "
    "models that were exported to ONNX)"
)


_GROUPS = {"data": data_app, "gallery": gallery_app}
_COMMANDS: dict[str, Callable[..., None]] = {
    "runs": runs_command,
    "compare": compare_command,
    "report": report_command,
    "cost": cost_command,
    "export": export_command,
    "doctor": doctor_command,
    "search": search_command,
    "serve": serve_command,
    "live": live_command,
    "submit": submit_command,
}
# Options that it does not know are those of the command that is submitted.
_UNKNOWN = {"allow_extra_args": True, "ignore_unknown_options": True}
_USAGE = "[OPTIONS] TASK COMMAND [ITS OPTIONS]"
_SETTINGS: dict[str, Any] = {"submit": {"context_settings": _UNKNOWN, "options_metavar": _USAGE}}


class _TasksFirst(TyperGroup):
    """Lists the tasks before the other commands."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Command names in display order."""
        tasks = all_tasks()
        return sorted(super().list_commands(ctx), key=lambda name: name not in tasks)


def make_app(*words: str) -> typer.Typer:
    """Build the command line with all registered tasks.

    Args:
        words: the beginning of a command, such as `gait eval`: then it alone is built, as typer
            takes longer to read the signatures of all than a short command takes to run. Where
            there is no such command, all are built, for the help and for what may be meant.
    """
    app = typer.Typer(
        cls=_TasksFirst,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Train, embed and evaluate on skeletons with affinity contrastive learning.",
    )
    app.callback()(_root)
    first, second = (*words, "", "")[:2]
    tasks = all_tasks()
    known = (*tasks, *_GROUPS, *_COMMANDS)
    # What is submitted is another of the commands.
    for name in [first] if first in known and first != "submit" else known:
        if name in tasks:
            app.add_typer(_only(task_app(tasks[name]), second), name=name)
        elif name in _GROUPS:
            app.add_typer(_only(_GROUPS[name], second), name=name)
        elif name == "live":
            app.command(name)(with_query(live_command, Reading))
        else:
            app.command(name, **_SETTINGS.get(name, {}))(_COMMANDS[name])
    return app


def _only(group: typer.Typer, name: str) -> typer.Typer:
    """The group with this command alone; as it is if it has none of this name."""
    found = [
        command
        for command in group.registered_commands
        if name in (command.name, getattr(command.callback, "__name__", None))
    ]
    if found:
        group = copy(group)
        group.registered_commands = found
    return group


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
    """Run the command line.

    An error in the input, or a file that cannot be read or written, prints one sentence and exits
    with code 2, as does a lack of memory or of a library. A command stopped by SIGINT (Ctrl-C),
    SIGTERM or SIGHUP prints one line, for a training how to resume it, and exits with 130, 143 or
    129. If nobody reads the output any more, it ends quietly with code 1. Any other exception is a
    bug and shows its traceback.
    """
    with StopRequest(at_once=True) as stop:
        try:
            _answer(stop)
        except KeyboardInterrupt:
            _fail(_STOPPED, 128 + (stop.number or signal.SIGINT))


def _answer(stop: StopRequest) -> None:
    """Run the command line and turn errors into sentences."""
    try:
        try:
            plugins, words = _beginning(sys.argv[1:])
            load_plugins(plugins)
            make_app(*words)()
        finally:
            _flush_output()
    except BrokenPipeError:
        _forget_output()
        sys.exit(1)
    except (ValueError, OSError) as error:
        _fail(_sentence(error), 2)
    except Interrupted as error:
        _fail(str(error), 128 + error.number)
    except SystemExit as end:
        if end.code == _STOPPED_BY_TYPER:
            raise KeyboardInterrupt from None
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (missing := _library(error)):
            _fail(f"this needs {missing}, which is not installed: {_INSTALL}", 2)
        if is_shortage(error):
            _fail(f"{_TOO_LARGE} ({_first_line(error)})", 2)
        if stop.number is None:
            raise
        sys.exit(128 + stop.number)  # a rank whose neighbour has gone before it


def _flush_output() -> None:
    """Write what waits to be printed, while a failure can still be said."""
    if sys.stdout is not None and not sys.stdout.closed:
        try:
            sys.stdout.flush()
        except OSError:
            _forget_output()
            raise


def _forget_output() -> None:
    """Print nothing more, also not when Python closes the file."""
    with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _beginning(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The --plugin files and the command's first words, read before typer runs.

    A plug-in may add the command itself.
    """
    found: list[Path] = []
    left = list(arguments)
    while left and left[0].startswith("-"):
        option, sign, value = left.pop(0).partition("=")
        if option == PLUGIN and (sign or left):
            found.append(Path(value if sign else left.pop(0)))
    return found, left[:2]


def _sentence(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        if error.errno not in _FULL:
            return f"{error.filename or 'file'}: {error.strerror}"
        # Whatever is written to files is named (aclnet.files, protocols.files).
        return f"{error.filename or 'standard output'}: {error.strerror}; {_MAKE_ROOM}"
    return " ".join(str(error).split())  # pandas ends its messages with a newline


def _library(error: ModuleNotFoundError) -> str:
    """The library that is missing; empty if it is a module of this program."""
    name = (error.name or "").partition(".")[0]
    return "" if name in ("aclnet", "protocols", "tasks") else name


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _fail(sentence: str, code: int) -> None:
    with suppress(OSError):  # after a hang-up there is no terminal
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            Text.assemble(("error: ", "bold red"), printable(sentence))
        )
    sys.exit(code)


if __name__ == "__main__":
    main()
