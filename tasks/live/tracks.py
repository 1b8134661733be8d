"""The people of a stream, and the windows of each that are due.

A track is cut as a recording is (`aclnet.runs.windows.window_starts`): windows of one length, one
every `stride` frames, and a last one that ends with the track. A frame without the person is zeros,
as in a file of key points. Nothing is held but the last window of each track.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from aclnet.data.formats.keypoints.tracks import Follower, centres_and_sizes
from tasks.live.events import MOST_PEOPLE, Frame, Points
from tasks.live.lines import OWN

LONGEST_GAP = 1_000
"""Largest `max_gap` of a stream: whoever was seen within it is remembered."""


class Cut(NamedTuple):
    """How tracks are cut.

    Attributes:
        window: frames of a window.
        stride: frames between the starts of two.
        least: frames that a track must have for its last window; a shorter one is not answered.
        max_gap: for how many frames a person may be missing and be found again.
        spread: begin the first window of a track up to a stride later, so that windows of several
            people are due in different frames.
    """

    window: int
    stride: int
    least: int
    max_gap: int
    spread: bool = False


class Window(NamedTuple):
    """A part of a track.

    Attributes:
        track: its name.
        start: number of the first frame.
        end: the number after that of the last.
        seconds: times of the first and the last frame with the person; None: not known, or no span.
        frames: (T, V, C).
        arrived: when the frame came that made it due.
    """

    track: str
    start: int
    end: int
    seconds: tuple[float, float] | None
    frames: Points
    arrived: float


@dataclass
class _Track:
    """The last frames of a person; `next` is where the next window starts, of `begin` and on."""

    first: int
    begin: int
    next: int
    frames: deque[tuple[int, float | None, Points]] = field(default_factory=deque)

    @property
    def last(self) -> int:
        return self.frames[-1][0]


class Tracks:
    """Follows the people of a stream.

    Args:
        cut: how tracks are cut.

    Attributes:
        left_out: number of times that a person was left out, as too many are followed.
        short: number of tracks that were too short for an answer.
    """

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self.left_out = self.short = 0
        self._begin()

    def _begin(self) -> None:
        names = (f"{OWN}{number}" for number in itertools.count(1))
        self._follower = Follower(self._cut.max_gap, names=names)
        self._tracks: dict[str, _Track] = {}
        self._number = -1

    def add(self, frame: Frame, seen: Points, points: Points) -> list[Window]:
        """Take a frame; the windows that are due, of tracks that have ended first.

        Args:
            frame: its number and names.
            seen: (P, V, dims + 1) in the stream's layout, with a confidence.
            points: (P, V, C) as the run takes them.

        Raises:
            ValueError: its number does not increase, or a track appears twice; nothing is taken
            then.
        """
        number = self._number + 1 if frame.number is None else frame.number
        if number <= self._number:
            raise ValueError(
                f"frame {number} comes after frame {self._number}: numbers must increase"
            )
        there = np.flatnonzero((seen[..., -1] > 0).any(axis=1)).tolist()
        given = [frame.tracks[row] for row in there]
        named = [name for name in given if name]
        if len(set(named)) < len(named):
            raise ValueError(f"frame {number} has a track twice")
        self._number = number
        due = [
            window
            for name in [n for n, one in self._tracks.items() if self._is_over(one, number)]
            for window in self._finish(name, frame.arrived)
        ]
        if not there:
            return due
        names = self._follower.follow(number, given, *centres_and_sizes(seen[there]))
        for name, row in zip(names, there, strict=True):
            if name not in self._tracks and len(self._tracks) >= MOST_PEOPLE:
                self.left_out += 1
                continue
            if name not in self._tracks:
                begin = number + self._delay(number)
                self._tracks[name] = _Track(number, begin, begin)
            track = self._tracks[name]
            track.frames.append((number, frame.seconds, points[row]))
            due += self._due(name, track, frame.arrived)
        return due

    def end(self, arrived: float) -> list[Window]:
        """End all tracks, and the stream."""
        due = [window for name in list(self._tracks) for window in self._finish(name, arrived)]
        self._begin()
        return due

    def _delay(self, number: int) -> int:
        """By how much the windows of a track that begins with a frame start later."""
        if not (self._cut.spread and self._tracks):
            return 0
        stride = self._cut.stride
        others = np.array([one.next - number for one in self._tracks.values()])
        apart = (np.arange(stride)[:, None] - others) % stride
        return int(np.minimum(apart, stride - apart).min(axis=1).argmax())

    def _is_over(self, track: _Track, number: int) -> bool:
        return number - track.last - 1 > self._cut.max_gap

    def _due(self, name: str, track: _Track, arrived: float) -> Iterator[Window]:
        """The windows that the frame just added completes."""
        length, last = self._cut.window, track.last
        while track.next + length <= last + 1:
            yield from self._window(name, track, track.next, track.next + length, arrived)
            track.next += self._cut.stride
        while track.frames[0][0] <= last - length and track.frames[0][0] < track.next:
            track.frames.popleft()

    def _finish(self, name: str, arrived: float) -> Sequence[Window]:
        """The last window of a track, which ends with it, if there was none that did."""
        track = self._tracks.pop(name)
        end = track.last + 1
        start = max(end - self._cut.window, track.first)
        if track.next > track.begin and start <= track.next - self._cut.stride:
            return ()
        if end - start < self._cut.least:
            self.short += 1
            return ()
        return list(self._window(name, track, start, end, arrived))

    def _window(
        self, name: str, track: _Track, start: int, end: int, arrived: float
    ) -> Iterator[Window]:
        inside = [one for one in track.frames if start <= one[0] < end]
        if not inside:
            return
        frames = np.zeros((end - start, *inside[0][2].shape), np.float32)
        for number, _, points in inside:
            frames[number - start] = points
        first, last = inside[0][1], inside[-1][1]
        # Clocks are set back, too.
        seconds = None if first is None or last is None or last < first else (first, last)
        yield Window(name, start, end, seconds, frames, arrived)
