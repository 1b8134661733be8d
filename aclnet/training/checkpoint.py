"""Checkpoints that are either whole or absent, and checked when they are read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from aclnet.files import whole_file

_FORMAT_KEY = "aclnet_checkpoint"
_FORMAT_VERSION = 1


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state atomically.

    Args:
        path: file to write; an existing one is replaced.
        state: tensors, numbers, texts and plain containers of these.

    Raises:
        OSError: it cannot be written; the old file is whole.
    """
    # In memory first: of a full disk torch only says that its writer failed.
    content = io.BytesIO()
    torch.save({_FORMAT_KEY: _FORMAT_VERSION, **state}, content)
    with whole_file(path) as draft:
        draft.write_bytes(content.getbuffer())


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
