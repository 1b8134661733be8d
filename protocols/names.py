"""Names: people exactly as given, conditions, takes, views and cameras whatever their spelling."""

from __future__ import annotations

import hashlib
import itertools
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from protocols.embeddings import TextArray

_SHOWN = 3
_KEY_BITS = 63
_FEW_LETTERS = 4_000_000
_MOST_DIGITS = 1000  # Python refuses to read a number of more than 4,300
_MOST_MARKS = 30  # Unicode's stream-safe text has no more (UAX 15)


def composed(values: npt.ArrayLike) -> TextArray:
    """Bring names to Unicode's composed form (NFC), in which they are compared.

    Some systems write ë decomposed, as e and two dots.

    >>> composed(["Zoe\u0308"]) == composed(["Zo\u00eb"])
    array([ True])
    """
    text = np.asarray(values, dtype=np.str_)
    names, codes = distinct(text)
    made = [compose(name) for name in names.tolist()]
    if made == names.tolist():
        return text
    return np.array(made, dtype=np.str_)[codes].reshape(text.shape)


def compose(text: str) -> str:
    """Bring one text to Unicode's composed form.

    Raises:
        ValueError: It has more than 30 marks in a row, such as accents, of which no script has so
            many; they take time with the square of their number. Or it has a NUL character, which
            NumPy drops at the end, so that two names became one.
    """
    if "\0" in text:
        raise ValueError("a name has a NUL character: take it out.")
    if text.isascii():
        return text
    # A longer run has a mark at one of these places.
    if any(map(unicodedata.combining, text[::_MOST_MARKS])):
        runs = itertools.groupby(text, lambda character: unicodedata.combining(character) > 0)
        if any(marks and len(list(run)) > _MOST_MARKS for marks, run in runs):
            raise ValueError(f"a name has more than {_MOST_MARKS} combining marks in a row.")
    return unicodedata.normalize("NFC", text)


def distinct(values: npt.ArrayLike) -> tuple[TextArray, npt.NDArray[np.int64]]:
    """The names in order, each once, and which of them every entry is.

    As ``np.unique`` with the inverse; short names are sorted as numbers, several times faster.

    >>> names, codes = distinct(["nm", "bg", "nm"])
    >>> names.tolist(), codes.tolist()
    (['bg', 'nm'], [1, 0, 1])
    """
    text = np.ascontiguousarray(values, dtype=np.str_).reshape(-1)
    text = text.astype(text.dtype.newbyteorder("="), copy=False)  # files may have another
    letters = text.view(np.uint32) if text.nbytes else np.zeros(0, dtype=np.uint32)
    width, bits = text.itemsize // 4, int(letters.max(initial=0)).bit_length()
    if not len(letters) or width * bits > _KEY_BITS:
        names, codes = np.unique(text, return_inverse=True)
        return names, codes.astype(np.int64)
    key = np.zeros(len(text), dtype=np.int64)
    for column in letters.reshape(len(text), width).T:
        key = (key << bits) | column
    keys, codes = np.unique(key, return_inverse=True)
    example = np.empty(len(keys), dtype=np.int64)
    example[codes] = np.arange(len(text))
    return text[example], codes.astype(np.int64)


def text_array(cells: Sequence[str]) -> TextArray:
    """Cells of a table as an array, which has room for the longest one in every row.

    Raises:
        ValueError: That would be far more room than the cells take.
    """
    room = len(cells) * max(map(len, cells), default=0)
    if room > _FEW_LETTERS + 8 * sum(map(len, cells)):
        raise ValueError("a name is far longer than the others: give every sample a short name.")
    return np.array(cells, np.str_)


def canonical(values: npt.ArrayLike) -> TextArray:
    """Bring names of conditions, takes, views or cameras to one form; never those of people.

    The form has no outer spaces, no case, and no leading zeros in numbers.

    >>> canonical(["018", " 18", "NM"]).tolist()
    ['18', '18', 'nm']
    """
    text = np.asarray(values, dtype=np.str_)
    names, codes = distinct(text)
    forms = [plain(name) for name in names.tolist()]
    return np.array(forms, dtype=np.str_)[codes].reshape(text.shape) if forms else text


def plain(name: str) -> str:
    """One name in the form of :func:`canonical`.

    >>> plain(" 018")
    '18'
    """
    name = compose(name).strip()
    return str(int(name)) if _is_number(name) else name.casefold()


def _is_number(name: str) -> bool:
    return name.isdecimal() and len(name) <= _MOST_DIGITS


def read_alike(field: str, values: npt.ArrayLike) -> tuple[str, ...]:
    """Say which spellings in the data :func:`canonical` makes one, in a sentence or none.

    >>> read_alike("condition", ["nm", "NM", "bg"])
    ("Read as one condition: 'NM' and 'nm'.",)
    """
    spellings: dict[str, list[str]] = {}
    for name in distinct(values)[0].tolist():
        spellings.setdefault(plain(name), []).append(name)
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
    numbers = Counter(int(name) for name in wanted if _is_number(name))
    having: dict[int, list[str]] = {}
    for name in there:
        if _is_number(name):
            having.setdefault(int(name), []).append(name)
    found: dict[str, str] = {}
    loose: list[str] = []
    for name in wanted:
        same = having.get(int(name), []) if _is_number(name) else []
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
    return (0, int(name), name) if _is_number(name) else (1, 0, name)


def natural_order(values: Iterable[object]) -> list[str]:
    """The distinct names in the order of :func:`natural_key`.

    >>> natural_order(["90", "100", "left", "18", "²", "090"])
    ['18', '090', '90', '100', 'left', '²']
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        values = distinct(values)[0].tolist()
    return sorted({str(value) for value in values}, key=natural_key)


def match_keys(
    first: TextArray, other: TextArray, name: str, other_name: str
) -> npt.NDArray[np.int64]:
    """Find each sample of one run in another, by key.

    Args:
        first: (N,) keys of the samples.
        other: (N,) the same keys in any order.
        name: Name of the first run, for messages.
        other_name: Name of the other.

    Returns:
        (N,) rows of ``other``.

    Raises:
        ValueError: The keys differ; the first difference is named.

    >>> match_keys(np.array(["a", "b"]), np.array(["b", "a"]), "one", "two").tolist()
    [1, 0]
    """
    for here, there, having, lacking in (
        (first, other, name, other_name),
        (other, first, other_name, name),
    ):
        absent = np.setdiff1d(here, there)
        if len(absent) or len(here) > len(there):
            sample = f"sample {str(absent[0])!r}" if len(absent) else "a second copy of some sample"
            raise ValueError(
                f"{lacking} lacks {sample}, which {having} has ({len(absent)} in "
                "all): both runs must be tested on the same samples."
            )
    order = np.argsort(other, kind="stable")
    mine = np.empty(len(first), np.int64)
    # Copies of a key are matched in their order.
    mine[np.argsort(first, kind="stable")] = order
    return mine
