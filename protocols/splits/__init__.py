"""The divisions and protocols of the package, a folder a kind, and a user's own files.

========== ==========================================================================
``gait``    gallery and probe by condition and take (:mod:`protocols.gait.gallery_probe`)
``people``  who trains and who is tested (:func:`load_identity_split`)
``reid``    sets and pairs of sets (:mod:`protocols.reid.pairs`)
``action``  who trains and who is tested, by rules (:mod:`protocols.action.split`)
========== ==========================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from pydantic import ValidationError

from protocols.files import read_table
from protocols.foreign import read_text

Kind = Literal["gait", "people", "reid", "action"]
_NAMES: dict[Kind, str] = {
    "gait": "protocol",
    "people": "identity",
    "reid": "pair protocol",
    "action": "split",
}

ReadT = TypeVar("ReadT")

_OWN: dict[Kind, dict[str, Path]] = {kind: {} for kind in _NAMES}


def register_split(kind: Kind, path: Path | str) -> None:
    """Let a user's file be found by its name, as the package's own are.

    Args:
        kind: What it holds.
        path: The file, whose name without its ending is the name.

    Raises:
        ValueError: There is no such file, or another one has its name.
    """
    file = Path(path)
    if kind not in _NAMES:
        raise ValueError(f"There are splits of {', '.join(_NAMES)}, not of {kind!r}.")
    if not file.is_file():
        raise ValueError(f"There is no {_NAMES[kind]} file {path}.")
    if file.stem in split_names(kind) and _OWN[kind].get(file.stem) != file:
        raise ValueError(f"{path}: there is a {_NAMES[kind]} {file.stem} already; rename the file.")
    _OWN[kind][file.stem] = file


def split_folder(kind: Kind) -> Traversable:
    """The folder of the package's own files of a kind."""
    return files("protocols") / "splits" / kind


def split_names(kind: Kind) -> list[str]:
    """Names of the files of a kind that need no path: the package's own and registered ones."""
    return sorted({Path(entry.name).stem for entry in split_folder(kind).iterdir()} | {*_OWN[kind]})


def load_split_file(
    name_or_path: str | Path,
    kind: Kind,
    read: Callable[[Traversable], ReadT],
    suffixes: Sequence[str] = (".csv",),
) -> ReadT:
    """Read one of the package's files by its name, or a user's file.

    Args:
        name_or_path: Name or file; what ends in one of the suffixes is a file.
        kind: What it holds.
        read: Reads the file; its errors get the file's name.
        suffixes: How such files end.

    Returns:
        What ``read`` returns.

    Raises:
        ValueError: There is no such file or name (the known ones and the nearest are named), or
            the file is damaged.
    """
    source = _locate(name_or_path, kind, suffixes)
    try:
        return read(source)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = f"{place}: {first['msg']}." if place else f"{first['msg']}."
    except (ValueError, TypeError, OSError, RecursionError) as error:
        problem = str(error)
    raise ValueError(f"{_NAMES[kind].capitalize()} file {source}: {problem}")


def read_notes(source: Traversable) -> dict[str, str]:
    """The comments ``# name: value`` at the head of a CSV file."""
    notes: dict[str, str] = {}
    for line in read_text(source).splitlines():
        if not line.startswith("#"):
            break
        name, _, value = line.lstrip("# ").partition(":")
        notes[name.strip()] = value.strip()
    return notes


def read_rows(source: Traversable) -> list[dict[str, str]]:
    """The rows of a CSV file by its header, after comments; a missing cell is empty.

    Raises:
        ValueError: A row has more cells than the header.
    """
    lines = read_text(source).splitlines()
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header, rows = read_table(lines[first:], ragged=True)
    return [
        # Only people are compared with their spaces.
        {name: cell if name == "subject" else cell.strip() for name, cell in cells}
        for cells in (zip(header, row, strict=True) for row in rows)
    ]


def _locate(name_or_path: str | Path, kind: Kind, suffixes: Sequence[str]) -> Traversable:
    """A user's file, or one of the package by its name."""
    path, what = Path(name_or_path), _NAMES[kind]
    if path.suffix in suffixes:
        if not path.is_file():
            raise ValueError(f"There is no {what} file {path}.")
        return path
    if str(name_or_path) in _OWN[kind]:
        return _OWN[kind][str(name_or_path)]
    for entry in split_folder(kind).iterdir():
        if Path(entry.name).stem == str(name_or_path):
            return entry
    names = split_names(kind)
    near = difflib.get_close_matches(str(name_or_path), names, n=1)
    raise ValueError(
        f"There is no {what} {str(name_or_path)!r}: it is one of {', '.join(names)}, or a "
        f"{' or '.join(suffixes)} file{f'; did you mean {near[0]!r}?' if near else '.'}"
    )


class IdentitySplit(NamedTuple):
    """The identities that train, select and test.

    Attributes:
        fit: The training people without those of ``validation``.
        validation: Training people to hold out while choosing settings.
        test: Strangers to both.
    """

    fit: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def load_identity_split(name_or_path: str | Path) -> IdentitySplit:
    """Load who trains and who is tested, by protocol name (``casia_b``) or from a CSV file.

    The file has the columns ``subject`` and ``split`` (``train``, ``validation`` or ``test``).

    Args:
        name_or_path: Name or file.

    Returns:
        The split.

    Raises:
        ValueError: Nothing is found, or the file has other columns or words.
    """

    def read(source: Traversable) -> IdentitySplit:
        rows = read_rows(source)
        names = ("train", "validation", "test")
        if not rows or not all("subject" in row and row.get("split") in names for row in rows):
            raise ValueError(
                "it needs the columns subject and split, with split one of train, validation, test."
            )
        train, validation, test = (
            tuple(row["subject"] for row in rows if row["split"] == name) for name in names
        )
        return IdentitySplit(
            tuple(subject for subject in train if subject not in validation), validation, test
        )

    return load_split_file(name_or_path, "people", read)
