"""A trained network with all that it needs: recordings in, embeddings and classes out.

>>> import aclnet  # doctest: +SKIP
>>> model = aclnet.load("runs/nwucla")  # doctest: +SKIP
>>> model.classify("clip.json")  # doctest: +SKIP
>>> model.embed(["walk1.csv", "walk2.csv"]).embedding.shape  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch

from aclnet.clips.input import ClipInput
from aclnet.data.convert import prepare_samples
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import embed
from aclnet.runs.info import (
    RUN_INFO,
    SETTINGS,
    RunInfo,
    RunModel,
    read_run_info,
    read_run_model,
)
from aclnet.runs.networks import build_network, fill_part, require_best, weight_generator
from aclnet.runs.reading import Reading
from aclnet.runs.scoring import Scored, score
from aclnet.runs.settings import Persons, Preparation, ScoringSettings
from aclnet.runs.windows import Cutting, Window, whole_recording, window_store
from aclnet.skeleton import Layout, layout_from_dict
from aclnet.training.engine import BEST

WINDOW_CLIPS = 4

Source = str | Path | npt.NDArray[Any]
"""A file or folder that a reader knows, a store, or one recording: (T, V, C) or (T, M, V, C)."""


@dataclass(frozen=True)
class Prediction:
    """What one person or group does in one stretch of a recording.

    Attributes:
        sample: key of the recording in its file; of an array its number.
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


