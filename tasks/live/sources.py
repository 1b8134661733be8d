"""Which source a text names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tasks.live.events import Source
from tasks.live.sockets import LineSource, SocketSource


@contextmanager
def opened_source(place: str) -> Iterator[Source]:
    """Open a source while entered.

    Args:
        place: "-", `unix:PATH` or `tcp://127.0.0.1:PORT`.

    Raises:
        ValueError: it is no source, or cannot be opened.
    """
    if place == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise ValueError("there is no standard input: give a socket, tcp://127.0.0.1:PORT")
        yield LineSource("standard input", sys.stdin.fileno())
    elif place.startswith(("unix:", "tcp://")):
        with closing(SocketSource(place)) as source:
            yield source
    else:
        raise ValueError(
            f"{place} is no stream: give - for standard input, unix:PATH or tcp://127.0.0.1:PORT"
        )
