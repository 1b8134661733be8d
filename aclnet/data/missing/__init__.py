"""Recordings that the authors of data sets exclude: NTU RGB+D names without a skeleton."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from aclnet.foreign.text import read_text

_NAME = re.compile(r"[\w+-]+", re.ASCII)


def ntu_missing() -> frozenset[str]:
    """The 535 names of NTU RGB+D 120 whose skeletons are missing or incomplete.

    302 of them are in NTU RGB+D 60, those of actions 1 to 60. Source: the list of the data set's
    authors, named at the head of `ntu.txt`.

    >>> "S001C002P005R002A008" in ntu_missing()
    True
    """
    file = resources.files("aclnet") / "data" / "missing" / "ntu.txt"
    return _names(file.read_text("utf-8").splitlines())


def read_names(path: str | Path) -> frozenset[str]:
    """The names in a text file, one a line; blank lines, sentences and # comments are skipped.

    The lists that the data set's authors publish can be read as they are.

    Raises:
        ValueError: the file cannot be read or has no name in it.
    """
    try:
        names = _names(read_text(Path(path)).splitlines())
    except ValueError as error:
        raise ValueError(f"{path}: not a readable list of names: {error}") from None
    if not names:
        raise ValueError(f"{path}: there is no line with a recording's name")
    return names


def _names(lines: Iterable[str]) -> frozenset[str]:
    words = (line.partition("#")[0].strip().removesuffix(".skeleton") for line in lines)
    return frozenset(word for word in words if _NAME.fullmatch(word))
