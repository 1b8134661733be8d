"""What a window shows: an enrolled person, or an action or training person of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aclnet.runs.calibration import CALIBRATION
from aclnet.runs.model import WINDOW_CLIPS
from tasks.live.tracks import Window

if TYPE_CHECKING:
    from aclnet.runs.model import Model
    from aclnet.runs.settings import Preparation
    from tasks.gallery.current import CurrentGallery

_WARM_UP = (1, 2, 4, 8)
"""Windows at once; libraries prepare themselves for each number."""


class Answers:
    """Answers windows by a model, and perhaps a gallery.

    Args:
        model: the run.
        gallery: of this model; None: actions or the run's own people are named.
        persons: M, places for people of a recording, of which a track fills the first.
        top: how many people or actions each answer lists.
        threshold: of the gallery, in place of the calibrated one.
        false_alarms: share of known actions that may be called unknown, where the run is
            calibrated.
        prepare: as for `aclnet.load(run).embed`; by default as the run's data.

    Raises:
        ValueError: the gallery has no threshold, or the run neither a trained classifier nor a
            gallery.
    """

    def __init__(
        self,
        model: Model,
        gallery: CurrentGallery | None,
        *,
        persons: int = 1,
        top: int = 5,
        threshold: float | None = None,
        false_alarms: float = 0.05,
        prepare: Preparation | None = None,
    ) -> None:
        self._model, self._gallery = model, gallery
        self._top, self._threshold = top, threshold
        self._persons = persons if gallery is None and model.settings.test is not None else 1
        self._prepare = prepare or model.settings.data.prepare
        self._sure: float | None = None
        if gallery is not None:
            gallery.opened().identify_embeddings(
                np.zeros((0, model.dimensions)), threshold=threshold
            )
        elif not model.info.trains_classifier:
            raise ValueError(
                f"{model.run} did not train its classifier ({model.info.task}): give a gallery of "
                "it with --gallery"
            )
        elif (model.run / CALIBRATION).is_file():
            self._sure = false_alarms

    def cut(self, window: int | None, stride: int | None) -> tuple[int, int]:
        """Frames of a window, and between the starts of two.

        By default for people of a gallery the windows that embeddings are the means of; else those
        of `aclnet.load(run).classify`.

        Args:
            window: as the user gives it.
            stride: likewise.
        """
        clip, embed = self._model.settings.clip, self._model.settings.embed
        if self._gallery is None or self._model.settings.test is not None:
            length = window or WINDOW_CLIPS * clip.frames * clip.step
            return length, stride or max(length // 2, 1)
        return window or (clip.frames - 1) * clip.step + 1, stride or embed.stride

    def warm_up(self, window: int, shape: tuple[int, int]) -> None:
        """Answer something, so that the first answers take no longer than the others.

        Args:
            window: frames of a window.
            shape: V joints and C channels.
        """
        frames = np.random.default_rng(0).random((window, *shape), dtype=np.float32)
        for count in _WARM_UP:
            list(self.of([Window("", 0, window, None, frames, 0.0)] * count))

    def idle(self) -> None:
        """Forget who was removed from the gallery, also while nobody is asked for."""
        if self._gallery is not None:
            self._gallery.opened().refresh()

    def of(self, windows: Sequence[Window]) -> Iterator[tuple[Window, dict[str, Any]]]:
        """The windows with what each shows, as plain values; they are computed together.

        A window without an answer, as its numbers have no sense for the network, is left out.

        Raises:
            ValueError: the gallery cannot be read.
        """
        if not windows:
            return
        if self._gallery is None:
            yield from ((one, found) for one in windows if (found := self._classified(one)))
            return
        arrays = [window.frames[:, None] for window in windows]
        try:
            embedding = self._model.embed(arrays, prepare=self._prepare).embedding
        except ValueError:
            return
        usable = np.isfinite(embedding).all(axis=1) & (embedding != 0).any(axis=1)
        rows = np.flatnonzero(usable).tolist()
        answers = self._gallery.opened().identify_embeddings(
            embedding[rows], threshold=self._threshold, candidates=self._top
        )
        for row, one in zip(rows, answers, strict=True):
            names = ("person", "score", "margin", "threshold")
            found = {name: getattr(one, name) for name in names}
            yield windows[row], {**found, "candidates": list(one.candidates)}

    def _classified(self, window: Window) -> dict[str, Any]:
        frames = np.zeros((len(window.frames), self._persons, *window.frames.shape[1:]), np.float32)
        frames[:, 0] = window.frames
        try:
            (found,) = self._model.classify(
                frames,
                top=min(self._top, len(self._model.classes)),
                window=len(frames),
                persons="apart",
                false_alarms=self._sure,
                prepare=self._prepare,
            )
        except ValueError:
            return {}
        names = ("classes", "probabilities", "unknown")
        return {name: getattr(found, name) for name in names}
