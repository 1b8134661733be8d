"""Files that appear whole or not at all, and archives of plain arrays."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Write a file that appears complete or not at all; its folder is made if missing.

    Args:
        path: The file, which may be open for reading elsewhere.

    Yields:
        A draft of the same suffix in its folder, to be written in the body; it replaces the file if
        the body ends without an error.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        yield draft
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> Path:
    """Write a text whole or not at all, in UTF-8 with its newlines as they are; return its path."""
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_arrays(path: Path | str, what: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an ``.npz`` without pickles, whole or not at all.

    Args:
        path: The file.
        what: Name of the arrays, for the message.
        arrays: The arrays by key.

    Raises:
        ValueError: The name does not end in ``.npz``.
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"{what} are saved as .npz, not as {path}.")
    with whole_file(path) as draft:
        np.savez(draft, allow_pickle=False, **arrays)


def read_arrays(
    source: Path, keys: Callable[[list[str]], Mapping[str, str]]
) -> dict[str, npt.NDArray[Any]]:
    """Read arrays of an ``.npz``, never a pickle.

    Args:
        source: The file.
        keys: Takes the keys of the file to those to read, by the name to return.

    Raises:
        ValueError: The file is no archive, or an array holds objects.
    """
    if not zipfile.is_zipfile(source):
        raise ValueError("this is not an npz archive; was it cut off while being copied?")
    found: dict[str, npt.NDArray[Any]] = {}
    with np.load(source, allow_pickle=False) as archive:
        for name, key in keys(list(archive.files)).items():
            try:
                found[name] = archive[key]
            except ValueError as error:
                raise ValueError(
                    f"the array {key!r} cannot be read without unpickling objects, which could "
                    "run code: save it as plain numbers or text."
                ) from error
    return found
