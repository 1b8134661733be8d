"""Reading a foreign pickle without running it.

A pickle is a program: loading one may call anything. Pose files on users' disks hold NumPy arrays
in plain containers, so that is all that is understood here (`aclnet.data.formats.pickles.words`).
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aclnet.data.formats.pickles.words import (
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


def safe_load_npy(path: str | Path) -> Any:
    """Load a `.npy`, whose array may be of objects: then a pickle follows the file's header.

    Returns:
        An array of numbers or texts, memory-mapped; an array of objects as the list of them, a
        lone object (as of `np.save(path, {...})`) as a list of one.

    Raises:
        ValueError: the file is no whole `.npy`, or its objects are refused as in `safe_unpickle`.
    """
    place = Path(path)
    with pickle_faults(place), place.open("rb") as file:
        dtype = _npy_dtype(file)
        if dtype is not None and dtype.hasobject:
            return _plain(_Reader(file).load(), 0)
    try:
        return np.load(place, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        # Bytes that are no array make NumPy raise almost any exception.
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{place}: not a whole .npy file ({reason}); it was cut short or is another kind of "
            "file"
        ) from None


def _npy_dtype(file: BinaryIO) -> np.dtype[Any] | None:
    """What the header says, the file then standing behind it; None where there is no header."""
    formats = np.lib.format
    try:
        first = formats.read_magic(file) == (1, 0)
        read_header = formats.read_array_header_1_0 if first else formats.read_array_header_2_0
        dtype: np.dtype[Any] = read_header(file)[2]
    except (ValueError, OverflowError):
        return None
    return dtype


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
