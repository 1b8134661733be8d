"""Reads damaged files one after another within limits, and says how each reading ended.

A process of its own: a line `{"format": ..., "number": ..., "child": ...}` on standard input, a
line of the verdict on standard output. The reading happens inside the command line's own `main`, so
that what is judged is the sentence that a user would see.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from formats import FORMATS, WrongContentError
from inputs import Input, make_input
from mutations import MARKER

import tasks.cli

READ, REFUSED = "read", "refused"
LONGEST_S = 10.0
SMALL_BYTES = 1 << 20
MOST_FOR_SMALL = 300 << 20
MOST_BEYOND = 1 << 30
ADDRESS_SPACE = 3 << 29
_CPU_S = 2.0


class _TimeOutError(BaseException):
    """Nothing that a reader may catch by accident."""


def judge(one: Input, root: Path, read: Callable[[Path], object]) -> dict[str, Any]:
    """Read one input.

    Returns:
        `verdict`: read, refused, or the kind of fault; `seconds`; `memory`, the bytes beyond those
        in use before; `text`: the sentence or the exception; `where`: where it was raised.
    """
    path = one.write(root / "in")
    before = _reset_peak()
    _limit_memory()
    start = time.monotonic()
    with _alarm():
        verdict, text, where = _ended(path, one, read)
    seconds, memory = time.monotonic() - start, _peak() - before
    if verdict in (READ, REFUSED) and memory > allowed_memory(one.size):
        verdict, text = "memory", f"{memory >> 20} MiB for {one.size} bytes; {text}"
    if any((place / MARKER).exists() for place in (root, Path.cwd(), path.parent)):
        verdict = "execution"
        for place in (root, Path.cwd(), path.parent):
            (place / MARKER).unlink(missing_ok=True)
    return {
        "verdict": verdict,
        "seconds": round(seconds, 3),
        "memory": memory,
        "text": text[:500],
        "where": where,
    }


def allowed_memory(size: int) -> int:
    """The most memory that a file of so many bytes may take."""
    return MOST_FOR_SMALL if size < SMALL_BYTES else MOST_BEYOND + size


def _ended(path: Path, one: Input, read: Callable[[Path], object]) -> tuple[str, str, str]:
    try:
        code, text = shown(lambda: read(path))
    except _TimeOutError as error:
        return "time-out", f"more than {LONGEST_S:.0f} s", _place(error)
    except MemoryError as error:
        return "memory", f"MemoryError: {error}", _place(error)
    except WrongContentError as error:
        return "wrong content", str(error), _place(error)
    except BaseException as error:
        return "untyped exception", f"{type(error).__name__}: {error!s:.200}", _place(error)
    if code is None:
        return READ, "", ""
    if code != 2:
        return "exit code", f"{code}: {text}", ""
    if text.count("\n") > 1:
        return "several lines", text, ""
    if not sentence_is_clean(text):
        return "control characters", text, ""
    if not names_file(text, path, one):
        return "no file name", text, ""
    return REFUSED, text, ""


def shown(read: Callable[[], object]) -> tuple[int | None, str]:
    """The exit code and what is written on standard error if a command did this."""
    err = io.StringIO()
    with (
        mock.patch.object(tasks.cli, "make_app", return_value=read),
        mock.patch.object(sys, "argv", ["aclnet-task"]),
        contextlib.redirect_stderr(err),
    ):
        try:
            tasks.cli.main()
        except SystemExit as end:
            return int(end.code or 0), err.getvalue()
    return None, err.getvalue()


def sentence_is_clean(text: str) -> bool:
    """Whether the text, a line, is without control characters."""
    return all(character.isprintable() for character in text.rstrip("\n"))


def names_file(text: str, path: Path, one: Input) -> bool:
    """Whether the text names what was read, or a file in it."""
    places = [str(path), *(name.rpartition("/")[2] for name in one.files)]
    return any(place in text for place in places)


def _place(error: BaseException) -> str:
    """The last line of the project that the error went through."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if any(f"/{package}/" in frame.filename for package in ("aclnet", "protocols", "tasks"))
        and "/tests/" not in frame.filename
        and "site-packages" not in frame.filename
    ]
    root = Path(tasks.cli.__file__).parents[1]
    places = [f"{os.path.relpath(frame.filename, root)}:{frame.name}" for frame in own]
    return places[-1] if places else ""


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise _TimeOutError

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _reset_peak() -> int:
    """Forget the most memory so far; returns what is in use."""
    Path("/proc/self/clear_refs").write_text("5")
    return _field("VmRSS")


def _peak() -> int:
    return _field("VmHWM")


def _field(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return 0


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ADDRESS_SPACE, hard))


def judged(seed: int, format: str, number: int, root: Path, child: bool = False) -> dict[str, Any]:
    """Make an input and read it; what unpickles is judged by the real child where it fails here."""
    entry, one = FORMATS[format], make_input(seed, format, number)
    _warm_up(format, root)
    if not entry.unpickles:
        return judge(one, root, entry.read)
    if not (child or entry.hostile):
        signal.setitimer(signal.ITIMER_PROF, _CPU_S)  # what hashes without end hears no alarm
        found = judge(one, root, entry.read)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if found["verdict"] in (READ, REFUSED):
            return found
    return judge_in_child(one, root, entry.read)


def judge_in_child(one: Input, root: Path, read: Callable[..., object]) -> dict[str, Any]:
    """As `judge`, with the real child, whose memory counts too where it is the most so far."""
    usual, before = _usual_child(one.format, root), _largest_child()
    found = judge(one, root, lambda path: read(path, child=True))
    largest = _largest_child()
    if largest > before:
        found["memory"] = max(found["memory"], largest - usual)
    if found["memory"] > allowed_memory(one.size) and found["verdict"] in (READ, REFUSED):
        found["verdict"] = "memory"
    return {**found, "child": True}


def _largest_child() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


@functools.cache
def _usual_child(format: str, root: Path) -> int:
    """The memory of a child that reads a whole file."""
    path = make_input(0, format, 0).write(root / "in")
    with contextlib.suppress(Exception):
        FORMATS[format].read(path, child=True)  # type: ignore[call-arg]
    return _largest_child()


@functools.cache
def _warm_up(format: str, root: Path) -> None:
    """Import what the format needs, whose time and memory are not an input's."""
    path = make_input(0, format, 0).write(root / "in")
    with contextlib.suppress(Exception):
        FORMATS[format].read(path)


def main() -> None:
    """Serve until standard input ends."""
    seed, root = int(sys.argv[1]), Path(sys.argv[2])
    os.chdir(root)
    # Those that a user sees, and not only once, by whatever input was first.
    warnings.simplefilter("always")
    for hidden in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", hidden)
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        wanted = json.loads(line)
        found = judged(seed, wanted["format"], wanted["number"], root, wanted.get("child", False))
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
