"""Reading a foreign pickle without running it.

A pickle is a program: loading one may call anything. Pose files on users' disks hold NumPy arrays
in plain containers, so that is all that is understood here. Nothing of NumPy is called by the
pickle either: its arrays and dtypes are taken as descriptions, checked, and built by us.
"""

from __future__ import annotations

import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_MAX_DEPTH = 32
# Booleans, integers, floats, byte and text strings of a stated size; objects become lists.
_DTYPE = re.compile(r"(b1|[iu][1248]|f[248]|[SU]\d{1,6}|O8?)\Z")
_NUMPY_MODULE = re.compile(r"numpy\.(?:_?core\.)?(multiarray|numeric)\Z")


def safe_unpickle(path: str | Path) -> Any:
    """Load a pickle of NumPy arrays, numbers, texts and plain containers.

    Returns:
        What the file holds; arrays of objects come as lists.

    Raises:
        ValueError: the file names a class or function outside that, or is no whole pickle. One
            sentence with the file and the refused name.
    """
    try:
        with Path(path).open("rb") as file:
            loaded = _Reader(file).load()
        return _plain(loaded, 0)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _RefusedError as error:
        raise ValueError(
            f"{path}: the pickle asks for {error}, and only NumPy arrays and plain containers are "
            "read; do not trust this file"
        ) from None
    except Exception as error:
        # Bytes that are no pickle make the reader raise almost any exception.
        raise ValueError(
            f"{path}: not a whole pickle ({type(error).__name__}: {error}); "
            "it was cut short or is another kind of file"
        ) from None


class _RefusedError(Exception):
    """The pickle named something that is not allowed."""


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        # latin1: arrays that Python 2 pickled hold their bytes as text.
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        numpy_part = _NUMPY_MODULE.match(module)
        place = f"numpy.{numpy_part[1]}" if numpy_part else module
        make = _ALLOWED.get(f"{place}.{name}")
        if make is None:
            raise _RefusedError(f"{module}.{name}")
        return _Maker(make)


class _Maker:
    """A function that the pickle may call, and do nothing else with."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("a change to a function")


class _Dtype:
    """The description of a dtype: a code such as f8, later a byte order."""

    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or not _DTYPE.match(code):
            raise _RefusedError(f"an array of type {code!r}")
        self.dtype: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, subarray, names, fields = state[1:5]
        if order not in ("<", ">", "|", "=") or any(x is not None for x in (subarray, names)):
            raise _RefusedError("an array of a structured type")
        if fields is not None:
            raise _RefusedError("an array of a structured type")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """The description of an array; `_plain` puts the array in its place."""

    def __init__(self) -> None:
        self.value: npt.NDArray[Any] | list[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, content = state[-4:]
        self.value = _build(content, dtype, shape, "F" if fortran else "C")


def _build(content: Any, dtype: Any, shape: Any, order: str) -> npt.NDArray[Any] | list[Any]:
    if not isinstance(dtype, _Dtype):
        raise _RefusedError("an array without a type")
    if dtype.dtype.hasobject:
        if not isinstance(content, list) or len(shape) != 1 or len(content) != shape[0]:
            raise _RefusedError("an array of objects in several dimensions")
        return content
    raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
    if len(raw) != math.prod(shape) * dtype.dtype.itemsize:
        raise ValueError(f"an array of shape {shape} with {len(raw)} bytes")
    if dtype.dtype.itemsize == 0:
        return np.zeros(shape, dtype.dtype)
    array = np.frombuffer(raw, dtype.dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(*_args: Any) -> _Array:
    return _Array()


def _frombuffer(content: Any, dtype: Any, shape: Any, order: str) -> Any:
    return _build(content, dtype, shape, order)


def _scalar(dtype: Any, content: Any) -> Any:
    built = _build(content, dtype, (1,), "C")
    return built[0]


def _dtype(code: str, *_flags: Any) -> _Dtype:
    return _Dtype(code)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    # How protocols 0 to 2 write bytes.
    if encoding != "latin1":
        raise _RefusedError(f"the codec {encoding}")
    return text.encode("latin1")


def _no_bytes(*args: Any) -> bytes:
    # How protocols 0 to 2 write no bytes; with a number it would ask for that much memory.
    if args:
        raise _RefusedError("a call of bytes")
    return b""


def _array_class(*_args: Any) -> Any:
    raise _RefusedError("a call of numpy.ndarray")


_ALLOWED: dict[str, Callable[..., Any]] = {
    "numpy.multiarray._reconstruct": _reconstruct,
    "numpy.multiarray.scalar": _scalar,
    "numpy.numeric._frombuffer": _frombuffer,
    "numpy.ndarray": _array_class,
    "numpy.dtype": _dtype,
    "_codecs.encode": _encode,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    "collections.OrderedDict": OrderedDict,
}


def _plain(value: Any, depth: int) -> Any:
    """The value with arrays in place of their descriptions."""
    if depth > _MAX_DEPTH:
        raise _RefusedError(f"containers nested more than {_MAX_DEPTH} deep")
    if isinstance(value, _Array):
        return _plain(value.value, depth + 1) if isinstance(value.value, list) else value.value
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(item, depth + 1) for item in value)
    if isinstance(value, (_Maker, _Dtype)):
        raise _RefusedError("a function or type as a value")
    return value
