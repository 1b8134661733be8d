"""What `docs/daily.md` prints: its commands are understood, and its captures are still true."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tasks.commands import terminal
from tasks.commands.terminal import Terminal

from .test_readme import test_a_printed_command_is_understood as understand

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "daily.md").read_text("utf-8")
COMMANDS = re.findall(r"^(?:\$ )?(aclnet-task .+)$", PAGE, re.MULTILINE)
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_its_commands_are_understood(command: str) -> None:
    understand(command)


def test_the_comparison_is_that_of_the_records(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in BLOCKS if "aclnet-task compare" in block)
    place, command, table = block.split("\n", 2)
    monkeypatch.chdir(ROOT / place.removeprefix("$ cd "))
    import shlex

    assert call(*shlex.split(command)[2:]).out == table


def test_the_list_of_runs_has_the_columns_of_one(call: Any, first: Path) -> None:
    (block,) = (block for block in BLOCKS if "aclnet-task runs" in block)
    _, header, _, *rows = block.splitlines()
    assert header.split() == call("runs", first.parent).out.splitlines()[0].split()
    assert len(rows) == 2


def test_the_bars_are_drawn_so(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, no_color=True, width=90)
    monkeypatch.setattr(terminal, "_console", lambda: console)
    say = Terminal()
    bars = re.findall(r"^(.+?) (━[━╸ ]+) +(\d+) %, \d:\d\d:\d\d left$", PAGE, re.MULTILINE)
    assert len(bars) == 2
    for what, drawn, share in bars:
        with say.bar(what) as bar:
            bar(int(share), 100)
            say._display.refresh()
        assert f"{what} {drawn.strip()}" in screen.getvalue()
        assert f" {share} %" in screen.getvalue()


def test_the_scalars_are_those_of_a_run(
    call: Any, recipe: Path, cache: Path, tmp_path: Path
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = tmp_path / "run"
    options = ("--cache", cache, "-s", "train.tensorboard=true", "-s", "train.epochs=1")
    call("gait", "train", "-c", recipe, "--run", run, *options)
    found = accumulator.EventAccumulator(str(run / "tensorboard"))
    found.Reload()
    table = re.findall(r"^\| (`.+?) \|", PAGE, re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`([^`]+)`", row)}
    assert len(named) == 8
    assert named <= set(found.Tags()["scalars"])
