"""Loading a foreign pickle or `.npy` without running it.

A pickle is a program: loading one may call anything. Pose files on users' disks hold NumPy arrays
in plain containers, so only those are allowed. Even NumPy is not called by a pickle: stand-ins
check and build dtypes and arrays.

This keeps code from being run. A pickle can still ask for any memory and never end, so a reader
that unpickles sets `UNPICKLES`, and `aclnet.data.formats.read` runs it in a process with limits.
"""

from __future__ import annotations

import itertools
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.pickles import limits
from aclnet.foreign.arrays import mapped_npy, read_header
from aclnet.foreign.text import check_regular

# Booleans, integers, floats, byte and text strings of a stated size, and objects.
_DTYPE = re.compile(r"(b1|[iu][1248]|f[248]|[SU][1-9]\d{0,5}|O[48]?)\Z")
_MOST_AXES = 8
_LONGEST_AXIS = 1 << 48
_LONGEST_WORDS = 200
# Bytes of the content with everything copied that is named more than once.
_EXPANDED = 32 << 20
_EXPANDED_A_BYTE = 16
_NUMBER_BYTES = 8
_DEEPEST = 100
_CONTAINERS = (list, tuple, dict, set, frozenset)


class _RefusedError(Exception):
    """The pickle asks for something that is not allowed."""


@contextmanager
def unpickled(path: Path) -> Iterator[Any]:
    """The content of a pickle of NumPy arrays, numbers, texts and plain containers.

    The limits hold for the whole block: a small pickle may hold one list very often.

    Raises:
        ValueError: the file names any other class or function, needs too much memory, or is no
            whole pickle. One sentence with the file and the refused name.
    """
    with limits.unpickling(path):
        check_regular(path)
        with _faults(path), path.open("rb") as file:
            value = _Unpickler(file).load()
        _check_expanded(value, path)
        yield value


