"""What people do in a skeleton file, by a trained run.

>>> from tasks.action_predict import Predictor  # doctest: +SKIP
>>> predictor = Predictor.load("runs/nwucla")  # doctest: +SKIP
>>> predictor.predict("clip.json")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from aclnet.data.convert import map_samples
from aclnet.data.formats import READERS, detect, read
from aclnet.data.sample import FIELDS, Sample, StoreInfo
from aclnet.data.store import Store, open_store
from aclnet.engine import BEST
from aclnet.models import SkeletonNetwork
from aclnet.skeleton import load_layout
from tasks.action import ActionSettings
from tasks.action_windows import Cutting, Persons, Window, window_store
from tasks.base import load_run
from tasks.clips import ClipInput
from tasks.run_folder import RunInfo, require_run
from tasks.scoring import Scored, score

WINDOW_CLIPS = 4
_CHOOSING = ("split", "keep", "label_from", "labels")
"""Options of readers that say which recordings train or what they are called, not how to read."""


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
        prepare: Literal["none", "main_person"] | None = None,
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
            prepare: as `aclnet.data.convert`; by default as the run's data were converted.
            **reading: passed to `aclnet.data.formats.read` (`format`, `layout`, `fps`, a reader's
                own); what is not given is as in the run's settings.

        Returns:
            In the order of the file: samples, their persons, their windows.

        Raises:
            ValueError: the file cannot be read, has other joints, channels or unit than the run,
                holds numbers that are not finite, or shows nobody.
        """
        if top < 1:
            raise ValueError(f"top must be at least 1, not {top}")
        place = Path(path)
        cutting = self._cutting(window, stride, persons, self._preparation(place, prepare))
        info, samples = self._open(place, reading)
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
        prepare: Literal["none", "main_person"],
    ) -> Cutting:
        clip = self.settings.clip
        length = WINDOW_CLIPS * clip.frames * clip.step if window is None else window
        return Cutting(length, max(length // 2, 1) if stride is None else stride, persons, prepare)

    def _preparation(
        self, path: Path, asked: Literal["none", "main_person"] | None
    ) -> Literal["none", "main_person"]:
        if asked is not None:
            return asked
        learned = self.settings.data.options.get("prepare")
        is_store = (path / "store.json").is_file()  # prepared already, if at all
        return "main_person" if learned == "main_person" and not is_store else "none"

    def _open(self, path: Path, reading: dict[str, Any]) -> tuple[StoreInfo, Iterator[Sample]]:
        """Description and samples, read as the run's data were and mapped to their joints."""
        if (path / "store.json").is_file():
            store = open_store(path)
            return store.info, _stored(store)
        given = {name: value for name, value in reading.items() if value is not None}
        name = given.pop("format", None) or detect(path)
        info, samples = read(path, name, **{**self._learned(name), **given})
        target = self.settings.data.map_to
        return (
            (info, samples) if target is None else map_samples(info, samples, load_layout(target))
        )

    def _learned(self, name: str) -> dict[str, Any]:
        """The options with which the run's data were read, as far as they fit this format."""
        if name not in READERS:
            return {}
        known = inspect.signature(importlib.import_module(READERS[name]).read).parameters
        return {
            option: value
            for option, value in self.settings.data.options.items()
            if option in (*known, "unit") and option not in _CHOOSING
        }

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


def _stored(store: Store) -> Iterator[Sample]:
    columns = {name: store.index[name].tolist() for name in ("sample", *FIELDS)}
    for row in range(len(store)):
        fields: dict[str, Any] = {name: str(values[row]) for name, values in columns.items()}
        yield Sample(frames=store.clip(row), **fields)


def _with_place(error: ValueError, path: Path) -> str:
    """A sentence that names the file, once."""
    return str(error) if str(path) in str(error) else f"{path}: {error}"


__all__ = ["Prediction", "Predictor"]
