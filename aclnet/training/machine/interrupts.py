"""Ctrl-C, SIGTERM and SIGHUP: requests to stop, which the training loop answers between two steps.

A signal that is ignored when the program starts, as SIGHUP under nohup, stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# torchrun passes on a Ctrl-C that its workers have received already: that is not a second request.
_ECHO_SECONDS = 2.0
_NUMBERS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Signalled(KeyboardInterrupt):
    """A signal, as an exception.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupted(Exception):  # noqa: N818 (a request, not an error)
    """A command was asked to stop and did.

    Args:
        message: what is saved, and how to resume.
        cause: the signal, or the exception that it became; by default SIGINT.
    """

    def __init__(self, message: str, cause: int | BaseException | None = None) -> None:
        super().__init__(message)
        number = cause if isinstance(cause, int) else getattr(cause, "number", None)
        self.number: int = signal.SIGINT if number is None else number


class StopRequest:
    """Records a signal while entered; a second one, later, raises `Signalled`.

    Signals can be handled only in the main thread; in others this does nothing.

    Args:
        at_once: raise `Signalled` for the first signal too.

    Attributes:
        number: the first signal; None before there is one.
    """

    _shared: StopRequest | None = None

    def __init__(self, at_once: bool = False) -> None:
        self.number: int | None = None
        self._at = 0.0
        self._at_once = at_once
        self._former: dict[int, object] = {}

    @property
    def requested(self) -> bool:
        """Whether there was a signal."""
        return self.number is not None

    @contextmanager
    def together(self) -> Iterator[None]:
        """While entered, work that several ranks share asks `asked`, and all of them stop."""
        before, StopRequest._shared = StopRequest._shared, self
        try:
            yield
        finally:
            StopRequest._shared = before

    @classmethod
    def asked(cls) -> int:
        """The first signal of the request that is entered `together`; 0 without one."""
        return 0 if cls._shared is None else int(cls._shared.number or 0)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """While entered, a signal raises `Signalled` at once."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        again = self.requested and now - self._at > _ECHO_SECONDS
        if not self.requested:
            self.number, self._at = number, now
            again = self._at_once
        if again:
            raise Signalled(number)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
