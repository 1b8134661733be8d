"""Recording names that say who did what, where and how often: NTU RGB+D and N-UCLA.

Sources: Shahroudy et al., "NTU RGB+D", CVPR 2016, and Liu et al., "NTU RGB+D 120", TPAMI 2019
(`SsssCcccPpppRrrrAaaa`); Wang et al., "Cross-view action modeling, learning and recognition",
CVPR 2014 (`aNN_sNN_eNN_vNN`).
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import NamedTuple, TypedDict

_NTU = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)
_NWUCLA = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_v(\d{2})", re.ASCII)


class NameFields(TypedDict, total=False):
    """Those fields of a `Sample` that a recording's name may tell."""

    identity: str
    condition: str
    view: str
    take: str
    camera: str


class NtuName(NamedTuple):
    """What the name of an NTU RGB+D recording says; numbers as in the name, from 1."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    def fields(self) -> NameFields:
        """The fields of a `Sample`, numbers without leading zeros; the label is left to the reader.

        >>> NtuName(1, 2, 30, 1, 60).fields()
        {'identity': '30', 'condition': '1', 'take': '1', 'camera': '2'}
        """
        return {
            "identity": str(self.performer),
            "condition": str(self.setup),
            "take": str(self.replication),
            "camera": str(self.camera),
        }


class NwuclaName(NamedTuple):
    """What the name of an N-UCLA recording says; numbers as in the name."""

    action: int
    performer: int
    repetition: int
    camera: int

    def fields(self) -> NameFields:
        """The fields of a `Sample`, numbers without leading zeros; the label is left to the reader.

        >>> NwuclaName(1, 2, 0, 3).fields()
        {'identity': '2', 'view': '3', 'take': '0', 'camera': '3'}
        """
        return {
            "identity": str(self.performer),
            "view": str(self.camera),
            "take": str(self.repetition),
            "camera": str(self.camera),
        }


def parse_ntu(name: str) -> NtuName | None:
    """The numbers in an NTU name, or None if it is not one.

    Args:
        name: `SsssCcccPpppRrrrAaaa`; folders before and an ending behind are ignored.

    >>> parse_ntu("S001C002P003R002A013")
    NtuName(setup=1, camera=2, performer=3, replication=2, action=13)
    >>> parse_ntu("nturgb+d/S017C003P020R001A059.skeleton").action
    59
    >>> parse_ntu("S1C2P3R2A13") is None
    True
    """
    found = _NTU.fullmatch(_stem(name))
    return NtuName(*map(int, found.groups())) if found else None


def parse_nwucla(name: str) -> NwuclaName | None:
    """The numbers in an N-UCLA name, or None if it is not one.

    Args:
        name: `aNN_sNN_eNN_vNN`; folders before and an ending behind are ignored.

    >>> parse_nwucla("a12_s02_e00_v03.json")
    NwuclaName(action=12, performer=2, repetition=0, camera=3)
    >>> parse_nwucla("v03_s02_e00_a01") is None
    True
    """
    found = _NWUCLA.fullmatch(_stem(name))
    return NwuclaName(*map(int, found.groups())) if found else None


def _stem(name: str) -> str:
    return PurePath(name.replace("\\", "/")).name.partition(".")[0]
