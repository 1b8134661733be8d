"""Checkpoints that are either whole or absent: written aside, flushed, then renamed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

_FORMAT_KEY = "aclnet_checkpoint"
_FORMAT_VERSION = 1


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file so that a reader sees the old one or the new one, never a part.

    The body writes to the yielded path, in the same folder (created if needed). When the body
    ends, that file is flushed to the disk and renamed to `path`; if the body fails, it is deleted
    and `path` does not change.

    Args:
        path: final place of the file.

    Yields:
        The path to write to.

    Raises:
        ValueError: the body wrote no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        if not partial.is_file():
            raise ValueError(f"{path}: nothing was written to {partial}, so nothing was replaced")
        _flush(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    # The rename is an entry of the folder; systems that cannot open a folder do not need this.
    with suppress(OSError):
        _flush(path.parent)


def remove_partial(path: Path) -> None:
    """Delete the partial files that killed processes left of this path."""
    for left in path.parent.glob(f".{path.name}.*.partial"):
        left.unlink(missing_ok=True)


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state atomically.

    Args:
        path: file to write; an existing one is replaced.
        state: tensors, numbers, texts and plain containers of these.
    """
    with atomic_write(path) as partial:
        torch.save({_FORMAT_KEY: _FORMAT_VERSION, **state}, partial)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state written by `save_checkpoint`; tensors are on the CPU.

    Nothing but tensors and plain containers is unpickled, so a foreign file cannot run code.

    Args:
        path: file to read.

    Returns:
        The state.

    Raises:
        ValueError: the file is missing, damaged, of another program, or of a newer version.
    """
    if not path.is_file():
        raise ValueError(
            f"{path}: there is no checkpoint; give the path of one written by training"
        )
    advice = "copy it again or go back to an older checkpoint"
    try:
        with zipfile.ZipFile(path) as archive:
            # torch does not compare the records' checksums.
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{path}: the checkpoint is damaged (at {damaged}); {advice}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except ValueError:
        raise
    except Exception as error:  # torch and zipfile raise a dozen types for a bad file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: not a checkpoint of aclnet, or a damaged one ({reason}); {advice}"
        ) from error
    if not isinstance(state, dict) or _FORMAT_KEY not in state:
        raise ValueError(f"{path}: a PyTorch file, but not a checkpoint of aclnet's training")
    version = state.pop(_FORMAT_KEY)
    if version != _FORMAT_VERSION:
        raise ValueError(
            f"{path}: checkpoint format {version}, but this version reads {_FORMAT_VERSION}; "
            "install the version of aclnet that wrote it"
        )
    return state


def _flush(path: Path) -> None:
    """Force a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
