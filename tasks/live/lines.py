"""The stream's lines: JSON, one picture each.

    {"frame": 12, "time": 0.4, "people": [{"track": 7, "joints": [[310.5, 88.0, 0.9], ...]}]}

`people` is needed, and `joints` of each; the rest may be left out. Joints are in the order of their
layout, x, y, [z,] [confidence] each; one that was not found is zeros. Other keys are passed over.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from aclnet.data.formats.keypoints.frames import person_id
from aclnet.foreign.arrays import to_float32
from tasks.live.events import MOST_PEOPLE, Frame, Points

MOST_BYTES = 1 << 20
"""Of a line."""
OWN = "~"
"""Begins the names that people without a track get."""
_LARGEST = 1e6
"""Coordinate beyond which numbers are no place of a joint: in pixels, millimetres or metres."""
_LONGEST_TRACK = 100
_LAST_NUMBER = 1 << 53


class Lines:
    """Cuts what comes into lines, and holds at most one.

    Args:
        most: bytes of a line.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._rest = b""
        self._skipping = False

    def feed(self, part: bytes) -> Iterator[bytes | None]:
        """The lines that end in `part`; None for one that is too long."""
        *whole, rest = (self._rest + part).split(b"\n")
        for line in whole:
            if not self._skipping:
                yield line if len(line) <= self._most else None
            self._skipping = False
        if len(rest) > self._most and not self._skipping:
            self._skipping = True
            yield None
        self._rest = b"" if self._skipping else rest

    def end(self) -> Iterator[bytes]:
        """What came after the last newline."""
        if self._rest.strip() and not self._skipping:
            yield self._rest
        self._rest, self._skipping = b"", False


def parse_line(line: bytes, arrived: float) -> Frame:
    """A line's frame.

    Raises:
        ValueError: it is none.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError('no JSON: a line is {"people": [{"joints": [[x, y], ...]}]}') from None
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
        raise ValueError('"people" must be a list of {"joints": [[x, y], ...]}')
    people = people[:MOST_PEOPLE]
    return Frame(
        _number(content.get("frame")),
        _seconds(content.get("time")),
        tuple(_track(one.get("track")) for one in people),
        _points([one.get("joints") for one in people]),
        arrived,
    )


def _number(value: Any) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= _LAST_NUMBER):
        return value
    raise ValueError('"frame" must be a whole number from 0 on, or left out')


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise ValueError('"time" must be a number of seconds, or left out')
    return float(value)


def _track(value: Any) -> str:
    """The name of a track; empty where there is none: null, or -1 as some trackers write it."""
    if not isinstance(value, str) or value.isdecimal():
        return person_id(value)[:_LONGEST_TRACK]
    if len(value) > _LONGEST_TRACK or value.startswith(OWN):
        raise ValueError(
            f'"track" has at most {_LONGEST_TRACK} letters, of which the first is not {OWN}'
        )
    return value


def _points(people: list[Any]) -> Points:
    """(P, V, C) of lists of joints."""
    if not people:
        return np.zeros((0, 0, 0), np.float32)
    shapes = {_shape(one) for one in people}
    if len(shapes) > 1 or None in shapes:
        raise ValueError(
            '"joints" must be a list of [x, y], [x, y, confidence] or more numbers, as long for '
            "each joint and person"
        )
    try:
        points = to_float32(people)
    except (ValueError, OverflowError):
        points = np.full(1, np.nan, np.float32)
    if not np.all(np.abs(points) <= _LARGEST):
        raise ValueError(
            f"a coordinate is not finite or beyond {_LARGEST:,.0f}: write 0 where a joint was not "
            "found"
        )
    return points


def _shape(joints: Any) -> tuple[int, int] | None:
    if not isinstance(joints, list) or not joints or not isinstance(joints[0], list):
        return None
    width = len(joints[0])
    for joint in joints:
        if not isinstance(joint, list) or len(joint) != width:
            return None
        if not all(type(value) in (int, float) for value in joint):
            return None
    return len(joints), width
