"""Reading a foreign pickle without running it.

A pickle is a program: loading one may call anything. Pose files on users' disks hold NumPy arrays
in plain containers, so that is all that is understood here (`aclnet.data.pickle_words`).
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

from aclnet.data.pickle_words import (
    AllowedCall,
    ArrayDescription,
    DtypeDescription,
    PickleWords,
    RefusedError,
    pickle_faults,
)

_MAX_DEPTH = 32


def safe_unpickle(path: str | Path) -> Any:
    """Load a pickle of NumPy arrays, numbers, texts and plain containers.

    Returns:
        What the file holds; arrays of objects come as lists.

    Raises:
        ValueError: the file names a class or function outside that, or is no whole pickle. One
            sentence with the file and the refused name.
    """
    with pickle_faults(path):
        with Path(path).open("rb") as file:
            loaded = _Reader(file).load()
        return _plain(loaded, 0)


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        # latin1: arrays that Python 2 pickled hold their bytes as text.
        super().__init__(file, encoding="latin1")
        self._words = PickleWords()

    def find_class(self, module: str, name: str) -> Any:
        return self._words.find(module, name)


def _plain(value: Any, depth: int) -> Any:
    """The value with arrays in place of their descriptions."""
    if depth > _MAX_DEPTH:
        raise RefusedError(f"containers nested more than {_MAX_DEPTH} deep")
    if isinstance(value, ArrayDescription):
        return _plain(value.value, depth + 1) if isinstance(value.value, list) else value.value
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item, depth + 1) for item in value)
    if isinstance(value, (AllowedCall, DtypeDescription)):
        raise RefusedError("a function or type as a value")
    return value
