"""The desk: a model and its gallery, asked by one page after the other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import aclnet
from aclnet.data.left_out import left_out_in_words, notes_in_words
from aclnet.runs.calibration import CALIBRATION
from aclnet.runs.model import Prediction
from protocols.text import nouns
from tasks.gallery.answers import Answer
from tasks.gallery.content import Person, Threshold
from tasks.gallery.current import CurrentGallery
from tasks.gallery.people import Gallery
from tasks.gallery.recordings import Recordings, embedded
from tasks.serve.clips import MOST_CLIPS, clip_of
from tasks.serve.uploads import Upload, UploadedFile, opened

MOST_WAITING = 8
MOST_SHOWN = 100
"""Answers of one upload."""
_NO_GALLERY = "there is no gallery: start the page with --gallery"
_NOBODY = sys.float_info.max
"""A threshold that nobody reaches, where a gallery has none."""

Result = TypeVar("Result")


class Guess(NamedTuple):
    """A person or an action, and how likely.

    Attributes:
        name: the person's or action's.
        value: score or probability.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Reply:
    """What a recording, or a window of one, shows.

    Attributes:
        title: the recording, and the seconds of a window.
        verdict: the person or action; empty: unknown.
        sentence: the verdict in words, with score and threshold.
        guesses: the most likely ones, the likeliest first.
    """

    title: str
    verdict: str
    sentence: str
    guesses: tuple[Guess, ...]


@dataclass(frozen=True)
class Looked:
    """The answer to an upload.

    Attributes:
        name: of the upload.
        replies: by recording and window.
        clips: title and drawing of the first recordings (`tasks.serve.clips`).
        notes: sentences on what was left out, was noted, or is not shown.
        done: what was done, such as an enrolment; empty: nothing was.
    """

    name: str
    replies: tuple[Reply, ...] = ()
    clips: tuple[tuple[str, dict[str, Any]], ...] = ()
    notes: tuple[str, ...] = ()
    done: str = ""


class BusyError(Exception):
    """Too many wait already."""


@dataclass
class Desk:
    """A model and perhaps a gallery; one thread works for all.

    Args:
        run: a run's folder, or an exported model.
        gallery: its place; None: actions or the run's own classes are named.
        top: how many people or actions an answer names.
        false_alarms: share of known actions that may be called unknown.

    Raises:
        ValueError: one of them cannot be opened, or they do not fit.
    """

    run: Path
    gallery: str | None
    top: int
    false_alarms: float
    _waiting: int = 0
    _current: CurrentGallery | None = None
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.model = aclnet.load(self.run)
        self._sure = self.gallery is None and self._is_calibrated()
        if self.gallery is not None:
            self._current = CurrentGallery(self.gallery, self.model)
            Gallery(self.gallery, self.model).close()
        elif not self.model.info.trains_classifier:
            raise ValueError(
                f"{self.run} did not train its classifier ({self.model.info.task}): give a gallery "
                "of it with --gallery"
            )
        self._worker = ThreadPoolExecutor(1, "desk")

    def close(self) -> None:
        """Take no more work."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def ask(self, work: Callable[[], Result]) -> Result:
        """Let the worker do something in its turn.

        Raises:
            BusyError: too many wait.
        """
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise BusyError
            self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, work)
        finally:
            with self._lock:
                self._waiting -= 1

    def look(self, files: Sequence[UploadedFile]) -> Looked:
        """Say what uploaded files show; for the worker.

        Raises:
            ValueError: they cannot be read.
        """
        with opened(files, self.model) as upload:
            if self.gallery is None:
                replies = self._classified(upload)
            else:
                replies = self._identified(self._embedded(upload))
            return _looked(upload, replies)

    def enrol(self, files: Sequence[UploadedFile], person: str) -> Looked:
        """Enrol all recordings of uploaded files for one person; for the worker.

        Raises:
            ValueError: they cannot be read, or there is no gallery.
        """
        with opened(files, self.model) as upload:
            found = self._embedded(upload)
            done = self._opened_gallery().enrol_embeddings(
                [person] * len(found.sample),
                found.embedding,
                file=[upload.name] * len(found.sample),
                sample=found.sample,
                frames=found.frames,
            )
            what = f"{done.templates} {nouns('recordings', done.templates)}"
            return _looked(upload, (), f"Enrolled: {what} of {person}.", done.warnings)

    def remove(self, person: str) -> str:
        """Remove a person; for any thread.

        Raises:
            ValueError: nobody has this name, or there is no gallery.
        """
        with Gallery(self._place()) as gallery:
            done = gallery.remove(person, 5.0)
        if not done.erased:
            return f"{person} is removed, and not yet erased: another program reads the gallery."
        beyond = f" {done.beyond}." if done.beyond else ""
        return f"Erased: {person}, {done.templates} {nouns('templates', done.templates)}.{beyond}"

    def people(self) -> tuple[list[Person], Threshold | None]:
        """Who is enrolled now, and the threshold; for any thread.

        Raises:
            ValueError: the gallery is gone.
        """
        if self.gallery is None:
            return [], None
        with Gallery(self.gallery) as gallery:
            return gallery.people(), gallery.threshold

    @property
    def rule(self) -> str:
        """From when on something is named, as a sentence."""
        if self.gallery is not None:
            return "People are named from the gallery's threshold on; all others are unknown."
        if self._sure:
            return (
                "An action that looks like none of the known ones is called unknown, as are at "
                f"most {self.false_alarms:.0%} of the known ones."
            )
        what = "actions" if self.model.settings.test is not None else "training people"
        return (
            f"One of the {what} is always named, as this run is not calibrated: it does not know "
            "what it does not know."
        )

    def _is_calibrated(self) -> bool:
        if not (self.model.run / CALIBRATION).is_file():
            return False
        self.model.calibration().threshold(self.false_alarms)
        return True

    def _place(self) -> str:
        if self.gallery is None:
            raise ValueError(_NO_GALLERY)
        return self.gallery

    def _opened_gallery(self) -> Gallery:
        """The worker's own."""
        if self._current is None:
            raise ValueError(_NO_GALLERY)
        return self._current.opened()

    def _embedded(self, upload: Upload) -> Recordings:
        return embedded(self.model, upload.place, {"prepare": upload.prepare})

    def _identified(self, found: Recordings) -> list[Reply]:
        gallery = self._opened_gallery()
        known = gallery.threshold
        answers = gallery.identify_embeddings(
            found.embedding,
            sample=found.sample,
            threshold=None if known is not None else _NOBODY,
            candidates=self.top,
        )
        return [_named(one, known) for one in answers]

    def _classified(self, upload: Upload) -> list[Reply]:
        found = self.model.classify(
            upload.place,
            top=min(self.top, len(self.model.classes)),
            prepare=upload.prepare,
            false_alarms=self.false_alarms if self._sure else None,
        )
        return [_classed(one) for one in found]


