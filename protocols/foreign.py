"""Files from outside, read within bounds: text, JSON, YAML and archives of plain arrays.

A size that a file declares is checked against the file before anything is allocated. Messages do
not name the file: the readers of embeddings, scores, records and protocols do. ``aclnet.foreign``
does the same for the training core, which imports nothing of this package.
"""

from __future__ import annotations

import json
import math
import stat
import sys
import zipfile
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

MOST_TEXT = 1 << 30
"""Characters of a text."""
MOST_UNPACKED = 64 << 20
"""Bytes that an archive may unpack to, besides ``MOST_UNPACKED_A_BYTE`` for each of the file's."""
MOST_UNPACKED_A_BYTE = 100
"""Real poses fill up to 30 times their file (pixels, four of five persons empty); bombs 1,000."""
_MOST_YAML = 128 << 10  # characters; PyYAML takes a second for about 50,000
_MOST_NODES, _DEEPEST = 100_000, 100  # of YAML with its aliases written out
_MOST_MEMBERS = 10_000
_PIECE = 1 << 20
_SMALL = 1 << 16
_LONGEST_REASON = 200


def check_regular(source: Path) -> int:
    """Refuse a pipe or a device, which may have no end; return the size of a file in bytes.

    Raises:
        OSError: It is not there.
        ValueError: It is not a regular file.
    """
    found = source.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("this is not a regular file: give a file on a disk.")
    return found.st_size


def read_text(source: Path | Traversable, most: int = MOST_TEXT) -> str:
    """Read a text in UTF-8, with or without a byte order mark.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not text, no regular file, or longer than ``most`` characters.
    """
    if isinstance(source, Path) and check_regular(source) > 4 * most:
        raise ValueError(f"it is longer than the {most} characters that are read.")
    with source.open(encoding="utf-8-sig") as file:
        pieces, room = [], most + 1
        while room and (piece := file.read(min(room, _PIECE))):  # one call would take all the room
            pieces.append(piece)
            room -= len(piece)
    text = "".join(pieces)
    if len(text) > most:
        raise ValueError(f"it is longer than the {most} characters that are read.")
    return text


def parse_json(text: str) -> Any:
    """The content of a JSON text.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {reason(error)}") from None


def read_yaml(source: Path | Traversable) -> Any:
    """The plain data in a YAML file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not YAML, too long, or nested too deeply, also by its aliases.
    """
    import yaml

    text = read_text(source, _MOST_YAML)
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _weigh(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except Exception as error:  # a tag such as !!timestamp on a text raises almost anything
        raise ValueError(f"it cannot be read as YAML: {reason(error)}") from None


def _weigh(node: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The nodes below a node of YAML, each as often as it is referred to, and the levels."""
    if id(node) not in known:
        known[id(node)] = 1, _DEEPEST  # while it is weighed: one that holds itself is too deep
        size = levels = 1
        items = [] if isinstance(node.value, str) else node.value
        parts = [part for item in items for part in (item if isinstance(item, tuple) else (item,))]
        for below, height in (_weigh(part, known) for part in parts):
            size, levels = size + below, max(levels, height + 1)
        if size > _MOST_NODES or levels > _DEEPEST:
            raise ValueError(
                f"more than {_MOST_NODES} values or {_DEEPEST} levels, with aliases expanded"
            )
        known[id(node)] = size, levels
    return known[id(node)]


def array_names(source: Path) -> list[str]:
    """The keys of an ``.npz``.

    Raises:
        ValueError: It is not an archive.
        OSError: It cannot be read.
    """
    check_regular(source)
    try:
        with zipfile.ZipFile(source) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception as error:  # zipfile raises almost anything for bytes that are no archive
        raise ValueError(
            f"this is not an npz archive; was it cut off while being copied? ({reason(error)})"
        ) from None


