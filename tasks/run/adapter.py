"""The interface that every task implements, and the training that they share.

A task adapter selects and labels the training samples, validates the network, and applies it to
the test samples. The rest is shared: the training loop, the run folder and, in `aclnet.runs`, the
network and its objective.

A run folder (`tasks.run.folder`) holds `settings.yaml`, `run.json` (classes, layout, data,
network), `log.jsonl`, `checkpoint.pt`, the network's output on the test samples (`embeddings.npz`,
`scores.npz`) and `record.json`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from aclnet.clips.completion import joint_distances
from aclnet.clips.input import ClipInput
from aclnet.clips.settings import Rows
from aclnet.clips.windows import windows_at_phase
from aclnet.config import dump_settings
from aclnet.data.changes import stamps
from aclnet.data.store import Store
from aclnet.distributed import require_same
from aclnet.models import SkeletonNetwork
from aclnet.progress import counting
from aclnet.runs.inference import embed
from aclnet.runs.info import RUN_INFO, InitialWeights, RunInfo, RunModel, read_run_info
from aclnet.runs.networks import build_network, build_objective, fill_best, weight_generator
from aclnet.training.engine import BEST, CHECKPOINT, fit
from aclnet.training.machine.launch import make_fabric
from aclnet.training.pretraining import build_pretraining
from aclnet.training.samplers import IdentitySampler, Sampler, ShuffleSampler
from aclnet.training.settings import TrainSettings
from aclnet.training.state import RunState
from aclnet.training.task import Trainable, TrainingTask
from protocols.embeddings import Embeddings
from tasks.run.folder import write_run_folder
from tasks.run.initial import fill_start, require_start
from tasks.run.resume import reached_epoch
from tasks.run.trained_data import require_unchanged_meanwhile
from tasks.samples.batches import ClipSource
from tasks.samples.labels import labelled
from tasks.samples.left_out import left_out_of
from tasks.samples.open import dropped_counts, without_short
from tasks.settings import TaskSettings, naming
from tasks.spec import Report, Represented, silent

SettingsT = TypeVar("SettingsT", bound=TaskSettings)
Clips = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""All training clips, prepared as for inference, with their classes, in blocks."""


