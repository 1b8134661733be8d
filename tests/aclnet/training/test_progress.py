from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aclnet.training.progress import RunProgress


class Screen:
    """A report that can draw."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.drawn: list[tuple[int, int, str]] = []
        self.open = False

    def __call__(self, message: str) -> None:
        self.lines.append(message)

    @contextmanager
    def bar(self, what: str) -> Iterator[object]:
        self.open = True
        yield lambda done, total, words="": self.drawn.append((done, total, words or what))
        self.open = False


def test_a_line_an_epoch_and_a_bar_where_one_can_be_drawn() -> None:
    screen, lines = Screen(), list[str]()
    for report in (screen, lines.append, None):
        with RunProgress(report, 2, 3, 1) as progress:
            assert screen.open == (report is screen)
            progress.step(1)
            progress.step(1, loss=0.25)
            progress.epoch(1, {"train/loss": 0.25, "rank1": 0.5}, seconds=3.2)
    # One step was done before.
    assert screen.drawn == [(2, 6, "training"), (3, 6, "epoch 1/2, loss 0.25")]
    assert lines == screen.lines == ["epoch 1/2: train/loss 0.25, rank1 0.5 (3 s)"]
    assert not screen.open
