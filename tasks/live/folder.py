"""A growing folder: each file that a pose estimator writes is taken when it is whole.

Files are taken in the order of their names (2 before 12), so nothing is remembered but the last
one: a file that comes with an earlier name is passed over. A file of JSON is whole when it can be
read, another when it has not changed for a moment.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterator
from heapq import nsmallest
from importlib import import_module
from pathlib import Path
from typing import Any

from aclnet.data.formats import READERS, detect, reader_options
from aclnet.data.formats.keypoints.files import natural_order
from aclnet.data.formats.keypoints.reader import KeypointReader
from aclnet.skeleton.names import nearest_name
from tasks.live.events import MOST_PEOPLE, Event, Frame, Silence, Wrong

LARGEST_FILE = 16 << 20
_POLL_SECONDS = 0.1
_SILENCE_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
"""How long ago a file that cannot be read must have changed to be wrong, and not half-written."""
_AT_ONCE = 256
_SUFFIXES = (".json", ".csv", ".txt")


class FolderSource:
    """The frames of the files of a folder, those too that come while it is looked at.

    Args:
        folder: it.
        format: of its files; by default that of the first one.
        options: of the format's reader; a layout is one of them.

    Attributes:
        name: for messages.

    Raises:
        ValueError: the format is none of key points.
    """

    def __init__(self, folder: Path, format: str | None, options: dict[str, Any]) -> None:
        self.name = str(folder)
        self._folder, self._options = folder, options
        self._reader = None if format is None else _reader(format, options)
        self._last: tuple[Any, ...] = ()
        self._number = -1
        self._before: tuple[str, int, int] = ("", 0, 0)
        self._changed = 0.0

    def events(self) -> Iterator[Event]:
        """The frames of each file; it never ends."""
        quiet = time.monotonic()
        while True:
            for file in self._new():
                taken = self._taken(file)
                if taken is None:  # those after it wait, too
                    break
                self._last = natural_order(file.name)
                yield from taken
                quiet = time.monotonic()
            if time.monotonic() - quiet >= _SILENCE_SECONDS:
                yield Silence()
                quiet = time.monotonic()
            time.sleep(_POLL_SECONDS)

    def _new(self) -> list[Path]:
        """Some files that were not taken, in order."""
        there = (
            file
            for file in self._folder.iterdir()
            if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")
        )
        later = (file for file in there if natural_order(file.name) > self._last)
        return nsmallest(_AT_ONCE, later, key=lambda file: natural_order(file.name))

    def _taken(self, file: Path) -> list[Event] | None:
        """What a file tells; None while it may still be written."""
        try:
            found = file.stat()
        except OSError:  # it is gone again
            return []
        now = file.name, found.st_size, found.st_mtime_ns
        before, self._before = self._before, now
        if now != before:
            self._changed = time.monotonic()
        if found.st_size > LARGEST_FILE:
            return [Wrong(f"{file}: larger than {LARGEST_FILE >> 20} MiB")]
        if file.suffix.lower() != ".json" and now != before:
            return None
        try:
            return list(self._frames(file))
        except ValueError as error:
            # A clock may be set, or a file be of the future: that alone keeps nothing waiting.
            written = time.time() - found.st_mtime, time.monotonic() - self._changed
            if max(written) < _PATIENCE_SECONDS:
                return None
            return [Wrong(str(error))]

    def _frames(self, file: Path) -> Iterator[Frame]:
        reader = self._reader or _reader(detect(file), self._options)
        arrived = time.monotonic()
        layout, found = reader.read_file(file, **self._options)
        self._reader = reader
        numbers = found.numbers.tolist()
        if len(numbers) == 1 and not re.search(r"\d", file.stem):
            numbers = [self._number + 1]
        if numbers and numbers[0] <= self._number:  # it counts from its own beginning
            numbers = [self._number + 1 + number - numbers[0] for number in numbers]
        for place, number in enumerate(numbers):
            self._number = number
            rows = (found.frame == place).nonzero()[0][:MOST_PEOPLE]
            tracks = [found.track[row] for row in rows]
            once = max(Counter(filter(None, tracks)).values(), default=0) <= 1
            # An id that several people of a frame have is none.
            names = tuple(tracks) if once else ("",) * len(tracks)
            yield Frame(number, None, names, found.points[rows], arrived, layout)


def _reader(format: str, options: Collection[str]) -> KeypointReader:
    """The reader of a format.

    Raises:
        ValueError: there is none, or none of key points, or it has not these options.
    """
    if format not in READERS:
        raise ValueError(f"no format {format!r}; there are {', '.join(READERS)}")
    reader = getattr(import_module(READERS[format]), "read", None)
    if not isinstance(reader, KeypointReader):
        raise ValueError(
            f"files of {format} are whole recordings, which cannot be followed: give files of key "
            "points, such as those of OpenPose, MMPose or Ultralytics"
        )
    known = (*reader_options(format), "layout")
    if unknown := [name for name in options if name not in known]:
        raise ValueError(
            f"format {format} has no option {unknown[0]!r}{nearest_name(unknown[0], known)}"
        )
    return reader
