"""Checkpoints that are either whole or absent, and checked when they are read."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import torch

from aclnet.files import whole_file
from aclnet.foreign.text import check_regular
from aclnet.foreign.version import refuse_newer

_FORMAT_KEY = "aclnet_checkpoint"
VERSION = 1
_KINDS = {"task": Mapping, "optimizer": Mapping, "state": Mapping, "settings": str, "recipe": str}
_MOST_VALUES = 10_000_000
_OLD_PICKLES = 5


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state atomically.

    Args:
        path: file to write; an existing one is replaced.
        state: tensors, numbers, texts and plain containers of these.

    Raises:
        OSError: it cannot be written; the old file is whole.
    """
    # In memory first: of a full disk torch only says that its writer failed.
    content = checkpoint_bytes(state)
    with whole_file(path) as draft:
        draft.write_bytes(content)


def checkpoint_bytes(state: Mapping[str, Any]) -> memoryview:
    """The file of a checkpoint; the argument is that of `save_checkpoint`."""
    content = io.BytesIO()
    torch.save({_FORMAT_KEY: VERSION, **state}, content)
    return content.getbuffer()


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
            check_pickled(path)
            # torch does not compare the records' checksums.
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"{path}: the checkpoint is damaged (at {damaged}); {advice}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and zipfile raise a dozen types for a bad file
        if str(error).startswith(f"{path}: "):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: not a checkpoint of aclnet, or a damaged one ({reason}); {advice}"
        ) from error
    if not isinstance(state, dict) or _FORMAT_KEY not in state:
        raise ValueError(f"{path}: a PyTorch file, but not a checkpoint of aclnet's training")
    version = state.pop(_FORMAT_KEY)
    refuse_newer(path, version, VERSION)
    if version != VERSION or not isinstance(version, int):
        raise ValueError(f"{path}: its version is not that of a checkpoint; {advice}")
    for name, kind in _KINDS.items():
        if name in state and not isinstance(state[name], kind):
            raise ValueError(f"{path}: {name} is a {type(state[name]).__name__}; {advice}")
    if not all(isinstance(one, torch.Tensor) for one in state.get("task", {}).values()):
        raise ValueError(f"{path}: task holds something other than tensors; {advice}")
    return state


def check_pickled(path: Path) -> None:
    """Check a file of PyTorch's before `torch.load`, which no limit would end.

    It stores without compression, and its pickle may hold a tuple of tuples so often that a look at
    it takes for ever.

    Raises:
        ValueError: it is compressed, or its pickle is such a one.
    """
    size = check_regular(path)
    pickles: list[IO[bytes]] = []
    with ExitStack() as stack:
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            members = archive.infolist()
            if sum(member.file_size for member in members) > size:
                raise ValueError(f"{path}: is compressed, but PyTorch's files never are")
            names = [one.filename for one in members if one.filename.endswith("/data.pkl")]
            pickles = [stack.enter_context(archive.open(name)) for name in names]
        else:  # older files are several pickles one after another
            pickles = [stack.enter_context(path.open("rb"))] * _OLD_PICKLES
        if any(_weight(pickled) > _MOST_VALUES for pickled in pickles):
            raise ValueError(
                f"{path}: its pickle refers to its parts too often; do not trust this file"
            )


def _weight(pickled: IO[bytes]) -> int:
    """The values in the largest part of a pickle, tuples written out as often as they are named."""
    stack: list[int] = []
    marks: list[int] = []
    known: list[int] = []
    most = 0
    for operation, argument, _ in pickletools.genops(pickled):
        name, before = operation.name, operation.stack_before
        if name == "MARK":
            marks.append(len(stack))
        elif name.endswith("GET"):
            stack.append(known[argument])  # type: ignore[index]
        elif name.endswith("PUT") or name == "MEMOIZE":
            known.append(stack[-1])  # numbered in this order
        elif before or len(operation.stack_after) != 1:
            start = len(stack) - len(before)
            if pickletools.markobject in before:
                start = marks.pop() - before.index(pickletools.markobject)
            weight = 1 + sum(stack[start:])
            del stack[start:]
            most = max(most, weight)
            stack += [weight] * len(operation.stack_after)
        else:
            stack.append(1)
    return most
