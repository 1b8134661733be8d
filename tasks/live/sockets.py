"""Lines from standard input, or from a socket of this machine.

A socket takes one sender at a time; the next one waits until it is done. Nobody else than this
machine can connect. Whoever begins with something that is not a line of a stream, such as a browser
that a page of another site made send something, is cut off.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tasks.live.events import Ended, Event, Frame, Silence, Wrong
from tasks.live.lines import MOST_BYTES, Lines, parse_line

SILENCE_SECONDS = 1.0
_PIECE = 1 << 16


class LineSource:
    """Lines of a file that is open for reading, such as a pipe.

    Args:
        name: for messages.
        number: of the open file.
    """

    def __init__(self, name: str, number: int) -> None:
        self.name, self._number = name, number

    def events(self) -> Iterator[Event]:
        """The frames of the lines, until the file ends."""
        yield from _read(self._number, lambda: os.read(self._number, _PIECE))
        yield Ended()


class SocketSource:
    """Lines of whoever connects to a socket, one after the other; it never ends.

    Args:
        place: `unix:PATH`, or `tcp://127.0.0.1:PORT`; with port 0 any that is free.

    Attributes:
        name: where it listens.

    Raises:
        ValueError: it is none of this machine, or is taken.
    """

    def __init__(self, place: str) -> None:
        self._path: Path | None = None
        self._made: tuple[int, int] | None = None
        if place.startswith("unix:"):
            self._path = Path(place.removeprefix("unix:").removeprefix("//"))
            self._socket = _unix_socket(self._path)
            self._made = _file_of(self._path)
            self.name = f"unix:{self._path}"
        else:
            self._socket = _tcp_socket(place)
            host, port = self._socket.getsockname()[:2]
            self.name = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"

    def close(self) -> None:
        """Stop listening; a socket's file is deleted."""
        self._socket.close()
        if self._path is not None and _file_of(self._path) == self._made:  # and not another's
            self._path.unlink(missing_ok=True)

    def events(self) -> Iterator[Event]:
        """The frames of each sender, and that it has ended."""
        while True:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._socket, selectors.EVENT_READ)
                while not waiting.select(SILENCE_SECONDS):
                    yield Silence()
            try:
                sender, _ = self._socket.accept()
            except (BlockingIOError, ConnectionError):  # who came is gone again
                continue
            with sender:
                yield from self._of(sender)
            yield Ended()

    def _of(self, sender: socket.socket) -> Iterator[Event]:
        begun = False
        for event in _read(sender.fileno(), lambda: _received(sender)):
            yield event
            if isinstance(event, Wrong) and not begun:
                return
            begun = begun or isinstance(event, Frame)


def _received(sender: socket.socket) -> bytes:
    try:
        return sender.recv(_PIECE)
    except ConnectionError:
        return b""


def _read(number: int, read: Callable[[], bytes]) -> Iterator[Event]:
    """Frames of lines until nothing more comes; `Silence` for each second without."""
    lines, count, quiet = Lines(), 0, time.monotonic()
    with selectors.DefaultSelector() as waiting:
        try:
            waiting.register(number, selectors.EVENT_READ)
            polled = True
        except OSError as error:  # a regular file is always there
            if error.errno != errno.EPERM:
                raise
            polled = False
        while True:
            if polled and not waiting.select(SILENCE_SECONDS):
                yield Silence()
                continue
            part = read()
            arrived = time.monotonic()
            for line in lines.feed(part) if part else lines.end():
                count += 1
                if line is not None and not line.strip():
                    continue
                quiet = arrived
                if line is None:
                    yield Wrong(f"line {count}: longer than {MOST_BYTES >> 20} MiB")
                else:
                    yield _frame(line, count, arrived)
            if arrived - quiet >= SILENCE_SECONDS:  # parts of lines, or empty ones
                yield Silence()
                quiet = arrived
            if not part:
                return


def _frame(line: bytes, count: int, arrived: float) -> Event:
    try:
        return parse_line(line, arrived)
    except ValueError as error:
        return Wrong(f"line {count}: {error}")


def _unix_socket(path: Path) -> socket.socket:
    """A listening socket that only its owner can reach."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket() and not _is_answered(path):
            path.unlink()  # of a program that was killed
        before = os.umask(0o177)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        made.listen(1)
        made.setblocking(False)
    except OSError as error:
        made.close()
        reason = (
            "something is there"
            if error.errno == errno.EADDRINUSE
            else str(error.strerror or error)
        )
        raise ValueError(f"cannot listen on unix:{path}: {reason}; give another path") from None
    return made


def _file_of(path: Path) -> tuple[int, int] | None:
    """Device and number of what lies at a path; None: nothing does."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_answered(path: Path) -> bool:
    """Whether somebody listens on a socket's file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        try:
            asked.connect(str(path))
        except ConnectionRefusedError:
            return False
        return True


def _tcp_socket(place: str) -> socket.socket:
    host, sign, port = place.removeprefix("tcp://").rpartition(":")
    name = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        address = None
    if address is None or not sign or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{place}: a socket is tcp://127.0.0.1:PORT or unix:PATH")
    if not address.is_loopback:
        raise ValueError(
            f"{place}: only this machine's own programs may send key points: give "
            "tcp://127.0.0.1:PORT, and forward to it what comes from elsewhere (ssh -L)"
        )
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), int(port)))
        made.listen(1)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise ValueError(f"cannot listen on {place}: {error.strerror}; give another port") from None
    return made
