"""Versions of the formats of the program's own files.

A format's version goes up when an older program could no longer read its files; a file without one
is of the first. Older versions stay readable, and a newer one is refused before its content is.
"""

from __future__ import annotations

import json
from pathlib import Path

_LARGEST = 999_999_999
"""A larger number is not written out."""


def refuse_newer(place: Path | str, version: object, newest: int) -> None:
    """Refuse a file that a newer program wrote.

    Args:
        place: for the message.
        version: what the file says; anything but a whole number is the format's own to refuse.
        newest: the newest version that this program reads.

    Raises:
        ValueError: it is newer.

    >>> refuse_newer("run.json", 2, newest=1)
    Traceback (most recent call last):
    ValueError: run.json is of version 2, but this program reads versions up to 1: update aclnet
    """
    if isinstance(version, int) and version > newest:
        raise ValueError(
            f"{place} is of version {min(version, _LARGEST)}, but this program reads "
            f"versions up to {newest}: update aclnet"
        )


def json_version(content: str | bytes, key: str) -> object:
    """The version that a JSON object has under a key; None where it has none, or is damaged.

    >>> json_version('{"format": 2, "more": []}', "format")
    2
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found.get(key) if isinstance(found, dict) else None
