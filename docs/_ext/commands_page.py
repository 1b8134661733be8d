"""Every command with its arguments and options, from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from tables import code, prose, table

from protocols.report import command_line
from tasks.cli import make_app

HEADS = ("argument or option", "meaning")


def commands_page() -> str:
    """A part for each command, in the order of `aclnet-task --help`, then the report's own."""
    app = typer.main.get_command(make_app())
    report = command_line()
    return f"{''.join(_commands(app, 'aclnet-task'))}## {report.prog}\n\n" + (
        f"{prose(report.description or '')}\n\n```text\n{report.format_help()}```\n"
    )


def _commands(command: Any, name: str) -> Iterator[str]:
    """A command and those below it."""
    context = command.make_context(name, [], resilient_parsing=True)
    words = name.count(" ")
    if words:
        yield f"{'#' * (words + 1)} {name}\n\n{_help(command)}\n\n"
    if not hasattr(command, "commands"):
        yield f"```text\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n\n"
    records = [param.get_help_record(context) for param in command.params if param.name != "help"]
    rows = [(code(names), prose(meaning)) for names, meaning in filter(None, records)]
    if rows:
        yield table(HEADS, rows)
    if hasattr(command, "commands"):
        for below in command.list_commands(context):
            yield from _commands(command.commands[below], f"{name} {below}")


def _help(command: Any) -> str:
    parts = (command.help or "").replace("\b", "").partition("\f")[0].split("\n\n")
    return "\n\n".join(prose(part) for part in parts)
