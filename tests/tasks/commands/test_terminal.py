"""Sentences and bars on standard error, and nothing of them on standard output."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from aclnet.progress import counting
from tasks.commands import terminal
from tasks.commands.terminal import Terminal


@contextmanager
def screen(width: int = 100) -> Iterator[io.StringIO]:
    """Standard error as a terminal."""
    shown = io.StringIO()

    def console() -> Console:
        return Console(file=shown, force_terminal=True, width=width)

    with mock.patch.object(terminal, "_console", console):
        yield shown


def test_a_bar_shows_the_share_and_is_gone_at_the_end() -> None:
    say = Terminal()
    with screen() as shown:
        with say.bar("embedding") as bar:
            bar(1, 4)
            say._display.refresh()
            bar(4, 4)
        text = shown.getvalue()
    assert "embedding" in text
    assert "25 %" in text
    assert "\x1b[2K" in text.rpartition("25 %")[2]  # the line is cleared


def test_sentences_and_bars_within_a_bar() -> None:
    say = Terminal()
    with screen() as shown:
        with say.bar("comparing") as outer:
            outer(0, 2)
            with say.bar("reading [b]x\x07") as inner:
                inner(3, 4, "reading [b]y\x07")
                say._display.refresh()
            say("a sentence [b]")
            outer(1, 2)
        assert say._display is None
    text = shown.getvalue()
    assert all(
        words in text for words in ("comparing", "reading [b]y\\x07", "75 %", "sentence [b]")
    )


def test_work_of_unknown_amount_shows_its_seconds() -> None:
    say = Terminal()
    with screen() as shown, say.bar("evaluating"):
        say._display.refresh()
    assert "0 s" in shown.getvalue()


def test_elsewhere_a_line_from_time_to_time(capsys: pytest.CaptureFixture[str]) -> None:
    say = Terminal()
    clock = mock.patch.object(terminal.time, "monotonic", side_effect=range(0, 1000, 25))
    with clock, say.bar("embedding") as bar:  # each call is 25 seconds after the other
        for done in range(1, 9):
            bar(done, 8)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == ["embedding: 38 %", "embedding: 75 %"]
    assert shown.out == ""


def test_what_only_takes_sentences_has_no_bars() -> None:
    for report in (None, print, [].append):
        with counting(report, "embedding") as progress:
            assert progress is None


@pytest.mark.slow
def test_on_a_terminal_results_stay_clean(tmp_path: Path) -> None:
    """Standard error is a terminal; standard output is a pipe and has the results alone."""
    program = [sys.executable, "-m", "tasks.cli", "data", "walkers", str(tmp_path / "walks")]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        drawn += part
    out, _ = done.communicate(timeout=60)
    os.close(ours)
    assert done.returncode == 0
    assert out.decode() == f"{tmp_path / 'walks'}: 32 recordings\n"
    assert b"generating" in drawn
    assert b"%" in drawn


def test_the_streams_of_a_command_in_a_pipe(call: Any, tmp_path: Path) -> None:
    done = call("data", "walkers", tmp_path / "walks", "--people", "1")
    assert done.err == ""
