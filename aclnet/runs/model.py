"""A trained network for use: recordings in, embeddings and classes out.

>>> import aclnet  # doctest: +SKIP
>>> model = aclnet.load("runs/nwucla")  # doctest: +SKIP
>>> model.classify("clip.json")  # doctest: +SKIP
>>> model.embed(["walk1.csv", "walk2.csv"]).embedding.shape  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt

from aclnet.data.convert import prepare_samples
from aclnet.data.left_out import notes_in_words
from aclnet.data.sample import Sample, StoreInfo
from aclnet.progress import Progress, share, with_progress
from aclnet.runs.averages import Predictor, mean_embeddings, mean_scores
from aclnet.runs.calibration import Calibration, calibrated, read_calibration, weights_hash
from aclnet.runs.exported import Exported, is_exported, open_exported, read_exported, require_torch
from aclnet.runs.finished import require_finished
from aclnet.runs.hub import is_on_hub, pull
from aclnet.runs.info import RunInfo, RunModel, read_run_info, read_run_model
from aclnet.runs.reading import array_samples, as_run, is_store, open_file, require_rate
from aclnet.runs.settings import Persons, Preparation, ScoringSettings
from aclnet.runs.shipped import local_model
from aclnet.runs.windows import Window, cut_windows, whole_recording, window_store
from aclnet.skeleton import Layout

if TYPE_CHECKING:
    from aclnet.clips.input import ClipInput
    from aclnet.models import SkeletonNetwork
    from aclnet.runs.inference import InferenceNetwork

WINDOW_CLIPS = 4

Source = str | Path | npt.NDArray[Any]
"""A file or folder that a reader knows, a store, or a recording (T, V, C) or (T, M, V, C)."""


@dataclass(frozen=True)
class Prediction:
    """The most likely classes of one window of a recording.

    Attributes:
        sample: key of the recording in its file; for an array its number.
        person: number of the person from 0; None: all persons together.
        start: number of the first frame in the recording as it was filmed.
        end: the number after that of the last frame.
        start_seconds: time of `start` in that recording; None if its frame rate is not known.
        end_seconds: time of `end`; None likewise.
        classes: the k most likely classes, the likeliest first.
        probabilities: of these classes, 0..1.
        left_out: by reason, what was left out of the whole file: people, frames, recordings.
        notes: sentences on how the file was read.
        unknown: whether it looks like none of the classes; None where nobody asked.
    """

    sample: str
    person: int | None
    start: int
    end: int
    start_seconds: float | None
    end_seconds: float | None
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unknown: bool | None = None


class Embedded(NamedTuple):
    """Recordings and their embeddings.

    Attributes:
        sample: N keys of the recordings, in the order of the files; for arrays their numbers.
        embedding: (N, D) float32, compared by cosine or Euclidean distance.
        left_out: by reason, what was left out of the files: people, frames, recordings.
        identity: N people as the files name them; empty text where they do not.
        frames: N numbers of frames.
        persons: N numbers of people who are seen, all of whom the embedding is of.
    """

    sample: list[str]
    embedding: npt.NDArray[np.float32]
    left_out: Mapping[str, int] = MappingProxyType({})
    identity: Sequence[str] = ()
    frames: Sequence[int] = ()
    persons: Sequence[int] = ()


@dataclass(frozen=True)
class Model:
    """A trained run, ready for any recording with the joints that it was trained on.

    Attributes:
        run: the run's folder, or the exported model's, for messages.
        info: what it was trained on.
        settings: of encoder, neck, clips, embedding and test clips.
        predictor: the network with its preparation of clips.
        exported: its description, if it is an exported one.
    """

    run: Path
    info: RunInfo
    settings: RunModel
    predictor: Predictor
    exported: Exported | None = None

    @property
    def network(self) -> SkeletonNetwork:
        """The network as a torch module, in evaluation mode; an ONNX model has none."""
        return self._torch().network

    @property
    def clip_input(self) -> ClipInput:
        """Prepares clips as in training, by torch; an ONNX model has none."""
        return self._torch().clips

    def _torch(self) -> InferenceNetwork:
        from aclnet.runs.inference import TorchPredictor

        if not isinstance(self.predictor, TorchPredictor):
            raise ValueError(f"{self.run} is not a network of torch: load the run")
        return self.predictor.module

    @property
    def layout(self) -> Layout:
        """The V joints of its clips."""
        return self.predictor.clips.layout

    @property
    def classes(self) -> tuple[str, ...]:
        """K class names in the classifier's order, of actions or the training people."""
        return self.info.classes

    @property
    def dimensions(self) -> int:
        """D, numbers of an embedding."""
        if self.exported is not None:
            return self.exported.dimensions
        posterior = self.settings.test is None and self.settings.embed.feature == "posterior"
        classifier = self.network.classifier
        return int(classifier.out_features if posterior else classifier.in_features)

    @property
    def metric(self) -> Literal["cosine", "euclidean"]:
        """How embeddings are compared, which is by direction unless their lengths are kept."""
        own = self.settings
        return "cosine" if own.test is not None or own.embed.normalise else "euclidean"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that an embedding depends on (weights, joints, unit and settings).

        An exported model has that of its run. Settings at their defaults do not count, so that new
        ones leave it as it is.
        """
        if self.exported is not None:
            return self.exported.fingerprint
        from aclnet.runs.networks import weights_fingerprint

        parts = {"network": True, "clip": True, "embed": True, "test": True}
        own = self.settings.model_dump(mode="json", include=parts, exclude_defaults=True)
        for part in ("embed", "test"):
            (own.get(part) or {}).pop("batch_size", None)
        about: list[object] = [self.layout.joints, self.info.channels, self.info.unit, own]
        if self.info.joint_distances is not None:
            about.append(self.info.joint_distances)
        return weights_fingerprint(self.network.state_dict(), json.dumps(about, sort_keys=True))

    def embed(
        self,
        source: Source | Sequence[Source],
        *,
        prepare: Preparation | None = None,
        progress: Progress | None = None,
        **reading: Any,
    ) -> Embedded:
        """One embedding a recording, in the order of the files.

        For a run with test clips (action recognition) it is the mean of their features before the
        classifier; for others the mean over windows, as the run's `embed` settings define. A
        re-ID run was tested on short sequences cut from its recordings (`aclnet-task reid embed`):
        give these, each as a recording, for the same embeddings.

        Args:
            source: one or several files, folders, stores or arrays.
            prepare: as for `classify`.
            progress: called with the amount done and the total; by default nothing is shown.
            **reading: as for `classify`.

        Raises:
            ValueError: a file cannot be read, a recording is empty or has other joints, channels
                or unit than the run, or there is none.
        """
        names: list[str] = []
        people: list[str] = []
        lengths: list[int] = []
        seen: list[int] = []
        parts = []
        left_out: Counter[str] = Counter()
        shares = 2 * _count(source)  # each is read, then embedded
        for number, (place, info, samples, how) in enumerate(
            self.opened(source, prepare, reading, progress, phases=2)
        ):
            own = share(progress, 2 * number + 1, shares)
            if how == "main_person":
                info, samples = prepare_samples(info, samples)
            with _naming(place):
                kept = [
                    (sample.sample, sample.identity, len(sample.frames), whole_recording(sample))
                    for sample in samples
                ]
                store = window_store([frames for *_, frames in kept], info)
                self.info.require(store, self.run)
                if self.settings.test is None:
                    parts.append(mean_embeddings(self.predictor, store, self.settings.embed, own))
                else:
                    scored = mean_scores(self.predictor, store, self.settings.test, progress=own)
                    parts.append(scored.embedding)
            names += [name for name, *_ in kept]
            people += [identity for _, identity, *_ in kept]
            lengths += [length for *_, length, _ in kept]
            seen += [int(frames.any(axis=(0, 2, 3)).sum()) for *_, frames in kept]
            left_out.update(info.dropped)
        return Embedded(names, np.concatenate(parts), dict(left_out), people, lengths, seen)

    def classify(
        self,
        source: Source | Sequence[Source],
        *,
        top: int = 5,
        window: int | None = None,
        stride: int | None = None,
        persons: Persons = "together",
        false_alarms: float | None = None,
        prepare: Preparation | None = None,
        options: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        **reading: Any,
    ) -> list[Prediction]:
        """Classify recordings window by window: the action or, for gait and re-ID runs, the person.

        Args:
            source: one or several files, folders, stores or arrays.
            top: k, classes to name; at most all.
            window: frames of a window; by default those of four clips. A shorter recording is one
                window.
            stride: frames between windows; by default half a window.
            persons: "together" as in training, or "apart": each alone.
            false_alarms: share of known actions that may be called unknown; the probabilities are
                calibrated then. None: nothing is unknown. It was calibrated on whole recordings
                (`aclnet.runs.calibration`).
            prepare: as in `aclnet.data.convert`; by default as for the run's data, and "none" for a
                store or an array.
            options: the reader's own options, those too that are named as an argument here, such
                as `persons`, the number of people that a reader keeps.
            progress: called with the amount done and the total; by default nothing is shown.
            **reading: passed to `aclnet.data.formats.read` (`format`, `layout`, `fps`, a reader's
                own); by default as in the run's settings (`aclnet.runs.reading`), of which None
                removes one. For arrays only `fps` is used.

        Returns:
            Predictions in the order of the files, their samples, their persons, their windows.

        Raises:
            ValueError: a file cannot be read, has other joints, channels or unit than the run,
                holds coordinates that are not finite, or shows nobody; an argument is invalid;
                the run did not train its classifier, or is not calibrated.
        """
        if not self.info.trains_classifier:
            raise ValueError(
                f"{self.run} did not train its classifier ({self.info.task}): use its embeddings, "
                "or train one that begins with this run (--init-from)"
            )
        clip = self.settings.clip
        length = WINDOW_CLIPS * clip.frames * clip.step if window is None else window
        step = max(length // 2, 1) if stride is None else stride
        for name, value in (("top", top), ("window", length), ("stride", step)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        _require_choice("persons", persons, get_args(Persons))
        sure = None
        if false_alarms is not None:
            own = self.calibration()
            sure = own, own.threshold(false_alarms)
        found: list[Prediction] = []
        for place, info, samples, how in self.opened(
            source, prepare, {**reading, **(options or {})}, progress
        ):
            here: list[Prediction] = []
            skipped: Counter[str] = Counter()
            with _naming(place):
                self.info.require(window_store([], info), self.run)
                for sample in samples:
                    cut = list(
                        cut_windows(sample, info, length, step, persons=persons, prepare=how)
                    )
                    here += self._predictions(sample, cut, info, top, sure)
                    skipped.update(_outside(sample, cut))
            if not here:
                raise ValueError(
                    f"{place}: there is nothing to predict: nobody is seen in any frame"
                )
            left_out = dict(Counter(info.dropped) + skipped)
            notes = notes_in_words(info.notes)
            found += [replace(one, left_out=left_out, notes=notes) for one in here]
        return found

    def calibration(self) -> Calibration:
        """What `aclnet-task action calibrate` found out; an exported model has that of its run.

        Raises:
            ValueError: it is not calibrated, or the file is damaged or of other weights.
        """
        if self.exported is not None:
            return read_calibration(self.run, self.exported.sha256, exported=True)
        return read_calibration(self.run, weights_hash(self.run / self.settings.weights))

    def opened(
        self,
        source: Source | Sequence[Source],
        prepare: Preparation | None,
        reading: dict[str, Any],
        progress: Progress | None = None,
        phases: int = 1,
    ) -> Iterator[tuple[Path, StoreInfo, Iterator[Sample], Preparation]]:
        """Place, description, samples and preparation of each source; arrays together are one.

        Arguments and errors are those of `embed`; reading is the first of several phases of a
        source's progress.
        """
        if prepare is not None:
            _require_choice("prepare", prepare, get_args(Preparation))
        one = isinstance(source, str | Path | np.ndarray)
        sources = [source] if one else list(cast(Sequence[Source], source))
        arrays = [part for part in sources if isinstance(part, np.ndarray)]
        if not sources:
            raise ValueError("there is nothing to read: give a file, a folder or an array")
        if unknown := [part for part in sources if not isinstance(part, str | Path | np.ndarray)]:
            raise ValueError(f"expected files or arrays, not {type(unknown[0]).__name__}")
        if arrays and len(arrays) < len(sources):
            raise ValueError("give either files or arrays, not both")
        if arrays:
            if foreign := sorted(reading.keys() - {"fps"}):
                raise ValueError(f"{foreign[0]} is for files; arrays take only fps")
            own = self.info.model_dump(include={"layout", "channels", "unit"})
            info = StoreInfo(name="array", fps=require_rate(reading.get("fps")), **own)
            axes = len(self.layout.joints), len(self.info.channels)
            read = array_samples(arrays, *axes)
            shown = with_progress(read, len(arrays), share(progress, 0, phases))
            yield Path("array"), *as_run(self.settings.data, info, shown), prepare or "none"
            return
        data = self.settings.data
        for number, place in enumerate(map(Path, cast(list[str | Path], sources))):
            usual = "none" if is_store(place) else data.prepare
            first = share(progress, number * phases, phases * len(sources))
            yield place, *open_file(data, place, reading, self.layout, first), prepare or usual

    def _predictions(
        self,
        sample: Sample,
        windows: Sequence[Window],
        info: StoreInfo,
        top: int,
        sure: tuple[Calibration, float] | None,
    ) -> Iterator[Prediction]:
        if not windows:
            return
        fps = sample.fps or info.fps
        store = window_store([window.frames for window in windows], info)
        test = self.settings.test or ScoringSettings(clips=1)
        scored = mean_scores(self.predictor, store, test)
        # Variants of a body, which trained as people of their own, count for their person.
        shares = scored.probabilities.reshape(len(windows), len(self.classes), -1).sum(axis=2)
        unknown: list[bool | None] = [None] * len(windows)
        if sure is not None:
            own, threshold = sure
            shares = calibrated(scored.logits, own.temperature)
            unknown = own.unknown(scored.logits, threshold).tolist()
        for window, row, strange in zip(windows, shares, unknown, strict=True):
            order = np.argsort(-row, kind="stable")[:top]
            yield Prediction(
                sample=sample.sample,
                person=window.person,
                start=window.start,
                end=window.end,
                start_seconds=None if fps is None else window.start / fps,
                end_seconds=None if fps is None else window.end / fps,
                classes=tuple(self.classes[place] for place in order),
                probabilities=tuple(float(row[place]) for place in order),
                unknown=strange,
            )


def load(run: str | Path, device: str = "cpu", *, unfinished: bool = False) -> Model:
    """Load a trained run of any task, or an exported one; its data are not needed.

    Args:
        run: the run's folder, as `aclnet-task ... train` wrote it; or an exported model's folder
            or file (`aclnet-task export`), or hf://USER/NAME, its place on the Hugging Face Hub, or
            the name of a shipped one (`aclnet.runs.shipped`), such as walkers-gait.
            Exported to ONNX, it runs without torch.
        device: where to compute, as torch names it; with ONNX "cpu" or "cuda".
        unfinished: also load a run whose training is not finished, as far as it got.

    Raises:
        ValueError: the folder is not a run, its training is not finished, it has no checkpoint
            yet, its parts do not fit, or there is no such device; or an exported model is damaged
            or cannot be downloaded.
    """
    folder = pull(run) if is_on_hub(run) else local_model(run)
    if is_exported(folder):
        exported, file = read_exported(folder)
        predictor = open_exported(exported, file, device)
        return Model(file.parent, exported.run, exported.model, predictor, exported)
    info = read_run_info(folder)
    require_torch(folder)
    from aclnet.runs.trained import open_run_network

    settings = read_run_model(folder)
    require_finished(folder, unfinished)
    return Model(folder, info, settings, open_run_network(folder, info, settings, device))


def _count(source: Source | Sequence[Source]) -> int:
    """Number of sources that are opened one after another; arrays together are one."""
    if isinstance(source, str | Path | np.ndarray):
        return 1
    return 1 if any(isinstance(one, np.ndarray) for one in source) else len(source)


def _outside(sample: Sample, windows: Sequence[Window]) -> dict[str, int]:
    """What of a recording no window has, by reason."""
    if not windows:
        return {"recordings without a person": 1}
    inside = np.unique(np.concatenate([window.numbers for window in windows]))
    return {"frames in no window": len(sample.frames) - len(inside)}


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Make errors name the file."""
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {error}") from None
