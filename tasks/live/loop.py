"""The loop: from what a source tells to answers."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocols.text import nouns
from tasks.live.answers import Answers
from tasks.live.events import Ended, Frame, Silence, Source, Wrong
from tasks.live.joints import RunJoints
from tasks.live.tracks import Tracks, Window

MOST_SAID = 10
"""Sentences on what is wrong; after that it is only counted."""
LOOK_SECONDS = 1.0
"""After which to look whether somebody was removed, though no window is due."""
_LONGEST_SENTENCE = 300


@dataclass
class Live:
    """Answers a stream.

    Args:
        joints: brings its joints into the run's.
        tracks: follows its people.
        answers: says what windows show.
        fps: frames per second, where the stream has no times; None: not known.
        write: takes each answer, a line of JSON.
        say: takes sentences on what is wrong.

    Attributes:
        counts: of frames, answers, and what was wrong or left out.
    """

    joints: RunJoints
    tracks: Tracks
    answers: Answers
    fps: float | None
    write: Callable[[str], None]
    say: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    _first_wrong: str = ""

    def run(self, source: Source, idle: float | None = None) -> None:
        """Answer until the source ends.

        Args:
            source: where frames come from.
            idle: seconds without a frame after which to end; None: never.

        Raises:
            ValueError: nothing of what came could be used, or the gallery cannot be read.
        """
        last = looked = time.monotonic()
        for event in source.events():
            now = time.monotonic()
            if now - looked >= LOOK_SECONDS or isinstance(event, Silence):
                self.answers.idle()
                looked = now
            if isinstance(event, Frame):
                self._take(event)
                last = time.monotonic()
            elif isinstance(event, Wrong):
                self._complain(event.sentence)
            elif isinstance(event, Ended):
                self._answer(self.tracks.end(now))
            if idle is not None and time.monotonic() - last >= idle:
                break
        self._answer(self.tracks.end(time.monotonic()))
        if self.counts["wrong"] and not self.counts["frames"]:
            raise ValueError(f"{source.name}: nothing could be used: {self._first_wrong}")

    def summary(self) -> str:
        """What was done, as a sentence."""
        done = (f"{self.counts[name]:,} {nouns(name, self.counts[name])}" for name in _DONE)
        wrong = {
            "wrong inputs": self.counts["wrong"],
            "windows without an answer": self.counts["unanswered"],
            "tracks too short": self.tracks.short,
            "times somebody was left out, as too many are followed": self.tracks.left_out,
        }
        more = (f"{count:,} {nouns(what, count)}" for what, count in wrong.items() if count)
        return "; ".join([", ".join(done), *more])

    def _take(self, frame: Frame) -> None:
        try:
            seen = points = frame.points
            if len(points):
                seen, points = self.joints.of(frame.layout).fit(points)
            else:
                seen = points = points.reshape(0, *self.joints.shape)
            windows = self.tracks.add(frame, seen, points)
        except ValueError as error:
            self._complain(str(error))
            return
        self.counts["frames"] += 1
        self._answer(windows)

    def _complain(self, sentence: str) -> None:
        self.counts["wrong"] += 1
        sentence = sentence[:_LONGEST_SENTENCE]
        self._first_wrong = self._first_wrong or sentence
        if self.counts["wrong"] <= MOST_SAID:
            self.say(f"wrong: {sentence}")
        if self.counts["wrong"] == MOST_SAID:
            self.say("what is wrong from now on is only counted")

    def _answer(self, windows: Sequence[Window]) -> None:
        self.counts["unanswered"] += len(windows)
        for window, found in self.answers.of(windows):
            self.counts["unanswered"] -= 1
            self.counts["answers"] += 1
            start, end = window.seconds or (None, None)
            if window.seconds is None and self.fps is not None:
                start, end = window.start / self.fps, window.end / self.fps
            about = {
                "track": window.track,
                "start": window.start,
                "end": window.end,
                "start_seconds": start,
                "end_seconds": end,
                **found,
                "latency_ms": round(1000 * (time.monotonic() - window.arrived), 2),
            }
            self.write(json.dumps(about))


_DONE = ("frames", "answers")
