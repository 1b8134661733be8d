"""Names: one Unicode form for all, and recordings' names that say who did what, where, how often.

Sources: Shahroudy et al., "NTU RGB+D", CVPR 2016, and Liu et al., "NTU RGB+D 120", TPAMI 2019
(`SsssCcccPpppRrrrAaaa`); Wang et al., "Cross-view action modeling, learning and recognition",
CVPR 2014 (`aNN_sNN_eNN_vNN`).
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from pathlib import PurePath
from typing import Any, NamedTuple

_MOST_MARKS = 30  # Unicode's stream-safe text has no more (UAX 15)
# Groups are named after the fields of a `Sample`; NTU's setup is a condition.
_NTU = re.compile(
    r"S(?P<condition>\d{3})C(?P<camera>\d{3})P(?P<identity>\d{3})R(?P<take>\d{3})A(?P<action>\d{3})",
    re.ASCII,
)
_NWUCLA = re.compile(
    r"a(?P<action>\d{2})_s(?P<identity>\d{2})_e(?P<take>\d{2})_v(?P<camera>\d{2})", re.ASCII
)


class RecordingName(NamedTuple):
    """The content of a recording's name.

    Attributes:
        action: number of the action as in the name.
        fields: further fields of a `Sample`, numbers without leading zeros.
    """

    action: int
    fields: dict[str, Any]


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC), in which names are stored and compared.

    Some systems store a file's name decomposed: ë as e and two dots.

    Raises:
        ValueError: more than 30 marks in a row, such as accents, of which no script has so many;
            they take time with the square of their number.

    >>> composed("Zoe\u0308") == "Zo\u00eb"
    True
    """
    if text.isascii():
        return text
    # A longer run has a mark at one of these places.
    if any(map(unicodedata.combining, text[::_MOST_MARKS])):
        runs = itertools.groupby(text, lambda character: unicodedata.combining(character) > 0)
        if any(marks and len(list(run)) > _MOST_MARKS for marks, run in runs):
            raise ValueError(f"a name has more than {_MOST_MARKS} combining marks in a row")
    return unicodedata.normalize("NFC", text)


def parse_ntu(name: str) -> RecordingName | None:
    """The content of an NTU name, or None if it is not one.

    Args:
        name: `SsssCcccPpppRrrrAaaa`; folders before it and a file ending are ignored.

    >>> parse_ntu("nturgb+d/S017C003P020R001A059.skeleton").action
    59
    >>> parse_ntu("S001C002P003R002A013").fields
    {'condition': '1', 'camera': '2', 'identity': '3', 'take': '2'}
    >>> parse_ntu("S1C2P3R2A13") is None
    True
    """
    return _parse(_NTU, name)


def parse_nwucla(name: str) -> RecordingName | None:
    """The content of an N-UCLA name, or None if it is not one; the view is the camera's number.

    Args:
        name: `aNN_sNN_eNN_vNN`; folders before it and a file ending are ignored.

    >>> parse_nwucla("a12_s02_e00_v03.json")
    RecordingName(action=12, fields={'identity': '2', 'take': '0', 'camera': '3', 'view': '3'})
    """
    found = _parse(_NWUCLA, name)
    if found:
        found.fields["view"] = found.fields["camera"]
    return found


def _parse(pattern: re.Pattern[str], name: str) -> RecordingName | None:
    found = pattern.fullmatch(PurePath(name.replace("\\", "/")).name.partition(".")[0])
    if not found:
        return None
    fields = {field: str(int(digits)) for field, digits in found.groupdict().items()}
    return RecordingName(int(fields.pop("action")), dict[str, Any](fields))
