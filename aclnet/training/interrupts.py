"""Ctrl-C and SIGTERM as a request to stop, which the training loop answers between two steps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# torchrun passes on a Ctrl-C that its workers have received already: that is no second request.
_ECHO_SECONDS = 2.0


class Interrupted(Exception):  # noqa: N818 (a request, not an error)
    """Training was asked to stop and saved everything; the message says how to resume."""


class StopRequest:
    """Records SIGINT and SIGTERM while entered; a second one, later, stops at once.

    Signals can be handled only in the main thread; in others this does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._requested_at = 0.0
        self._at_once = False
        self._former: dict[signal.Signals, object] = {}

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While entered, a signal raises KeyboardInterrupt at once."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        again = self.requested and now - self._requested_at > _ECHO_SECONDS
        if not self.requested:
            self.requested, self._requested_at = True, now
            again = self._at_once
        if again:
            raise KeyboardInterrupt

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
