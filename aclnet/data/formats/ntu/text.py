"""The text of an NTU RGB+D `.skeleton` file: bodies, frame by frame.

A file has the number of frames; a frame has the number of bodies; a body has a line of 10 numbers
(its own number first), the number of joints and a line of 12 numbers for each joint: x, y, z
(metres), its place in the depth and the colour image, its orientation and whether it was tracked.
Source: `read_skeleton_file.m` of the data set's authors names the fields.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.ntu.bodies import Body
from aclnet.skeleton import Layout

_BODY_NUMBERS = 10
_JOINT_NUMBERS = 12


def read_bodies(file: Path, layout: Layout) -> list[Body]:
    """The bodies of one `.skeleton` file, in the order in which they appear.

    Frames without a body are not counted.

    Raises:
        ValueError: the file is cut off, longer than it says, or has something else in a line.
    """
    lines = _Lines(file)
    starts: dict[str, int] = {}
    frames: dict[str, list[npt.NDArray[np.float32]]] = {}
    occupied = 0
    count = lines.number("the number of frames")
    for frame in range(count):
        bodies = lines.number(f"the number of bodies in frame {frame + 1} of {count}")
        for _ in range(bodies):
            body = lines.row(_BODY_NUMBERS, "a body")[0]
            joints = lines.number("the number of joints")
            if joints != layout.joint_count:
                raise lines.wrong(f"{layout.joint_count} joints (layout {layout.name})")
            starts.setdefault(body, occupied)
            frames.setdefault(body, []).append(lines.joints(joints))
        occupied += bodies > 0
    lines.check_end(count)
    return [Body(start, np.stack(frames[body])) for body, start in starts.items()]


class _Lines:
    """A file's lines, taken one after another; what is wrong is told with the line's number."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines = file.read_text("utf-8", errors="replace").rstrip().splitlines()
        self._next = 0

    def number(self, what: str) -> int:
        """The next line as a count."""
        text = self._take(what).strip()
        if not (text.isascii() and text.isdigit()):
            raise self.wrong(what)
        return int(text)

    def row(self, count: int, what: str) -> list[str]:
        """The next line's words, of which there must be so many."""
        words = self._take(what).split()
        if len(words) != count:
            raise self.wrong(f"{count} numbers of {what}")
        return words

    def joints(self, count: int) -> npt.NDArray[np.float32]:
        """The next lines' x, y and z: (V, 3)."""
        what = "a joint (x, y and z finite)"
        values = []
        for _ in range(count):
            words = self.row(_JOINT_NUMBERS, what)
            try:
                values.append([float(words[0]), float(words[1]), float(words[2])])
            except ValueError:
                raise self.wrong(f"{_JOINT_NUMBERS} numbers of {what}") from None
        joints = np.array(values, dtype=np.float32)
        if not np.isfinite(joints).all():
            self._next += int(np.isfinite(joints).all(axis=1).argmin()) + 1 - count
            raise self.wrong(f"{_JOINT_NUMBERS} numbers of {what}")
        return joints

    def check_end(self, frames: int) -> None:
        """Nothing may follow the last frame."""
        if self._next < len(self._lines):
            self._next += 1
            raise self.wrong(f"the end of the file after {frames} frames")

    def wrong(self, expected: str) -> ValueError:
        """The sentence about the line taken last."""
        came = self._lines[self._next - 1].strip()[:60]
        return ValueError(
            f"{self._file}: line {self._next}: expected {expected}, got {came!r}; fetch the file "
            "again, or leave it out (option missing: a text file with its name)"
        )

    def _take(self, what: str) -> str:
        if self._next == len(self._lines):
            raise ValueError(
                f"{self._file}: line {self._next + 1}: expected {what}, but the file ends there; "
                "fetch the file again, or leave it out (option missing: a text file with its name)"
            )
        self._next += 1
        return self._lines[self._next - 1]