def read_arrays(
    source: Path, keys: Callable[[list[str]], Mapping[str, str]]
) -> dict[str, npt.NDArray[Any]]:
    """Read arrays of an ``.npz``, never a pickle; no others are unpacked.

    Args:
        source: The file.
        keys: Takes the keys of the file to those to read, by the name to return.

    Raises:
        ValueError: The file is not an archive or damaged; an array holds objects, appears twice,
            or is of another size than its header says; or it unpacks to more than
            ``MOST_UNPACKED_A_BYTE`` times its size.
    """
    names = array_names(source)
    chosen = keys(names)
    with zipfile.ZipFile(source) as archive:
        members = dict(zip(names, archive.infolist(), strict=True))
        read = [members[key] for key in dict.fromkeys(chosen.values())]
        _check_members(names, [*chosen.values()], read, check_regular(source))
        return {name: _read_member(archive, members[key], key) for name, key in chosen.items()}


def _check_members(
    names: list[str], chosen: list[str], read: list[zipfile.ZipInfo], size: int
) -> None:
    """Check what the archive's directory says of the arrays to read, before any is unpacked."""
    if len(names) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(names)} arrays, and {_MOST_MEMBERS} are read at most.")
    twice = next((key for key in chosen if names.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"the array {twice!r} appears twice.")
    unpacked = sum(member.file_size for member in read)
    if unpacked > MOST_UNPACKED + MOST_UNPACKED_A_BYTE * size:
        raise ValueError(
            f"its {size} bytes unpack to {unpacked}: save it without compression (numpy.savez)."
        )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, key: str) -> npt.NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"the compression of the array {key!r} is not supported by NumPy.")
    try:
        with archive.open(member) as stream:
            _check_header(stream, member.file_size, key)
        with archive.open(member) as stream:
            array: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            _check_text(array, key)
            return array
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything
        problem = reason(error)
        raise ValueError(
            problem if key in problem else f"the array {key!r} cannot be read: {problem}"
        ) from None


def _check_text(array: npt.NDArray[Any], key: str) -> None:
    """Refuse text with numbers in it that are not characters, of which Python makes no text."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        plain = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        codes = np.ascontiguousarray(array).reshape(-1).view(plain)
        if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise ValueError(f"the array {key[:60]!r} holds something that is not text")


def read_array(source: Path) -> npt.NDArray[Any]:
    """Read an ``.npy``, never a pickle; mapped, so that nothing is read yet.

    Raises:
        ValueError: It is none, holds objects, or is longer or shorter than it says.
    """
    size = check_regular(source)
    try:
        with source.open("rb") as stream:
            _check_header(stream, size, source.stem)
        array = np.asarray(np.load(source, mmap_mode="r", allow_pickle=False))
        _check_text(array, source.stem)
        return array
    except Exception as error:
        raise ValueError(
            "this is not a .npy of plain numbers; does it hold objects, or was it cut off? "
            f"({reason(error)})"
        ) from None


def _check_header(stream: IO[bytes], size: int, key: str) -> None:
    """Check what the header of a ``.npy`` declares against the bytes that follow it."""
    formats = np.lib.format
    first = formats.read_magic(stream) == (1, 0)
    read = formats.read_array_header_1_0 if first else formats.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError(
            f"the array {key!r} cannot be read without unpickling objects, which could run code: "
            "save it as plain numbers or text."
        )
    declared, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    # An array without elements, or with elements of no bytes, may still have any length.
    longest = math.prod(max(length, 1) for length in shape)
    plain = dtype.kind in "biufcSU" and not dtype.shape
    if not plain or min(shape, default=0) < 0 or declared != there or longest > max(there, _SMALL):
        raise ValueError(f"the array {key!r} is not of the size and type that its header says.")


def reason(error: Exception) -> str:
    """The short text of an error of a library."""
    if isinstance(error, MemoryError):
        return "it needs more memory than is available"
    text = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
    return (text or type(error).__name__)[:_LONGEST_REASON]
