"""What commands say while they work: sentences and bars, on standard error.

Results go to standard output, and nothing else does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from protocols.text import printable, printable_lines

LINE_SECONDS = 60.0
"""Where no bar can be drawn, a line so often at most says how far the work is."""

_REDRAW_SECONDS = 0.05


class Terminal:
    """Says sentences, and draws a bar for each piece of work (see `aclnet.progress`).

    On a terminal the bars stand below all else and are gone when the work is done. Into a file or
    a pipe, none are drawn.
    """

    def __init__(self) -> None:
        self._display: Progress | None = None

    def __call__(self, message: str) -> None:
        """Say a sentence; names in it from files may hold anything."""
        console = _console() if self._display is None else self._display.console
        text = printable_lines(message)
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, what: str) -> Iterator[_Row | _Lines]:
        """Show a piece of work while it lasts; one within another has a bar of its own.

        Args:
            what: the work, in a word or two.

        Yields:
            What to call with the amount done and the total.
        """
        outer = self._display
        if outer is None and not _console().is_terminal:
            yield _Lines(self, what)
            return
        display = outer or Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Amount(),
            console=_console(),
            transient=True,
            redirect_stdout=False,
        )
        row = _Row(display, what)
        self._display = display
        display.start()
        try:
            yield row
        finally:
            self._display = outer
            with suppress(OSError):  # after a hang-up there is no terminal
                display.remove_task(row.number)
                if outer is None:
                    display.stop()


class _Row:
    """A bar."""

    def __init__(self, display: Progress, what: str) -> None:
        self._display, self._next = display, 0.0
        self.number = display.add_task(printable(what), total=None)

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show the amount done; `what` replaces the words beside it."""
        now = time.monotonic()
        if now < self._next and done < total and not what:
            return
        self._next = now + _REDRAW_SECONDS
        self._display.update(
            self.number, completed=done, total=total, description=printable(what) or None
        )


class _Lines:
    """A line from time to time."""

    def __init__(self, terminal: Terminal, what: str) -> None:
        self._terminal, self._what = terminal, what
        self._next = time.monotonic() + LINE_SECONDS

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Say the amount done, if it is time to; `what` replaces the words before it."""
        self._what = what or self._what
        now = time.monotonic()
        if now >= self._next and total:
            self._next = now + LINE_SECONDS
            self._terminal(f"{self._what}: {100 * done / total:.0f} %")


class _Amount(ProgressColumn):
    """The share that is done and the time left; of work whose amount is not known its seconds."""

    def render(self, task: Task) -> Text:
        """The text beside a bar."""
        if task.total is None:
            return Text(f"{task.elapsed or 0:.0f} s")
        left = task.time_remaining
        more = "" if left is None else f", {timedelta(seconds=int(left))} left"
        return Text(f"{task.percentage:.0f} %{more}")


def _console() -> Console:
    return Console(stderr=True)
