"""What a source tells, one thing after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from aclnet.skeleton import Layout

Points = npt.NDArray[np.float32]

MOST_PEOPLE = 64
"""People of one frame that are looked at, and tracks that are followed at once."""


class Frame(NamedTuple):
    """The people of one picture.

    Attributes:
        number: of the picture, rising; None: the one after the last.
        seconds: its time; None: not known.
        tracks: P names of people; empty texts where the source has none.
        points: (P, V, C) x, y, [z,] [confidence].
        arrived: when it was there, as `time.monotonic` says it.
        layout: of the joints, where the source knows it.
    """

    number: int | None
    seconds: float | None
    tracks: tuple[str, ...]
    points: Points
    arrived: float
    layout: Layout | None = None


class Wrong(NamedTuple):
    """Something that cannot be used, as a sentence."""

    sentence: str


@dataclass(frozen=True)
class Ended:
    """The stream has ended; the next frame begins another one."""


@dataclass(frozen=True)
class Silence:
    """Nothing came for a second."""


Event = Frame | Wrong | Ended | Silence


class Source(Protocol):
    """Where frames come from.

    Attributes:
        name: for messages.
    """

    name: str

    def events(self) -> Iterator[Event]:
        """What it tells, as it comes; at least once a second something."""
