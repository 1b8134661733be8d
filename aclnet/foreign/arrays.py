"""NumPy's files: `.npz` archives and `.npy`, never a pickle in them."""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from aclnet.foreign.text import check_regular

MOST_UNPACKED = 64 << 20
"""Bytes that an archive may unpack to, besides `MOST_UNPACKED_A_BYTE` for each of the file's."""
MOST_UNPACKED_A_BYTE = 100
"""Real poses fill up to 30 times their file (pixels, four of five persons empty); bombs 1,000."""
_MOST_MEMBERS = 10_000
_SMALL = 1 << 16
_LONGEST_REASON = 200
_ENDING = ".npy"


def to_float32(values: Any) -> npt.NDArray[np.float32]:
    """Numbers, also nested lists, as float32; one that is too large becomes infinite, unwarned.

    Raises:
        ValueError: they are ragged, or text that is not a number.
    """
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32)


def member_names(path: Path) -> list[str]:
    """The keys of an `.npz`; none where it is not a readable archive."""
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(_ENDING) for name in archive.namelist()]
    except Exception:  # zipfile raises almost anything for bytes that are no archive
        return []


def read_arrays(
    path: Path, wanted: Callable[[list[str]], Iterable[str]]
) -> dict[str, npt.NDArray[Any]]:
    """Arrays of an `.npz`, in the order of the file; no others are unpacked.

    Args:
        path: the file.
        wanted: takes the file's keys to those to read.

    Raises:
        ValueError: it is not an archive, or damaged; an array holds objects, appears twice or is
            larger or smaller than its header says; the archive unpacks to more than
            `MOST_UNPACKED_A_BYTE` times its size; or that of `wanted`.
    """
    size = check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename.removesuffix(_ENDING) for member in members]
    except Exception as error:
        raise _unreadable(path, error) from None
    chosen = set(wanted(names))
    try:
        _check_members(members, chosen, size)
        found: dict[str, npt.NDArray[Any]] = {}
        with zipfile.ZipFile(path) as archive:
            for name, member in zip(names, members, strict=True):
                if name in chosen:
                    with archive.open(member) as stream:
                        check_header(stream, member.file_size, name)
                    with archive.open(member) as stream:
                        found[name] = np.lib.format.read_array(stream, allow_pickle=False)
                    _check_text(found[name], name)
        return found
    except Exception as error:  # zipfile, zlib and NumPy raise almost anything
        raise _unreadable(path, error) from None


def _check_members(
    members: Collection[zipfile.ZipInfo], chosen: Collection[str], size: int
) -> None:
    """Check what the archive's directory says of the arrays to read, before any is unpacked."""
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(members)} arrays, {_MOST_MEMBERS} are read at most")
    read = [one for one in members if one.filename.removesuffix(_ENDING) in chosen]
    if len({one.filename.removesuffix(_ENDING) for one in read}) < len(read):
        raise ValueError("an array appears twice")
    for member in read:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(
                f"the compression of {member.filename[:60]!r} is not supported by NumPy"
            )
    unpacked = sum(member.file_size for member in read)
    if unpacked > MOST_UNPACKED + MOST_UNPACKED_A_BYTE * size:
        raise ValueError(
            f"its {size} bytes unpack to {unpacked}; save it without compression (numpy.savez)"
        )


def _check_text(array: npt.NDArray[Any], key: str) -> None:
    """Refuse text with numbers in it that are not characters, of which Python makes no text."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        plain = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        codes = np.ascontiguousarray(array).reshape(-1).view(plain)
        if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise ValueError(f"the array {key[:60]!r} holds something that is not text")


def check_header(stream: IO[bytes], size: int, name: str) -> np.dtype[Any]:
    """Check what the header of a `.npy` declares against the bytes that follow it.

    Args:
        stream: the file's beginning; it is read up to the content.
        size: bytes of the whole file.
        name: the array, for a message.

    Returns:
        The array's type, which is one of plain numbers or text.

    Raises:
        ValueError: the array holds objects, or another number of bytes follows.
    """
    shape, dtype = read_header(stream)
    name = name[:60]
    if dtype.hasobject or dtype.kind not in "biufcSU" or dtype.shape:
        raise ValueError(
            f"the array {name!r} is of {'objects' if dtype.hasobject else dtype.kind}; save it as "
            "plain numbers or text"
        )
    declared, there = math.prod(shape) * dtype.itemsize, size - stream.tell()
    # An array without elements, or with elements of no bytes, may still have any length.
    longest = math.prod(max(length, 1) for length in shape)
    if min(shape, default=0) < 0 or declared != there or longest > max(there, _SMALL):
        raise ValueError(
            f"the array {name!r} says that it has shape {_shown(shape)} of {dtype}, and {there} "
            "bytes follow"
        )
    return dtype


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type in the header of a `.npy`, read up to its end.

    Raises:
        ValueError: there is none.
    """
    try:
        version = np.lib.format.read_magic(stream)
        later = np.lib.format.read_array_header_2_0
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else later
        shape, _, dtype = read(stream)
    except Exception as error:  # the header is a Python literal
        raise ValueError(f"no header of a .npy ({_reason(error)})") from None
    return shape, dtype


def mapped_npy(path: Path) -> npt.NDArray[Any]:
    """The array of a `.npy`, mapped: nothing is read yet.

    Raises:
        ValueError: it is none, holds objects, or is longer or shorter than it says.
    """
    size = check_regular(path)
    try:
        with path.open("rb") as stream:
            check_header(stream, size, path.name)
        if not size:
            raise ValueError("it is empty")
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise ValueError(
            f"{path}: not a whole .npy file ({_reason(error)}); it was cut short or is another "
            "kind of file"
        ) from None
    return array


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path}: not a readable .npz without pickles: {_reason(error)}")


def _shown(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(f"{length:.3g}" for length in shape[:8]) + ")"


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it needs more memory than is available"
    text = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
    return (text or type(error).__name__)[:_LONGEST_REASON]
