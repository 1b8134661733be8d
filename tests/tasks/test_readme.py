"""The commands that the README prints: their options exist and their recipes load."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from aclnet.config import load_settings
from tasks.cli import make_app
from tasks.recipes import find_recipe
from tasks.spec import all_tasks

ROOT = Path(__file__).resolve().parents[2]


def printed() -> list[str]:
    """The commands in blocks and in the text, on one line each."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^aclnet-task [^#`\n]+", text, re.MULTILINE)
    inline = [" ".join(found.split()) for found in re.findall(r"`(aclnet-task [^`]+)`", text)]
    # Not those that the text cuts short, or options of the program itself.
    whole = [one for one in [*blocks, *inline] if not re.search(r"…|\.\.\.|^aclnet-task --", one)]
    return sorted({one.strip().replace("action/NAME", "action/sbu") for one in whole})


@pytest.mark.parametrize("command", printed())
def test_a_printed_command_is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    here = typer.main.get_command(make_app())
    context = here.make_context("aclnet-task", words)
    while words and hasattr(here, "commands"):
        here = here.commands[words.pop(0)]
        context = here.make_context(here.name, list(words), parent=context)
    task, config = all_tasks().get(shlex.split(command)[1]), context.params.get("config")
    if task is not None and config is not None and not config.endswith(".yaml"):
        overrides = context.params.get("overrides") or []
        load_settings(task.settings, find_recipe(config), overrides)