@contextmanager
def loaded_npy(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The array of a `.npy`; where it is of objects, a pickle follows the file's header.

    Numbers and texts are memory-mapped.

    Raises:
        ValueError: the file is not a whole `.npy`, or its objects are refused as in `unpickled`.
    """
    with limits.unpickling(path):
        check_regular(path)
        with _faults(path), path.open("rb") as file:
            is_pickled = _holds_objects(file)
            array = _Unpickler(file).load() if is_pickled else None
        _check_expanded(array, path)
        if not is_pickled:
            array = mapped_npy(path)
        elif not isinstance(array, np.ndarray):
            raise ValueError(f"{path}: not a whole .npy file (no array follows its header)")
        yield np.asarray(array)


def _check_expanded(value: Any, path: Path) -> None:
    """Refuse content that would be far larger than its file if every object were copied.

    A small pickle may hold one list, or one array, very often; each container is opened once.

    Raises:
        ValueError: it takes more than `_EXPANDED` bytes and `_EXPANDED_A_BYTE` for each of the
            file's, holds itself, or is nested more than `_DEEPEST` levels.
    """
    most = _EXPANDED + _EXPANDED_A_BYTE * path.stat().st_size
    known: dict[int, int] = {}
    stack: list[tuple[Any, Iterator[Any]]] = [(None, iter((value,)))]
    totals = [0]
    while stack:
        owner, items = stack[-1]
        for item in items:
            if not isinstance(item, _CONTAINERS) and not _holds(item):
                totals[-1] += _size_of(item)
            elif id(item) in known:
                totals[-1] += known[id(item)]
            else:
                known[id(item)] = most  # while it is open: it may hold itself
                stack.append((item, _items(item)))
                totals.append(0)
                break
        else:
            stack.pop()
            known[id(owner)] = total = totals.pop() + _NUMBER_BYTES
            if totals:
                totals[-1] += total
        if len(stack) > _DEEPEST or sum(totals) > most:
            raise ValueError(
                f"{path}: refers to its parts so often, or so deeply, that they would need more "
                f"than {most >> 20} MiB; do not trust this file"
            )


def _holds(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype.hasobject


def _items(container: Any) -> Iterator[Any]:
    """What it holds; of a dict, keys and values."""
    if isinstance(container, dict):
        return itertools.chain(container.keys(), container.values())
    return iter(container.reshape(-1) if isinstance(container, np.ndarray) else container)


def _size_of(leaf: Any) -> int:
    if isinstance(leaf, np.ndarray):
        return int(leaf.nbytes)
    return len(leaf) if isinstance(leaf, (str, bytes, bytearray)) else _NUMBER_BYTES


def as_array(value: Any) -> npt.NDArray[Any]:
    """The array of nested lists, tuples and arrays; those of objects count as lists.

    Returns:
        One axis or more, of the numbers' own type, or of objects where some are not numbers.

    Raises:
        ValueError: they are of different lengths.

    >>> as_array(np.array([1, 2], dtype=object)).dtype.kind
    'i'
    """
    array = np.atleast_1d(np.asarray(value))
    return np.asarray(array.tolist()) if array.dtype.hasobject else array


def printable(text: str, longest: int = _LONGEST_WORDS) -> str:
    r"""The beginning of a text from an untrusted file, without control characters.

    >>> printable("numpy\x1b[2J" + "a" * 300, 12)
    'numpy?[2Jaaa…'
    """
    shown = "".join(character if character.isprintable() else "?" for character in text[:longest])
    return shown if len(text) <= longest else shown + "…"


def too_large(path: str | Path, a_byte: int = limits.MEMORY_A_BYTE) -> ValueError:
    """The error for a file that needs more memory than is allowed, `a_byte` for each of its own."""
    return ValueError(
        f"{path}: needs more memory than {limits.MEMORY >> 20} MiB and {a_byte} times the file; do "
        "not trust this file, or split it"
    )


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turns any exception of loading into one sentence about the file."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise too_large(path) from None
    except _RefusedError as error:
        raise ValueError(
            f"{path}: the pickle asks for {printable(str(error))}, but only NumPy arrays and plain "
            "containers are read; do not trust this file"
        ) from None
    except Exception as error:
        # Bytes that are no pickle raise almost any exception, with arguments of the pickle's.
        text = error.args[0] if error.args and isinstance(error.args[0], str) else "no reason given"
        raise ValueError(
            f"{path}: not a whole pickle ({type(error).__name__}: {printable(text)}); "
            "it was cut short or is another kind of file; fetch or write it again"
        ) from None


def _holds_objects(file: BinaryIO) -> bool:
    """Whether a `.npy` has objects; the file is read up to its content."""
    try:
        return bool(read_header(file)[1].hasobject)
    except ValueError:
        return False


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        # latin1: arrays that Python 2 pickled hold their bytes as text.
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        # numpy.core is numpy._core in NumPy 2.
        place = module.replace("numpy._core.", "numpy.").replace("numpy.core.", "numpy.")
        make = _ALLOWED.get(f"{place}.{name}")
        if make is None:
            raise _RefusedError(f"{module}.{name}")
        return _Allowed(make)


class _Allowed:
    """A function that the pickle may call, but not change."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("a change to a function")


class _Dtype:
    """Stand-in for a dtype: a code such as f8, later a byte order."""

    __slots__ = ("dtype",)

    def __init__(self, code: object, *_flags: object) -> None:
        if not isinstance(code, str) or not _DTYPE.match(code):
            shown = code if isinstance(code, str) else type(code).__name__
            raise _RefusedError(f"an array of type {shown}")
        self.dtype: np.dtype[Any] = np.dtype("O" if code[0] == "O" else code)

    def __setstate__(self, state: Any) -> None:
        order, *structure = state[1:5]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in structure):
            raise _RefusedError("an array of a structured type")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray[Any, Any]):
    """An array whose content is set once, and checked before NumPy sees it."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        if self.size:
            raise _RefusedError("a change to an array")
        shape, dtype, fortran, content = state[-4:]
        if not isinstance(dtype, _Dtype):
            raise _RefusedError("an array without a type")
        few = isinstance(shape, tuple) and len(shape) <= _MOST_AXES
        if not few or not all(type(size) is int and 0 <= size < _LONGEST_AXIS for size in shape):
            raise TypeError("an array whose shape is not a few whole numbers")
        if dtype.dtype.hasobject:
            # A lone object, as `np.save` writes a dict, has the shape ().
            if not isinstance(content, list) or len(shape) > 1 or len(content) != math.prod(shape):
                raise _RefusedError("an array of objects in several dimensions")
        elif not isinstance(content, (str, bytes, bytearray)):
            raise TypeError("an array without bytes")
        else:
            content = content.encode("latin1") if isinstance(content, str) else bytes(content)
            if len(content) != math.prod(shape) * dtype.dtype.itemsize:
                raise ValueError(f"an array of shape {shape} with {len(content)} bytes")
        super().__setstate__((1, shape, dtype.dtype, fortran in (True, 1), content))  # type: ignore[arg-type]


def _reconstruct(*_: object) -> _Array:
    return _Array(0)


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array(0)
    array.__setstate__((shape, dtype, order == "F", content))
    return array


def _scalar(dtype: Any, content: Any) -> Any:
    return _from_buffer(content, dtype, (1,), "C")[0]


def _encode(text: str, encoding: object = "latin1") -> bytes:
    # Protocols 0 to 2 write bytes as a call of this.
    if encoding != "latin1":
        raise _RefusedError("another codec than latin1")
    return text.encode("latin1")


def _bare(*args: object) -> bytes:
    # Protocols 0 to 2 write empty bytes as a call of `bytes`; `numpy.ndarray` is named, not called.
    # With a number, either would ask for that much memory.
    if args:
        raise _RefusedError("a call of bytes or numpy.ndarray")
    return b""


_ALLOWED: dict[str, Callable[..., Any]] = {
    "numpy.multiarray._reconstruct": _reconstruct,
    "numpy.multiarray.scalar": _scalar,
    "numpy.numeric._frombuffer": _from_buffer,
    "numpy.ndarray": _bare,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _encode,
    "builtins.bytes": _bare,
    "__builtin__.bytes": _bare,
    "collections.OrderedDict": OrderedDict,
}
