"""The few names that a foreign pickle may say, and what is understood by them.

Nothing of NumPy is called by a pickle: its arrays and dtypes are taken as descriptions, checked,
and built here. Both readers of pickles, `aclnet.data.formats.pickles.unpickle` and
`aclnet.data.formats.pyskl.stream`, know these names and no others.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# Booleans, integers, floats, byte and text strings of a stated size; objects become lists.
_DTYPE = re.compile(r"(b1|[iu][1248]|f[248]|[SU]\d{1,6}|O8?)\Z")
_NUMPY_MODULE = re.compile(r"numpy\.(?:_?core\.)?(multiarray|numeric)\Z")
_LONGEST = 200

Build = Callable[[Any, Any, Any, str], Any]
"""Makes an array from its content, dtype, shape and order (C or F)."""


class RefusedError(Exception):
    """The pickle named something that is not allowed."""


@contextmanager
def pickle_faults(path: str | Path) -> Iterator[None]:
    """Turns whatever goes wrong while a pickle is read into one sentence about the file.

    Raises:
        ValueError: the file cannot be read, names something that is not allowed, or is no whole
            pickle.
    """
    try:
        yield
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from None
    except RefusedError as error:
        raise ValueError(
            f"{path}: the pickle asks for {_short(error)}, and only NumPy arrays and plain "
            "containers are read; do not trust this file"
        ) from None
    except Exception as error:
        # Bytes that are no pickle make the reader raise almost any exception.
        raise ValueError(
            f"{path}: not a whole pickle ({type(error).__name__}: {_short(error)}); "
            "it was cut short or is another kind of file; fetch or write it again"
        ) from None


def _short(error: Exception) -> str:
    # The words are the file's: any length, any characters.
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


class AllowedCall:
    """A function that the pickle may call, and do nothing else with."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        """What the function makes of the pickle's arguments."""
        return self._make(*args)

    def __setstate__(self, state: object) -> None:
        raise RefusedError("a change to a function")


class DtypeDescription:
    """The description of a dtype: a code such as f8, later a byte order."""

    def __init__(self, code: str, *_flags: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.match(code):
            raise RefusedError(f"an array of type {code!r}")
        self.dtype: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, subarray, names, fields = state[1:5]
        if order not in ("<", ">", "|", "=") or any(x is not None for x in (subarray, names)):
            raise RefusedError("an array of a structured type")
        if fields is not None:
            raise RefusedError("an array of a structured type")
        self.dtype = self.dtype.newbyteorder(order)


class ArrayDescription:
    """The description of an array; `value` is the array once the pickle gave its state (`built`).

    Args:
        build: makes the array.
    """

    def __init__(self, build: Build, *_args: Any) -> None:
        self._build = build
        self.value: Any = np.empty(0)
        self.built = False

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, dtype, fortran, content = state[-4:]
        self.value = self._build(content, dtype, shape, "F" if fortran else "C")
        self.built = True


def build_array(content: Any, dtype: Any, shape: Any, order: str) -> npt.NDArray[Any] | list[Any]:
    """The array that a pickle describes; an array of objects as the list of them.

    Raises:
        RefusedError: the dtype is none, or the objects lie in several dimensions.
        ValueError: the content is not as long as the shape says.
    """
    if not isinstance(dtype, DtypeDescription):
        raise RefusedError("an array without a type")
    if dtype.dtype.hasobject:
        # A lone object, as `np.save` writes a dict, has the shape ().
        if not isinstance(content, list) or len(shape) > 1 or len(content) != math.prod(shape):
            raise RefusedError("an array of objects in several dimensions")
        return content
    raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
    if len(raw) != math.prod(shape) * dtype.dtype.itemsize:
        raise ValueError(f"an array of shape {shape} with {len(raw)} bytes")
    if dtype.dtype.itemsize == 0:
        return np.zeros(shape, dtype.dtype)
    array = np.frombuffer(raw, dtype.dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


class PickleWords:
    """The allowed names.

    Args:
        build: makes the arrays.
    """

    def __init__(self, build: Build = build_array) -> None:
        self._allowed: dict[str, Callable[..., Any]] = {
            "numpy.multiarray._reconstruct": partial(ArrayDescription, build),
            "numpy.multiarray.scalar": _scalar,
            "numpy.numeric._frombuffer": build,
            "numpy.ndarray": _array_class,
            "numpy.dtype": DtypeDescription,
            "_codecs.encode": _encode,
            "builtins.bytes": _no_bytes,
            "__builtin__.bytes": _no_bytes,
            "collections.OrderedDict": _ordered_dict,
        }

    def find(self, module: str, name: str) -> AllowedCall:
        """What stands for `module.name`.

        Raises:
            RefusedError: the name is not allowed.
        """
        numpy_part = _NUMPY_MODULE.match(module)
        place = f"numpy.{numpy_part[1]}" if numpy_part else module
        make = self._allowed.get(f"{place}.{name}")
        if make is None:
            raise RefusedError(f"{module}.{name}")
        return AllowedCall(make)


def _scalar(dtype: Any, content: Any) -> Any:
    return build_array(content, dtype, (1,), "C")[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    # How protocols 0 to 2 write bytes.
    if encoding != "latin1":
        raise RefusedError(f"the codec {encoding}")
    return text.encode("latin1")


def _no_bytes(*args: Any) -> bytes:
    # How protocols 0 to 2 write no bytes; with a number it would ask for that much memory.
    if args:
        raise RefusedError("a call of bytes")
    return b""


def plain_key(key: Any) -> Any:
    """The key of a dict as it is.

    Raises:
        RefusedError: it is no text or number. The hash of a tuple that holds one tuple twice, which
            holds another twice, and so on, would take for ever.
    """
    if not isinstance(key, (str, bytes, int, float, np.generic)) and key is not None:
        raise RefusedError(f"a dict key of type {type(key).__name__}")
    return key


def _ordered_dict(pairs: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict((plain_key(key), value) for key, value in pairs)


def _array_class(*_args: Any) -> Any:
    raise RefusedError("a call of numpy.ndarray")