class TaskAdapter(ABC, Generic[SettingsT]):
    """A task's view of a data set.

    Args:
        settings: resolved settings.
        store: the data set.
        report: called with messages about dropped samples.

    Attributes:
        settings: resolved settings.
        store: all samples of the data set that are long enough.
        dropped: how much was dropped, by reason.
        clip_input: turns stored clips into network input.
        initial: the weights of another run with which the training began, once it has.

    Raises:
        ValueError: no sample is long enough, or the data do not fit the task.
    """

    def __init__(self, settings: SettingsT, store: Store, report: Report = silent) -> None:
        self.settings = settings
        self.store = self.prepared(settings, store, report)
        self.dropped = {"short": len(store) - len(self.store)}
        self.clip_input = ClipInput(settings.clip, store.layout, store.info.channels)
        self.clip_input.require_people(store)
        self.initial: InitialWeights | None = None

    @classmethod
    def prepared(cls, settings: SettingsT, store: Store, report: Report = silent) -> Store:
        """Select the samples of a data set that a run with these settings uses.

        Raises:
            ValueError: there are none.
        """
        return without_short(store, settings.data.min_frames, report)

    @classmethod
    def whole(cls, settings: SettingsT, samples: Store) -> Store:
        """The clips to embed for samples of other data; by default each sample as it is."""
        del settings
        return samples

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes of the classifier."""

    @abstractmethod
    def training_samples(self) -> tuple[Store, Rows]:
        """The N training samples and their classes (N,) int64."""

    @abstractmethod
    def test_samples(self) -> Store:
        """The test samples."""

    def test_recordings(self) -> Store:
        """The recordings of which `whole` makes the test samples; by default these themselves."""
        return self.test_samples()

    def validation_samples(self) -> Store:
        """The validation samples, which are neither trained on nor tested; by default none."""
        return self.store.select(np.empty(0, dtype=np.int64))

    def represent(
        self, network: SkeletonNetwork, samples: Store, report: Report = silent
    ) -> Represented:
        """The network's output on test samples, for the task's judge; by default embeddings."""
        return self.embeddings(network, samples, report)

    def embeddings(
        self, network: SkeletonNetwork, samples: Store, report: Report = silent
    ) -> Embeddings:
        """Embed samples, with their labels."""
        report(f"embedding {len(samples)} sequences")
        with counting(report, "embedding") as progress:
            vectors = embed(network, samples, self.clip_input, self.settings.embed, progress)
        return self.labelled(self.settings, vectors, samples)

    @classmethod
    def labelled(
        cls, settings: SettingsT, vectors: npt.NDArray[np.float32], samples: Store
    ) -> Embeddings:
        """Vectors (N, D) with the labels of their samples, as the task's protocol names them."""
        del settings
        return labelled(vectors, samples)

    def save_more(self, network: SkeletonNetwork, run: Path) -> None:
        """Save more of a tested run in its folder, such as what a figure needs; by default nothing.

        Args:
            network: trained.
            run: the run's folder, with the checkpoint.
        """

    def floor(self) -> Embeddings | None:
        """A simple baseline's embeddings of the test samples; by default None."""
        return None

    def train_settings(self) -> TrainSettings:
        """Settings of the training loop; a task may change them, such as `keep_best`."""
        return self.settings.train

    def check_start(self) -> None:
        """Check what a new training begins with, before its folder is made.

        Raises:
            ValueError: `init_from` is not a finished run, or does not fit the settings or the data.
        """
        if self.settings.start is not None:
            with naming(f"init_from={self.settings.start}"):
                run = Path(self.settings.start)
                require_start(run, self.settings, self.store, self.clip_input)

    def learn_joints(self) -> tuple[tuple[float, ...], ...] | None:
        """Learn the distances of the training people's joints, if missing ones are estimated.

        Returns:
            (V, V), as plain values, for `RunInfo`.
        """
        clips = self.clip_input
        if self.settings.clip.missing == "zero":
            return None
        if clips.distances is None:
            store, _ = self.training_samples()
            recordings = (store.clip(row) for row in range(len(store)))
            clips.distances = joint_distances(recordings, clips.dims)
        return tuple(map(tuple, clips.distances.tolist()))

    def make_task(self, network: SkeletonNetwork, generator: torch.Generator) -> Trainable:
        """The network with its objective (see `trainable`)."""
        settings, method = self.settings, self.settings.unlabelled
        if method is not None:
            method = method.for_clips(len(self.training_samples()[0]))
            return build_pretraining(method, network, self.clip_input, settings.train, generator)
        objective = settings.objective.for_data(class_count(self), len(self.training_samples()[0]))
        settings = settings.model_copy(update={"objective": objective})
        return self.trainable(settings, network, self.clip_input, generator, self.training_clips)

    @classmethod
    def trainable(
        cls,
        settings: SettingsT,
        network: SkeletonNetwork,
        clip_input: ClipInput,
        generator: torch.Generator,
        clips: Clips,
    ) -> Trainable:
        """Combine a network with its objective; by default that of the settings.

        Args:
            settings: resolved settings.
            network: the untrained network.
            clip_input: prepares clips.
            generator: source of the objective's initial weights.
            clips: the training clips, for an objective that needs all of them.

        Raises:
            ValueError: the objective contrasts what the encoder has not.
        """
        del clips
        if settings.unlabelled is not None:
            method, train = settings.unlabelled, settings.train
            return build_pretraining(method, network, clip_input, train, generator)
        start = settings.objective.first_epoch(settings.train.epochs)
        objective = build_objective(
            settings.objective.model_copy(update={"start_epoch": start}),
            settings.network.encoder,
            network,
            settings.clip.frames,
            generator,
        )
        return TrainingTask(network, objective, clip_input.augmented)

    def training_clips(self) -> Iterable[tuple[Tensor, Tensor]]:
        """All training clips, prepared as for inference, with their classes, in blocks."""
        return self.clips_of(*self.training_samples())

    def clips_of(self, store: Store, labels: Rows) -> Iterator[tuple[Tensor, Tensor]]:
        """The first clip of each of N samples as in inference, with their classes, in blocks."""
        size, clip = self.settings.embed.batch_size, self.settings.clip
        for first in range(0, len(store), size):
            rows = np.arange(first, min(first + size, len(store)), dtype=np.int64)
            frames = windows_at_phase(store.lengths[rows], clip.frames, 0.0, clip.step)
            clips = self.clip_input.prepare(self.clip_input.stored(store, rows, frames))
            yield clips, torch.from_numpy(labels[rows])

    @abstractmethod
    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Validation metrics; empty without validation samples."""

    def watch(self, network: SkeletonNetwork, epoch: int) -> dict[str, float]:
        """Called after an epoch (1-based); a study may also save what it needs."""
        del epoch
        return self.validate(network)

    def counts(self) -> dict[str, int]:
        """Number of training, test and dropped samples."""
        return {
            "train": len(self.training_samples()[0]),
            "test": len(self.test_samples()),
            **self.left_out(),
        }

    def left_out(self) -> dict[str, int]:
        """What the adapter and the reader dropped, as counts of a record."""
        own = {f"dropped_{reason}": count for reason, count in self.dropped.items()}
        return {**own, **dropped_counts(self.store.info)}

    def notes(self) -> tuple[str, ...]:
        """Sentences for the record on how the data were divided; by default none."""
        return ()

    def describe(self) -> str:
        """The training and test samples in one sentence."""
        counts = self.counts()
        return f"{self.store.info.name}: {counts['train']} training, {counts['test']} test samples"

    def tested_how(self) -> str:
        """How the test is done, for the record's rule; empty if the judge names the rule."""
        return ""

    def testing(self) -> str:
        """Progress message before the test; empty if `represent` reports its own."""
        return ""


