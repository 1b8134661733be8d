"""Time and memory of a process that unpickles foreign files; beyond them the kernel ends it.

An allow-list keeps a pickle from running code, not from asking for terabytes or for the hash of a
tuple that holds itself 2^30 times. Linux enforces all limits, macOS those of time, Windows none.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl
    import resource
    import select

MEMORY = 400 << 20
"""Bytes of address space, besides `MEMORY_A_BYTE` for every byte of the file."""
MEMORY_A_BYTE = 6
FIRST_SECONDS = 0.5
BYTES_A_SECOND = 20e6
"""Bytes that a second of processor time unpickles, after `FIRST_SECONDS`."""
READING_SECONDS, NATIVE_SECONDS = 20, 5
READ_A_SECOND = 1e6
"""As the two above, of a reader that is bounded as a whole."""
SILENCE = 60.0
"""Seconds without a sign of progress while nothing is unpickled."""

_LONGEST, _SLOWEST = 120.0, 1e6

_announce: Callable[[Path], None] | None = None


def enforce(announce: Callable[[Path], None]) -> None:
    """Limit this process, which does nothing else, from its first pickle on.

    Args:
        announce: called with each file before it is unpickled.
    """
    global _announce
    _announce = announce
    if sys.platform != "win32":
        ending = (signal.SIGALRM, signal.SIGPROF)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
        for each in ending:  # the parent may have ignored them, and that is inherited
            signal.signal(each, signal.SIG_DFL)


def end_with(pipe: int) -> None:
    """End this process as soon as the other end of a pipe is closed, as when its owner is killed.

    Args:
        pipe: file number of the reading end, of which nothing more is read.
    """
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])
        signal.signal(signal.SIGIO, signal.SIG_DFL)  # which ends it
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([pipe], [], [], 0)[0]:  # it was closed before
            sys.exit(1)


def reading_seconds(native: int) -> int:
    """Seconds of the processor before those that grow with the file, as of `bound`."""
    return NATIVE_SECONDS if native else READING_SECONDS


def set_alarm(seconds: float) -> None:
    """End the process after so many seconds, unless the alarm is set anew; 0 cancels it."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def bound(path: Path, native: int = 0) -> None:
    """Limit memory and the processor's time of this process from now on.

    Args:
        path: the file or folder that it reads; both limits grow with its size.
        native: of a format that native code reads, bytes of memory for every byte of the file.
    """
    if sys.platform != "win32":
        files = path.rglob("*") if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files if file.is_file())
        _limit_memory(size, max(native, MEMORY_A_BYTE))
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        seconds = int(used + reading_seconds(native) + size / READ_A_SECOND)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        with contextlib.suppress(ValueError):  # a lower limit of the user's holds
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
        set_alarm(SILENCE + size / READ_A_SECOND)


@contextlib.contextmanager
def unpickling(path: Path) -> Iterator[None]:
    """Limits the memory from now on, and within the block the processor's time.

    Nothing is limited before `enforce`.

    Args:
        path: the file; both limits grow with its size.
    """
    if _announce is not None:
        _announce(path)
    if _announce is None or sys.platform == "win32":
        yield
        return
    size = os.path.getsize(path) if os.path.exists(path) else 0
    _limit_memory(size)
    # A disk may be slow, but not without end.
    set_alarm(_LONGEST + size / _SLOWEST)
    signal.setitimer(signal.ITIMER_PROF, FIRST_SECONDS + size / BYTES_A_SECOND)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        set_alarm(SILENCE)


def _limit_memory(size: int, a_byte: int = MEMORY_A_BYTE) -> None:
    # Other files may be in use, such as a Kinetics index or mapped arrays.
    most = max(MEMORY, bytes_in_use() + MEMORY // 2) + a_byte * size
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses it
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def bytes_in_use() -> int:
    """The address space of this process, 0 where the system does not report it."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()
