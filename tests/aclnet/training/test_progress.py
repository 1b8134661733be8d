from __future__ import annotations

import io
from unittest import mock

from rich.console import Console

from aclnet.training.progress import RunProgress


def show(terminal: bool, report: bool) -> tuple[str, list[str]]:
    lines: list[str] = []
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=100)
    with (
        mock.patch("aclnet.training.progress.Console", return_value=console),
        RunProgress(lines.append if report else None, 2, 3, 1) as progress,
    ):
        progress.step(1)
        progress.step(1, loss=0.25)
        progress.epoch(1, {"train/loss": 0.25, "rank1": 0.5}, seconds=3.2)
    return screen.getvalue(), lines


def test_a_line_an_epoch() -> None:
    screen, lines = show(terminal=False, report=True)
    assert screen == ""
    assert lines == ["epoch 1/2: train/loss 0.25, rank1 0.5 (3 s)"]


def test_a_bar_on_a_terminal() -> None:
    screen, lines = show(terminal=True, report=True)
    assert "epoch 1/2, loss 0.25" in screen
    assert "3/6" in screen  # one step was done before
    assert len(lines) == 1


def test_silence_without_a_report() -> None:
    assert show(terminal=True, report=False) == ("", [])
