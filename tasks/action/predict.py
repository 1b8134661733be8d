"""What people do in a skeleton file, by a trained run.

>>> from tasks.action.predict import Predictor  # doctest: +SKIP
>>> predictor = Predictor.load("runs/nwucla")  # doctest: +SKIP
>>> predictor.predict("clip.json")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aclnet.clips.input import ClipInput
from aclnet.data.sample import Sample, StoreInfo
from aclnet.models import SkeletonNetwork
from aclnet.runs.scoring import Scored, score
from aclnet.training.engine import BEST
from tasks.action.adapter import ActionSettings
from tasks.action.windows import Cutting, Persons, Window, window_store
from tasks.run.folder import RunInfo, require_run
from tasks.run.networks import load_run
from tasks.samples.reading import Preparation, Reading

WINDOW_CLIPS = 4


@dataclass(frozen=True)
class Prediction:
    """What one person or group does in one stretch of a recording.

    Attributes:
        sample: key of the recording in its file.
        person: number of the person from 0; None: all persons together.
        start: first frame, from 0.
        end: the frame after the last one.
        start_seconds: of the first frame; None where the frame rate is not known.
        end_seconds: of the frame after the last one; None likewise.
        classes: the k most likely classes, the likeliest first.
        probabilities: theirs.
    """

    sample: str
    person: int | None
    start: int
    end: int
    start_seconds: float | None
    end_seconds: float | None
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Predictor:
    """A trained action run, ready for any file of the joints that it has learned.

    Attributes:
        run: the run's folder, for messages.
        settings: the run's.
        info: what it was trained on.
        network: in evaluation mode.
        clip_input: prepares clips as in training.
    """

    run: Path
    settings: ActionSettings
    info: RunInfo
    network: SkeletonNetwork
    clip_input: ClipInput

    @classmethod
    def load(cls, run: str | Path, device: str = "cpu") -> Predictor:
        """Open a run; its data are not needed.

        Args:
            run: the run's folder.
            device: where to compute, as torch names it.

        Raises:
            ValueError: the folder is no run of action recognition, or has no checkpoint yet.
        """
        folder = Path(run)
        require_run(folder)
        best = (folder / BEST).is_file()
        settings, info, network, clip_input = load_run(folder, ActionSettings, best=best)
        return cls(folder, settings, info, network.to(torch.device(device)), clip_input)

    def predict(
        self,
        path: str | Path,
        *,
        top: int = 5,
        window: int | None = None,
        stride: int | None = None,
        persons: Persons = "together",
        prepare: Preparation | None = None,
        **reading: Any,
    ) -> list[Prediction]:
        """Say what is done in a file, recording by recording and window by window.

        Args:
            path: a file or folder that `aclnet.data.formats.read` knows, or a store.
            top: k, classes to name; at most all.
            window: frames of a window; by default four clips' worth. A recording that has no more
                is one window.
            stride: frames between windows; by default half a window.
            persons: "together" as in training, or "apart": each alone.
            prepare: as `aclnet.data.convert`; by default as the run's data were converted, and
                nothing for a store.
            **reading: passed to `aclnet.data.formats.read` (`format`, `layout`, `fps`, a reader's
                own); what is not given is as in the run's settings (`tasks.samples.reading`), None
                leaves one of those out.

        Returns:
            In the order of the file: samples, their persons, their windows.

        Raises:
            ValueError: the file cannot be read, has other joints, channels or unit than the run,
                holds numbers that are not finite, or shows nobody.
        """
        if top < 1:
            raise ValueError(f"top must be at least 1, not {top}")
        place = Path(path)
        own = Reading(self.settings.data)
        cutting = self._cutting(window, stride, persons, own.preparation(place, prepare))
        info, samples = own.open(place, reading)
        try:
            self.info.require(window_store([], info), self.run)
            found = [
                prediction
                for sample in samples
                for prediction in self._judge(sample, info, cutting, top)
            ]
        except ValueError as error:
            raise ValueError(_with_place(error, place)) from None
        if not found:
            raise ValueError(f"{place}: there is nothing to predict: nobody is seen in any frame")
        return found

    def _cutting(
        self,
        window: int | None,
        stride: int | None,
        persons: Persons,
        prepare: Preparation,
    ) -> Cutting:
        clip = self.settings.clip
        length = WINDOW_CLIPS * clip.frames * clip.step if window is None else window
        return Cutting(length, max(length // 2, 1) if stride is None else stride, persons, prepare)

    def _judge(
        self, sample: Sample, info: StoreInfo, cutting: Cutting, top: int
    ) -> Iterator[Prediction]:
        windows = list(cutting.windows(sample, info))
        if not windows:
            return
        store = window_store(windows, info)
        scored = score(self.network, store, self.clip_input, self.settings.test)
        for number, window in enumerate(windows):
            yield self._said(sample.sample, window, scored, number, info.fps, top)

    def _said(
        self, sample: str, window: Window, scored: Scored, row: int, fps: float | None, top: int
    ) -> Prediction:
        shares = scored.probabilities[row]
        order = np.argsort(-shares, kind="stable")[:top]
        return Prediction(
            sample=sample,
            person=window.person,
            start=window.start,
            end=window.end,
            start_seconds=None if fps is None else window.start / fps,
            end_seconds=None if fps is None else window.end / fps,
            classes=tuple(self.info.classes[place] for place in order),
            probabilities=tuple(float(shares[place]) for place in order),
        )


def _with_place(error: ValueError, path: Path) -> str:
    """A sentence that names the file, once."""
    return str(error) if str(path) in str(error) else f"{path}: {error}"


__all__ = ["Prediction", "Predictor"]
