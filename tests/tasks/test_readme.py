"""The commands that README and documentation print exist, with their options, recipes and files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from aclnet.config import load_settings
from protocols.report import command_line
from tasks.cli import make_app
from tasks.recipes import find_recipe
from tasks.spec import all_tasks

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md"))

SHELL = re.compile(r" (?:\||&&|&|>|;)(?: |$)", re.MULTILINE)
"""What ends a command in a shell."""


def printed(program: str) -> list[str]:
    """The commands of a program in blocks and in the text, on one line each."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        blocks = re.findall(rf"^(?:[A-Z_]+=\w+ )?({program} [^#`\n]+)", text, re.MULTILINE)
        inline = re.findall(rf"`(?:[A-Z_]+=\w+ )?({program} [^`]+)`", text)
        found |= {" ".join(SHELL.split(one)[0].split()) for one in [*blocks, *inline]}
    # Not those that the text cuts short, or options of the program itself.
    whole = (one for one in found if not re.search(rf"…|\.\.\.|^{program} --", one))
    return sorted(one.replace("action/NAME", "action/sbu") for one in whole)


@pytest.mark.parametrize("command", printed("aclnet-task"))
def test_a_printed_command_is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    here = typer.main.get_command(make_app(*words[:2]))
    context = here.make_context("aclnet-task", words)
    while words and hasattr(here, "commands"):
        here = here.commands[words.pop(0)]
        if not words:  # only its name
            return
        context = here.make_context(here.name, list(words), parent=context)
    task, config = all_tasks().get(shlex.split(command)[1]), context.params.get("config")
    if task is not None and config is not None and not config.endswith(".yaml"):
        overrides = context.params.get("overrides") or []
        load_settings(task.settings, find_recipe(config), overrides)


@pytest.mark.parametrize("command", printed("python"))
def test_a_printed_program_is_there(command: str) -> None:
    first, *words = shlex.split(command)[1:]
    if first == "-m":
        assert words.pop(0) == "protocols.report"
        command_line().parse_args(words)
    else:
        assert (ROOT / first).is_file()


@pytest.mark.parametrize("command", printed("make"))
def test_a_printed_target_is_in_the_makefile(command: str) -> None:
    target = command.split()[1]
    assert f"\n{target}: " in (ROOT / "Makefile").read_text("utf-8")
