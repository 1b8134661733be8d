"""Text and JSON, and what is a file at all."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, AnyStr

MOST_TEXT = 1 << 30
"""Characters of a text that is read as a whole."""
_LONGEST_REASON = 200
_PIECE = 1 << 20


class _TwiceError(ValueError):
    """A JSON object has a key twice."""


def check_regular(path: Path) -> int:
    """Refuse what is not a regular file: a pipe or a device may have no end.

    Returns:
        The size in bytes.

    Raises:
        ValueError: it is none, or is not there.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read: {_reason(error)}") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path}: is not a regular file; give a file on a disk")
    return found.st_size


def read_bytes(path: Path, most: int) -> bytes:
    """A file's bytes.

    Raises:
        ValueError: it is not a regular file, cannot be read or has more than `most` bytes, also
            when it grows while it is read.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            content = b"".join(_pieces(file.read, most + 1))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {_reason(error)}") from None
    if len(content) > most:
        raise ValueError(f"{path}: is longer than the {most} bytes that are read; split it")
    return content


def read_text(path: Path, *, errors: str = "strict", most: int = MOST_TEXT) -> str:
    """A file's text, in UTF-8 with or without a byte order mark.

    Args:
        path: the file.
        errors: what to do with bytes that are no UTF-8, as in `open`.
        most: characters; a longer file is refused, also one that grows while it is read.

    Raises:
        ValueError: it is not a regular file, cannot be read, is too long or no text.
    """
    too_long = check_regular(path) > 4 * most  # a character has at most four bytes
    try:
        with path.open(encoding="utf-8-sig", errors=errors) as file:
            text = "" if too_long else "".join(_pieces(file.read, most + 1))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {_reason(error)}") from None
    if too_long or len(text) > most:
        raise ValueError(f"{path}: is longer than the {most} characters that are read; split it")
    return text


def _pieces(read: Callable[[int], AnyStr], most: int) -> Iterator[AnyStr]:
    """A file's content up to `most`, piece by piece: one call would take room for all of `most`."""
    while most and (piece := read(min(most, _PIECE))):
        yield piece
        most -= len(piece)


def load_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: it is not JSON, cannot be read, is nested too deeply, or an object has a key
            twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):  # frames by name; the last one would hide the others
            key = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise _TwiceError(f"{file}: has key {key[:40]!r} twice in one object; write it once")
        return found

    text = read_text(file)
    try:
        return json.loads(text, object_pairs_hook=once)
    except _TwiceError as error:
        raise ValueError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{file}: not JSON, or cut off ({_reason(error)}); write or copy the file again"
        ) from None


@contextmanager
def naming(path: Path, kind: str) -> Iterator[None]:
    """Turns any fault of the body into a `ValueError` that names the file.

    The last resort behind a reader's own checks: bytes from outside may raise almost anything.

    Args:
        path: the file or folder that is read.
        kind: what it is read as, for the message.

    Raises:
        ValueError: the body's own, with the path before it where it names none; that of any other
            exception, which is its cause.
    """
    try:
        yield
    except ValueError as error:
        if path.name in str(error) or _names_file(str(error)):
            raise
        raise ValueError(f"{path}: {error}") from error
    except OSError as error:
        raise ValueError(f"{error.filename or path}: {_reason(error)}") from error
    except MemoryError as error:
        raise ValueError(f"{path}: needs more memory than is available; split it") from error
    except Exception as error:
        raise ValueError(
            f"{path}: cannot be read as {kind} ({type(error).__name__}: {_reason(error)}); it is "
            "damaged, or of another kind"
        ) from error


def _names_file(text: str) -> bool:
    try:
        return Path(text.partition(": ")[0]).exists()
    except (OSError, ValueError):
        return False


def _reason(error: Exception) -> str:
    """The short text of an error of a library."""
    text = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
    return (text or type(error).__name__)[:_LONGEST_REASON]