class Embedded(NamedTuple):
    """Recordings and their embeddings.

    Attributes:
        sample: N keys of the recordings, in the order of the files; of arrays their numbers.
        embedding: (N, D) float32, compared by cosine or Euclidean distance.
    """

    sample: list[str]
    embedding: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A trained run, ready for any recording of the joints that it has learned.

    Attributes:
        run: the run's folder, for messages.
        info: what it was trained on.
        settings: what the network needs: encoder, neck, clips, embedding, test clips.
        network: in evaluation mode.
        clip_input: prepares clips as in training.
    """

    run: Path
    info: RunInfo
    settings: RunModel
    network: SkeletonNetwork
    clip_input: ClipInput

    @property
    def layout(self) -> Layout:
        """The V joints of its clips."""
        return self.clip_input.layout

    @property
    def classes(self) -> tuple[str, ...]:
        """K class names, in the classifier's order: actions, or the people who trained."""
        return self.info.classes

    def embed(
        self,
        source: Source | Sequence[Source],
        *,
        prepare: Preparation | None = None,
        **reading: Any,
    ) -> Embedded:
        """One embedding a recording, in the order of the files.

        Of a run with test clips (action recognition) it is the mean of their features before the
        classifier; of others the mean over windows, as the run's `embed` settings say.

        Args:
            source: files, folders, stores or arrays, one or several.
            prepare: as for `classify`.
            **reading: as for `classify`.

        Raises:
            ValueError: a file cannot be read, a recording is empty or has other joints, channels
                or unit than the run, or there is none.
        """
        parts = []
        for place, info, samples in self._opened(source, reading):
            how = self._preparation(place, prepare)
            if how == "main_person":
                info, samples = prepare_samples(info, samples)
            kept = [(sample.sample, whole_recording(sample)) for sample in samples]
            with naming(place):
                vectors = self.embed_store(window_store([frames for _, frames in kept], info))
            parts.append(Embedded([name for name, _ in kept], vectors))
        names = [name for part in parts for name in part.sample]
        return Embedded(names, np.concatenate([part.embedding for part in parts]))

    def embed_store(self, store: Store) -> npt.NDArray[np.float32]:
        """Embeddings (N, D) float32 of a store's samples.

        Raises:
            ValueError: the store is empty, or has other joints, channels or unit than the run.
        """
        self.info.require(store, self.run)
        if self.settings.test is not None:
            return score(self.network, store, self.clip_input, self.settings.test).embedding
        return embed(self.network, store, self.clip_input, self.settings.embed)

    def classify(
        self,
        source: Source | Sequence[Source],
        *,
        top: int = 5,
        window: int | None = None,
        stride: int | None = None,
        persons: Persons = "together",
        prepare: Preparation | None = None,
        **reading: Any,
    ) -> list[Prediction]:
        """Say what is done in recordings, window by window; of gait and re-ID runs, who it is.

        Args:
            source: files, folders, stores or arrays, one or several.
            top: k, classes to name; at most all.
            window: frames of a window; by default four clips' worth. A recording that has no more
                is one window.
            stride: frames between windows; by default half a window.
            persons: "together" as in training, or "apart": each alone.
            prepare: as `aclnet.data.convert`; by default as the run's data were converted, and
                nothing for a store or an array.
            **reading: passed to `aclnet.data.formats.read` (`format`, `layout`, `fps`, a reader's
                own); what is not given is as in the run's settings (`aclnet.runs.reading`), None
                leaves one of those out. Of arrays only `fps` counts.

        Returns:
            In the order of the files: samples, their persons, their windows.

        Raises:
            ValueError: a file cannot be read, has other joints, channels or unit than the run,
                holds numbers that are not finite, or shows nobody.
        """
        if top < 1:
            raise ValueError(f"top must be at least 1, not {top}")
        clip = self.settings.clip
        length = WINDOW_CLIPS * clip.frames * clip.step if window is None else window
        step = max(length // 2, 1) if stride is None else stride
        found: list[Prediction] = []
        for place, info, samples in self._opened(source, reading):
            cutting = Cutting(length, step, persons, self._preparation(place, prepare))
            with naming(place):
                self.info.require(window_store([], info), self.run)
                mine = [one for s in samples for one in self._judge(s, info, cutting, top)]
            if not mine:
                raise ValueError(
                    f"{place}: there is nothing to predict: nobody is seen in any frame"
                )
            found += mine
        return found

    def _opened(
        self, source: Source | Sequence[Source], reading: dict[str, Any]
    ) -> Iterator[tuple[Path, StoreInfo, Iterator[Sample]]]:
        """Where each source lies, its description and its samples; arrays together are one."""
        one = isinstance(source, str | Path | np.ndarray)
        sources = [source] if one else list(cast(Sequence[Source], source))
        arrays = [part for part in sources if isinstance(part, np.ndarray)]
        if arrays and len(arrays) < len(sources):
            raise ValueError("give either files or arrays, not both")
        if arrays:
            yield Path("array"), self._array_info(reading), _array_samples(arrays)
            return
        own = Reading(self.settings.data)
        for place in map(Path, cast(list[str | Path], sources)):
            yield place, *own.open(place, reading)

    def _preparation(self, place: Path, asked: Preparation | None) -> Preparation:
        if asked is None and not place.exists():  # an array is as it shall be
            return "none"
        return Reading(self.settings.data).preparation(place, asked)

    def _array_info(self, reading: dict[str, Any]) -> StoreInfo:
        own = self.info
        return StoreInfo(
            name="array",
            layout=own.layout,
            channels=own.channels,
            unit=own.unit,
            fps=reading.get("fps"),
        )

    def _judge(
        self, sample: Sample, info: StoreInfo, cutting: Cutting, top: int
    ) -> Iterator[Prediction]:
        windows = list(cutting.windows(sample, info))
        if not windows:
            return
        store = window_store([window.frames for window in windows], info)
        test = self.settings.test or ScoringSettings(clips=1)
        scored = score(self.network, store, self.clip_input, test)
        for number, window in enumerate(windows):
            yield self._said(sample.sample, window, scored, number, info.fps, top)

    def _said(
        self, sample: str, window: Window, scored: Scored, row: int, fps: float | None, top: int
    ) -> Prediction:
        # Bodies that trained as people of their own count for the person whose they are.
        shares = scored.probabilities[row].reshape(len(self.classes), -1).sum(axis=1)
        order = np.argsort(-shares, kind="stable")[:top]
        return Prediction(
            sample=sample,
            person=window.person,
            start=window.start,
            end=window.end,
            start_seconds=None if fps is None else window.start / fps,
            end_seconds=None if fps is None else window.end / fps,
            classes=tuple(self.classes[place] for place in order),
            probabilities=tuple(float(shares[place]) for place in order),
        )


def load(run: str | Path, device: str = "cpu") -> Model:
    """A trained run of any task; its data are not needed.

    Args:
        run: the run's folder, as `aclnet-task ... train` wrote it.
        device: where to compute, as torch names it.

    Raises:
        ValueError: the folder is no run, has no checkpoint yet, or its parts do not fit.
    """
    folder = Path(run)
    info, settings = read_run_info(folder), read_run_model(folder)
    layout = layout_from_dict(info.layout, f"{folder / RUN_INFO}: layout")
    clip_input = ClipInput(settings.clip, layout, info.channels)
    # The weights come from the checkpoint: any generator will do.
    network = build_network(settings.network, len(info.classes), clip_input, weight_generator(0))
    if settings.weights == BEST:
        require_best(folder)
    try:
        fill_part(folder / settings.weights, network)
    except ValueError as error:
        raise ValueError(f"{error}; was {folder / SETTINGS} or {RUN_INFO} edited?") from None
    return Model(folder, info, settings, network.eval().to(torch.device(device)), clip_input)


def _array_samples(arrays: Sequence[npt.NDArray[Any]]) -> Iterator[Sample]:
    """Recordings from arrays: (T, V, C) of one person or (T, M, V, C).

    Raises:
        ValueError: an array has another number of axes.
    """
    for number, array in enumerate(arrays):
        if array.ndim not in (3, 4):
            raise ValueError(
                f"array {number} has the shape {array.shape}: a recording is (frames, joints, "
                "channels) or (frames, persons, joints, channels)"
            )
        frames = array[:, None] if array.ndim == 3 else array
        yield Sample(str(number), np.asarray(frames, dtype=np.float32))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors inside name the file, once."""
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {error}") from None


__all__ = ["Embedded", "Model", "Prediction", "load"]