def class_count(adapter: TaskAdapter[Any]) -> int:
    """Number of classes of the classifier, counting each body variant as a class."""
    return len(adapter.classes) * adapter.clip_input.bodies.count


def require_room(adapter: TaskAdapter[Any]) -> None:
    """Refuse training batches that do not fit into memory.

    Raises:
        ValueError: the memory does not suffice.
    """
    settings, chosen = adapter.settings, adapter.settings.sampler
    if chosen.kind == "shuffle":
        samples = len(adapter.training_samples()[0]) * adapter.clip_input.bodies.count
        clips = min(chosen.batch_size, samples)
    else:
        people = min(chosen.identities_per_batch, class_count(adapter))
        clips = people * chosen.samples_per_identity
    frames = settings.windows * settings.clip.frames
    adapter.clip_input.require_memory(adapter.store, clips, frames)


def build_source(adapter: TaskAdapter[Any]) -> ClipSource:
    """Training batches of an adapter: random clips, grouped by class or shuffled."""
    settings = adapter.settings
    store, labels = adapter.training_samples()
    numbers = adapter.clip_input.bodies.expand(labels)
    chosen, seed = settings.sampler, settings.train.seed
    sampler: Sampler
    if chosen.kind == "shuffle":
        # Batch norm cannot train on one clip: a last batch of one is dropped.
        drop_last = len(numbers) % chosen.batch_size == 1 and len(numbers) > chosen.batch_size
        sampler = ShuffleSampler(len(numbers), chosen.batch_size, seed, drop_last)
    else:
        sampler = IdentitySampler(
            numbers,
            min(chosen.identities_per_batch, class_count(adapter)),
            chosen.samples_per_identity,
            seed,
            chosen.steps_per_epoch,
        )
    return ClipSource(store, labels, sampler, adapter.clip_input, seed, settings.windows)


def run_info(task: str, adapter: TaskAdapter[Any]) -> RunInfo:
    """What a run must remember of its data and its network."""
    info, settings = adapter.store.info, adapter.settings
    model = RunModel(
        network=settings.network,
        clip=settings.clip,
        embed=settings.embed,
        test=getattr(settings, "test", None),
        data=settings.data,
        weights=CHECKPOINT if adapter.train_settings().keep_best is None else BEST,
    )
    return RunInfo(
        task=task,
        classes=adapter.classes,
        layout=adapter.store.layout.to_dict(),
        channels=info.channels,
        unit=info.unit,
        dataset=info.name,
        fingerprint=info.fingerprint,
        synthetic=info.synthetic,
        files=dict(stamps(adapter.store)),
        division=_division(adapter),
        model=model.model_dump(mode="json"),
        trains_classifier=settings.trains_classifier,
        joint_distances=adapter.learn_joints(),
    )


def _division(adapter: TaskAdapter[Any]) -> str:
    """A fingerprint of the training samples' keys and classes, in order."""
    store, labels = adapter.training_samples()
    digest = hashlib.sha256(np.ascontiguousarray(labels).tobytes())
    digest.update("\n".join(store.index["sample"]).encode())
    return digest.hexdigest()


