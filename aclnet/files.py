"""Files that appear whole or not at all, private to their owner; and folders with one writer.

Runs, stores, embeddings, records, reports and pictures name or show people. So all that the program
creates is private: files 0600, folders 0700, less what the user's umask takes away. A file that is
replaced keeps its permissions, so that one opened to a group stays open.

A lock is held by a living process (`flock`) and freed by its end, however it ends. Over NFS Linux
takes it at the server, so that it also holds between hosts, unless the file system is mounted with
`nolock` or `local_lock`; then it holds on one host. A file system that knows no locks has none.

`protocols.files` does the same for its own files; neither package imports the other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DRAFT = re.compile(r"\..+\.[0-9a-f]+\.partial(\.[^.]*)?")
"""The names of drafts, also those of older versions."""

_POLL_SECONDS = 0.2


class Busy(ValueError):  # noqa: N818 (a state, not an error)
    """Another process writes there."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file so that a reader sees the old one or the new one, never a part.

    The body writes to the yielded draft, in the same folder (created if needed) and with the same
    suffix. When the body ends, the draft is flushed to the disk and renamed to `path`; if the body
    fails, it is deleted and `path` does not change. A link stays, and its target is replaced; a
    device or a pipe is written to directly. The drafts that killed processes left in the folder are
    removed.

    Args:
        path: final place of the file.

    Yields:
        The path to write to.

    Raises:
        ValueError: the body wrote nothing.
        OSError: it cannot be written; the error names `path`.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with naming(path):
            yield path
        return
    target = Path(os.path.realpath(path))
    with naming(path):
        make_folder(target.parent)
        remove_drafts(target.parent)
        draft, descriptor = _new_draft(target)
    try:
        with naming(path, draft):
            yield draft
            if not draft.stat().st_size:
                raise ValueError(f"{path}: nothing was written, so nothing was replaced")
            _flush(draft)
            if target.exists():
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            os.replace(draft, target)
    finally:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
    # The rename is an entry of the folder; systems that cannot open a folder do not need this.
    with suppress(OSError):
        _flush(target.parent)


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """A folder that appears under its name when the body ends, and not at all if it fails.

    Args:
        place: the folder, which may be there if it is empty.

    Yields:
        The folder to fill, beside it.

    Raises:
        Busy: another process writes it.
        ValueError: something is there already.
    """
    target = Path(os.path.realpath(place))
    draft, lock = (target.with_name(f".{target.name}.{kind}") for kind in ("new", "lock"))
    with owned(lock, place, "wait for it to end, or choose another folder"), naming(place, draft):
        _require_free(place)
        shutil.rmtree(draft, ignore_errors=True)  # of a killed process
        make_folder(draft)
        try:
            yield draft
            _require_free(place)
            os.replace(draft, target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _require_free(place: Path) -> None:
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise ValueError(f"{place} already exists: remove it, or choose another folder")


def make_folder(path: Path) -> list[Path]:
    """Create a folder and those above it, private to their owner; returns the created ones."""
    folder = Path(os.path.realpath(path))
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()][::-1]
    for each in missing:
        each.mkdir(mode=0o700, exist_ok=True)
    return missing


def private(path: str, flags: int) -> int:
    """An `opener` for `open` that creates files private to their owner."""
    return os.open(path, flags, 0o600)


def remove_drafts(folder: Path) -> None:
    """Delete the drafts that killed processes left in a folder, not those of living ones."""
    for name in os.listdir(folder):
        if DRAFT.fullmatch(name):
            with suppress(OSError):
                descriptor = os.open(folder / name, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(folder / name)
                finally:
                    os.close(descriptor)


@contextmanager
def naming(path: Path, draft: Path | None = None) -> Iterator[None]:
    """Make a failed write name its file or store, rather than nothing or a draft."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # NumPy only says how much it could not write
            raise OSError(errno.EIO, str(error), str(path)) from None
        name = error.filename
        if name is None or (draft is not None and str(name).startswith(str(draft))):
            error.filename = str(path)
        raise


@contextmanager
def owned(lock: Path, what: object, remedy: str) -> Iterator[None]:
    """Be the only process that writes something.

    The lock's file and the folders made for it are removed at the end; folders, if they are empty.

    Args:
        lock: file of the lock; it may be left from a killed process.
        what: what is written, for the message.
        remedy: what to do if another process writes it, for the message.

    Raises:
        Busy: another living process holds the lock.
    """
    made = make_folder(lock.parent)
    try:
        descriptor = _lock(lock)
        if descriptor is None:
            raise Busy(f"{what} is being written by {_owner(lock)}: {remedy}")
        try:
            with suppress(OSError):  # on a full disk the lock holds without its text
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, _myself().encode(), 0)
            yield
        finally:
            lock.unlink(missing_ok=True)  # while it is held, so that nobody else's is removed
            os.close(descriptor)
    finally:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def wait_until_free(lock: Path, report: Callable[[str], None], what: object) -> None:
    """Wait for a living process to free a lock, and say so once."""
    told = False
    while is_held(lock):
        if not told:
            report(f"waiting for {_owner(lock)}, which is writing {what}")
            told = True
        time.sleep(_POLL_SECONDS)


def is_held(lock: Path) -> bool:
    """Whether a living process holds a lock (see `owned`)."""
    try:
        descriptor = _lock(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _lock(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int | None:
    """An open file that holds the lock; None if another process holds it."""
    while True:
        # Not through a link: the lock's text would replace what a foreign file holds.
        descriptor = private(str(path), flags | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            return descriptor  # a file system without locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)  # its owner removed the file between our two steps


def _new_draft(target: Path) -> tuple[Path, int]:
    """A new locked file beside the target, and its descriptor."""
    while True:
        name = f".{target.stem[:50]}.{secrets.token_hex(4)}.partial{target.suffix[:20]}"
        draft = target.with_name(name)
        descriptor = _lock(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        if descriptor is not None:
            return draft, descriptor


def _myself() -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {socket.gethostname()} since {since}"


def _owner(lock: Path) -> str:
    """Who holds a lock, in printable words."""
    with suppress(OSError):
        text = lock.read_bytes()[:200].decode(errors="replace")
        if text.isprintable() and text:
            return text
    return "another process"


def _flush(path: Path) -> None:
    """Force a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