def _looked(
    upload: Upload, replies: Sequence[Reply], done: str = "", more: Sequence[str] = ()
) -> Looked:
    info = upload.store.info
    titles = upload.store.index["sample"].tolist()
    notes = [*more, *notes_in_words(info.notes)]
    if any(info.dropped.values()):
        notes.append(f"left out: {left_out_in_words(info.dropped)}")
    for count, most, what in (
        (len(replies), MOST_SHOWN, "answers"),
        (len(titles), MOST_CLIPS, "recordings"),
    ):
        if count > most:
            notes.append(f"the first {most} of {count} {what} are shown")
    clips = tuple(
        (str(title), clip_of(upload.store, row)) for row, title in enumerate(titles[:MOST_CLIPS])
    )
    return Looked(upload.name, tuple(replies[:MOST_SHOWN]), clips, tuple(notes), done)


def _named(answer: Answer, known: Threshold | None) -> Reply:
    guesses = tuple(Guess(*one) for one in answer.candidates)
    if answer.score is None:
        return Reply(answer.sample, "", "Nobody is enrolled.", guesses)
    if known is None:
        sentence = (
            "Nobody is named, as the gallery has no threshold (aclnet-task gallery calibrate). "
            f"The most alike is {guesses[0].name}, with a score of {answer.score:.4f}."
        )
        return Reply(answer.sample, "", sentence, guesses)
    side = "below" if answer.person is None else "not below"
    sentence = f"Score {answer.score:.4f}, {side} the threshold of {answer.threshold:.4f}."
    return Reply(answer.sample, answer.person or "", sentence, guesses)


def _classed(found: Prediction) -> Reply:
    guesses = tuple(map(Guess, found.classes, found.probabilities))
    if found.start_seconds is None or found.end_seconds is None:
        when = f"frames {found.start} to {found.end - 1}"
    else:
        when = f"{found.start_seconds:.1f} to {found.end_seconds:.1f} s"
    if found.unknown:
        sentence = f"It looks like none of the known; the most alike is {guesses[0].name}."
        return Reply(f"{found.sample}, {when}", "", sentence, guesses)
    sentence = f"Probability {guesses[0].value:.1%}."
    return Reply(f"{found.sample}, {when}", guesses[0].name, sentence, guesses)
