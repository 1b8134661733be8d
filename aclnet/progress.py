"""Progress of long work: what libraries call, and how a command is found that shows it.

What takes long takes one of two arguments. `progress` is called with the amount done and the total;
without it nothing is shown. `report` takes sentences; one that can also draw, as that of the
commands does (`tasks.commands.terminal`), has a method `bar`, which `counting` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

Progress = Callable[[int, int], None]
"""A function of the amount done and the total."""

Report = Callable[[str], None]
"""A function that takes sentences; where it can draw, `counting` finds its bars."""

Item = TypeVar("Item")


class Bar(Protocol):
    """The progress of one piece of work, shown to people."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show the amount done; `what` replaces the words beside it."""


@contextmanager
def counting(report: Report | None, what: str) -> Iterator[Bar | None]:
    """Show a piece of work while it lasts.

    Args:
        report: shows it, if it can.
        what: the work in a word or two, such as `embedding`.

    Yields:
        What to call with the amount done; until then the work is shown to be going on. None where
        nobody looks.
    """
    bar = getattr(report, "bar", None)
    if bar is None:
        yield None
        return
    with bar(what) as shown:
        yield shown


def with_progress(items: Iterable[Item], total: int, progress: Progress | None) -> Iterator[Item]:
    """The items one by one; `progress` is called with the number of each, from 1, and `total`."""
    for number, item in enumerate(items, 1):
        if progress:
            progress(number, total)
        yield item


def share(progress: Progress | None, number: int, count: int) -> Progress | None:
    """The progress of one of several parts of a piece of work, each as much as the others.

    Args:
        progress: of the whole.
        number: the part's, from 0.
        count: number of parts.

    >>> share(lambda done, total: print(f"{done}/{total}"), 1, 4)(5, 10)
    15/40
    """
    if progress is None:
        return None
    whole = progress
    return lambda done, total: whole(number * total + done, count * total)
