"""Names: people exactly as given, conditions, takes, views and cameras whatever their spelling."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from protocols.embeddings import TextArray

_SHOWN = 3


def composed(values: npt.ArrayLike) -> TextArray:
    """Bring names to Unicode's composed form (NFC), in which they are compared.

    Some systems write ë decomposed, as e and two dots.

    >>> composed(["Zoe\u0308"]) == composed(["Zo\u00eb"])
    array([ True])
    """
    text = np.asarray(values, dtype=np.str_)
    names, codes = np.unique(text, return_inverse=True)
    made = np.array([unicodedata.normalize("NFC", name) for name in names], dtype=np.str_)
    return made[codes].reshape(text.shape)


def canonical(values: npt.ArrayLike) -> TextArray:
    """Bring names of conditions, takes, views or cameras to one form; never those of people.

    The form has no outer spaces, no case, and no leading zeros in numbers.

    >>> canonical(["018", " 18", "NM"]).tolist()
    ['18', '18', 'nm']
    """
    names, codes = np.unique(composed(values), return_inverse=True)
    plain = [_plain(str(name)) for name in names]
    return np.array(plain, dtype=np.str_)[codes] if plain else names


def _plain(name: str) -> str:
    name = name.strip()
    return str(int(name)) if name.isdecimal() else name.casefold()


def read_alike(field: str, values: npt.ArrayLike) -> tuple[str, ...]:
    """Say which spellings in the data :func:`canonical` makes one, in a sentence or none.

    >>> read_alike("condition", ["nm", "NM", "bg"])
    ("Read as one condition: 'NM' and 'nm'.",)
    """
    spellings: dict[str, list[str]] = {}
    for name in np.unique(np.asarray(values, dtype=np.str_)).tolist():
        spellings.setdefault(_plain(name), []).append(name)
    merged = [" and ".join(map(repr, names)) for names in spellings.values() if len(names) > 1]
    if not merged:
        return ()
    more = f", and {len(merged) - _SHOWN} more" if len(merged) > _SHOWN else ""
    return (f"Read as one {field}: {', '.join(merged[:_SHOWN])}{more}.",)


def fingerprint_rows(*columns: TextArray) -> str:
    """SHA-256 of rows of text, whatever their order.

    Args:
        columns: (N,) each.
    """
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


class PeopleFound(NamedTuple):
    """Listed people among those of the data.

    Attributes:
        names: The person of the data by the name in the list; who is not there is left out.
        note: A sentence on those found by their number; empty where there are none.
    """

    names: dict[str, str]
    note: str


def find_people(listed: Iterable[str], people: Iterable[str]) -> PeopleFound:
    """Find listed people by their exact name, or else by their number.

    A number counts whatever its leading zeros, but only where one person of the data and one of the
    list have it.

    >>> find_people(["001", "002"], ["1", "2", "02"]).names
    {'001': '1'}
    """
    wanted, there = dict.fromkeys(listed), set(people)
    numbers = Counter(int(name) for name in wanted if name.isdecimal())
    having: dict[int, list[str]] = {}
    for name in there:
        if name.isdecimal():
            having.setdefault(int(name), []).append(name)
    found: dict[str, str] = {}
    loose: list[str] = []
    for name in wanted:
        same = having.get(int(name), []) if name.isdecimal() else []
        if name in there:
            found[name] = name
        elif len(same) == 1 and numbers[int(name)] == 1:
            found[name] = same[0]
            loose.append(name)
    if not loose:
        return PeopleFound(found, "")
    return PeopleFound(
        found,
        f"Found by number, not by name: {len(loose)} of the listed people, such as "
        f"{found[loose[0]]!r} for {loose[0]!r}.",
    )


def natural_key(name: str) -> tuple[int, int, str]:
    """Sorting key of names: numbers by their value, then text by the alphabet."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


def natural_order(values: Iterable[object]) -> list[str]:
    """The distinct names in the order of :func:`natural_key`.

    >>> natural_order(["90", "100", "left", "18", "²", "090"])
    ['18', '090', '90', '100', 'left', '²']
    """
    return sorted({str(value) for value in values}, key=natural_key)
