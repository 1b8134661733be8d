"""The operations of a pickle as they lie in the file, and what they would hold in memory.

The operations are documented; `pickletools` tells them apart and never runs them. A pickle may
announce any size and remember every object: here nothing is read that the file does not have, and
a first look finds the few objects that are fetched again.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from aclnet.data.formats.pickles.words import AllowedCall, PickleWords, RefusedError

Operation = tuple[pickletools.OpcodeInfo, Any, int | None]

MOST_HELD = 1 << 30
"""Bytes, roughly, that a pickle may hold at once besides what was handed out."""
FETCHES = ("GET", "BINGET", "LONG_BINGET")
_OBJECT = 64  # bytes of a small object, roughly
_LARGE = 1 << 16


class _Bounded:
    """A file whose operations cannot ask for more bytes than it has, or than may be held."""

    def __init__(self, file: BinaryIO, size: int, most_held: int) -> None:
        self._file, self._size, self._most = file, size, most_held

    def read(self, count: int) -> bytes:
        if count > _LARGE:
            if count > self._size - self._file.tell():
                raise EOFError(f"{count} bytes are announced and not there")
            check_held(count, self._most)
        return self._file.read(count)

    def readline(self) -> bytes:
        return self._file.readline(self._most)


def operations(file: BinaryIO, size: int, most_held: int = MOST_HELD) -> Iterator[Operation]:
    """The operations of a pickle, one after another; nothing is done with them.

    Args:
        file: opened for reading bytes, at its start.
        size: of the file in bytes.
        most_held: bytes that one operation may bring.
    """
    # pickletools asks for nothing but read and readline; without `tell` it is faster.
    return pickletools.genops(_Bounded(file, size, most_held))  # type: ignore[arg-type]


def fetched_places(stream: Iterable[Operation], most_held: int = MOST_HELD) -> frozenset[int]:
    """The places of the memory that a pickle fetches from.

    Args:
        stream: the pickle's operations.
        most_held: bytes, roughly, that may be held.

    Raises:
        RefusedError: a name is not allowed.
    """
    words = PickleWords()
    fetched: set[int] = set()
    for operation, argument, _ in stream:
        if operation.name in FETCHES:
            fetched.add(argument)
            check_held(_OBJECT * len(fetched), most_held)
        elif operation.name in ("GLOBAL", "INST"):
            words.find(*split_name(argument))
    return frozenset(fetched)


def split_name(argument: str) -> tuple[str, str]:
    """Module and name of the argument of a GLOBAL operation.

    >>> split_name("numpy dtype")
    ('numpy', 'dtype')
    """
    module, _, name = argument.partition(" ")
    return module, name


def check_held(held: int, most_held: int) -> None:
    """Refuse a pickle that holds too much.

    Raises:
        RefusedError: more than `most_held` bytes are held.
    """
    if held > most_held:
        raise RefusedError(f"more than {most_held >> 20} MiB at once")


def own_size(value: Any) -> int:
    """Bytes of a value, roughly, without those of what it holds."""
    if isinstance(value, (str, bytes, bytearray)):
        return _OBJECT + len(value)
    if isinstance(value, int):
        return _OBJECT + value.bit_length() // 8
    if isinstance(value, np.ndarray):
        return _OBJECT + value.nbytes
    return _OBJECT + 8 * len(value) if isinstance(value, tuple) else _OBJECT


def lasting_size(value: Any) -> int | None:
    """Bytes of a value with all that it will ever hold, None where that is not known yet.

    >>> lasting_size((1080, 1920)) is None, lasting_size([]) is None
    (False, True)
    """
    single = (str, bytes, int, float, np.generic, AllowedCall)
    if isinstance(value, tuple) and all(isinstance(item, single) for item in value):
        return own_size(value) + sum(map(own_size, value))
    return own_size(value) if value is None or isinstance(value, single) else None