def remarks(adapter: TaskAdapter[Any]) -> Iterator[str]:
    """A warning for each setting that has no effect, or another one than it seems to."""
    settings, people = adapter.settings, class_count(adapter)
    requested = settings.sampler.identities_per_batch
    if settings.sampler.kind == "identities" and requested > people:
        yield (
            f"batches hold {people} people instead of sampler.identities_per_batch={requested}: "
            "there are no more training people"
        )
    method = settings.unlabelled
    if method is not None and method.method == "actclr" and settings.start is None:
        yield (
            "ActCLR begins with random weights, not with those of its first stage: name a run of "
            "aimclr with --init-from"
        )
    if method is not None and method.method == "masked" and method.key_window == "other":
        yield "key_window other has no effect: masked motion prediction sees one window"
    objective, epochs = settings.objective, settings.train.epochs
    # Mistakes are counted from the start epoch on, the loss is applied one epoch later.
    inter_class = settings.trains_objective and objective.inter_weight > 0
    start = objective.first_epoch(epochs)
    if inter_class and start >= epochs:
        yield (
            f"the inter-class loss is never applied: it starts after epoch {start} "
            f"(objective.start_epoch) and training ends at {epochs} (train.epochs); lower the "
            "first, raise the second, or turn the loss off with objective.inter_weight=0"
        )


def train(
    task: str,
    adapter: TaskAdapter[Any],
    run: Path,
    *,
    resume: bool = False,
    fabric: Fabric | None = None,
    report: Report = silent,
) -> tuple[SkeletonNetwork, RunState]:
    """Train an adapter's network and write the run folder, all but the evaluation.

    Args:
        task: name of the task.
        adapter: the task's adapter.
        run: the run's folder (see `start_run_folder`).
        resume: resume from its checkpoint.
        fabric: launched device and ranks; by default made from the settings.
        report: called with warnings about the settings, and a message per epoch.

    Returns:
        The trained network in evaluation mode, and the state at the end of the training.

    Raises:
        ValueError: settings, data and checkpoint do not fit, the data were changed meanwhile, or
            the best epoch should be kept and no evaluation chose one.
        NonFiniteLossError: a loss was not finite; the message names the samples.
        Interrupted: stopped by a signal; the message says how to resume.
        OSError: a file cannot be written; the last checkpoint is whole.
    """
    settings = adapter.settings
    info = run_info(task, adapter)
    generator = weight_generator(settings.train.seed)
    network = build_network(settings.network, len(adapter.classes), adapter.clip_input, generator)
    trainable = adapter.make_task(network, generator)
    fabric = fabric or make_fabric(settings.train)
    require_same((info.fingerprint, info.division), f"not every rank finds the same data for {run}")
    reached = reached_epoch(run, settings, info) if resume else None
    if reached is not None:
        adapter.initial = _initial_of(run)
    elif settings.start is not None:
        with naming(f"init_from={settings.start}"):
            adapter.initial = fill_start(Path(settings.start), network, trainable)
    info = info.model_copy(update={"initial": adapter.initial})
    if reached is None and fabric.is_global_zero:
        write_run_folder(run, settings, info)
    if resume:
        report(_position(run, reached, settings.train.epochs))
    began, left_out = str(adapter.initial or ""), left_out_of(adapter.counts())
    for sentence in filter(None, (*remarks(adapter), began, left_out)):
        report(sentence)

    def evaluate(module: nn.Module, epoch: int) -> dict[str, float]:
        del module  # the task around `network`
        return adapter.watch(network, epoch)

    result = fit(
        trainable,
        build_source(adapter),
        adapter.train_settings(),
        run,
        evaluate=evaluate,
        resume=resume,
        fabric=fabric,
        report=report,
        recipe=dump_settings(settings),
    )
    if fabric.is_global_zero:
        require_unchanged_meanwhile(adapter.store)
        # Only now is it known that a resumed run was given its own settings.
        write_run_folder(run, settings, info)
    best = adapter.train_settings().keep_best
    if best is not None and fabric.is_global_zero:
        fill_best(run, best, network)
    return network, result


def _initial_of(run: Path) -> InitialWeights | None:
    """What a run that is resumed began with; the run that it came from may be gone."""
    return read_run_info(run).initial if (run / RUN_INFO).is_file() else None


def _position(run: Path, reached: int | None, epochs: int) -> str:
    if reached is None:
        return f"there is no checkpoint in {run} yet: training from the start"
    if reached > epochs:
        return f"the training in {run} has finished its {epochs} epochs; it is only evaluated again"
    return f"resuming at epoch {reached} of {epochs}"
