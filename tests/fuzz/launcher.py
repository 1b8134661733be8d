"""Commands as processes that are forked from this one, so that they start at once.

Imports take most of a short command's time, and a kill there proves nothing. Here they are done
once; a forked process only works.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tasks.cli

_PATIENCE_S = 300.0
_READY = b"!"
_CALLS = ("replace", "rename", "unlink", "mkdir", "rmdir", "fsync")


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    """Exit code; below 0 the signal that ended it."""
    text: str
    """What it wrote on standard error."""
    seconds: float
    calls: int
    """How often it had called what changes folders, or a database."""


class Process:
    """A forked command."""

    def __init__(
        self,
        arguments: Sequence[object],
        *,
        folder: Path,
        at_call: int | None = None,
        before: bool = True,
        number: int = signal.SIGKILL,
        most_bytes: int | None = None,
    ) -> None:
        """Start it.

        Args:
            arguments: those of `aclnet-task`.
            folder: where it works.
            at_call: the call that changes a folder (0 is the first) at which it gets the signal.
            before: whether the signal comes before that call, or after it.
            number: the signal.
            most_bytes: the longest file that it may write; None for any.
        """
        self._start = time.monotonic()
        self._reads, writes = os.pipe()
        self._counts, counted = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reads)
            os.close(self._counts)
            os.setsid()
            self._become(arguments, folder, writes, counted, (at_call, before, number), most_bytes)
        os.close(writes)
        os.close(counted)
        self._text = b""

    def _become(
        self,
        arguments: Sequence[object],
        folder: Path,
        writes: int,
        counted: int,
        kill: tuple[int | None, bool, int],
        most_bytes: int | None,
    ) -> None:
        """The forked process: the command, and nothing after it."""
        code = 70
        try:
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)
            os.dup2(writes, 2)
            sys.stdout, sys.stderr = (os.fdopen(fd, "w", 1, closefd=False) for fd in (1, 2))
            # One that comes after the command has ended is too late: it would end this process with
            # nothing to say. Not ignored, as the command would leave it so.
            for each in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(each, lambda *_: None)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _watch(counted, *kill)
            _say_when_ready(counted)
            if most_bytes is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
            sys.argv = ["aclnet-task", *map(str, arguments)]
            code = _exit_code()
        finally:
            os._exit(code)

    def wait(self, seconds: float = _PATIENCE_S) -> Ended | None:
        """Wait for its end; None if it has not ended by then."""
        until = time.monotonic() + seconds
        while True:
            left = max(until - time.monotonic(), 0)
            if not select.select([self._reads], [], [], left)[0]:
                return None
            content = os.read(self._reads, 1 << 16)
            if not content:
                break
            self._text += content
        _, status = os.waitpid(self.pid, 0)
        calls = os.read(self._counts, 1 << 16).count(b".")
        os.close(self._reads)
        os.close(self._counts)
        text = self._text.decode("utf-8", "replace")
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, text, time.monotonic() - self._start, calls)

    def wait_until_ready(self) -> None:
        """Wait until the command line is entered, which answers signals from then on."""
        while os.read(self._counts, 1) not in (_READY, b""):
            pass

    def end(self, number: int) -> None:
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait_or_kill(self) -> Ended:
        """Wait for its end; it is killed if that does not come."""
        ended = self.wait()
        if ended is None:
            self.end(signal.SIGKILL)
            ended = self.wait(30)
        if ended is None:
            raise RuntimeError(f"process {self.pid} does not end")
        return ended


def _exit_code() -> int:
    try:
        tasks.cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def _say_when_ready(counted: int) -> None:
    make_app = tasks.cli.make_app

    def made(*words: str) -> object:
        os.write(counted, _READY)
        return make_app(*words)

    tasks.cli.make_app = made  # type: ignore[assignment]


def _watch(counted: int, at_call: int | None, before: bool, number: int) -> None:
    """Count calls that change a folder or ask a database, and send the signal at one of them."""
    made = 0

    def watched(call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: object, **named: object) -> object:
            nonlocal made
            place, made = made, made + 1
            os.write(counted, b".")
            if place == at_call and before:
                os.kill(os.getpid(), number)
            done = call(*arguments, **named)
            if place == at_call and not before:
                os.kill(os.getpid(), number)
            return done

        return wrapper

    for name in _CALLS:
        setattr(os, name, watched(getattr(os, name)))
    connect, statement = sqlite3.connect, watched(lambda _: None)

    def connected(*arguments: Any, **named: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*arguments, **named)
        made.set_trace_callback(statement)
        return made

    sqlite3.connect = connected
    if "psycopg" in sys.modules:
        connection = sys.modules["psycopg"].Connection
        connection.wait = watched(connection.wait)  # what it asks of the server


def run(arguments: Sequence[object], folder: Path, **how: object) -> Ended:
    """Run a command to its end."""
    return Process(arguments, folder=folder, **how).wait_or_kill()  # type: ignore[arg-type]
