"""What every task answers, and the training that they share.

A task adapter says which samples train, how they are labelled, how the network is watched, and
what it says of the test samples. Everything else (the loop, the run folder; `aclnet.runs`: the
network and its objective) is shared.

A run folder (`tasks.run.folder`) holds `settings.yaml`, `run.json` (classes, layout, data, what
the network needs), `log.jsonl`, `checkpoint.pt`, what the network says of the test samples
(`embeddings.npz`, `scores.npz`) and `record.json`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import Rows
from aclnet.clips.windows import windows_at_phase
from aclnet.config import dump_settings
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import embed
from aclnet.runs.info import RunInfo, RunModel
from aclnet.runs.networks import build_network, build_objective, fill_best, weight_generator
from aclnet.training.engine import BEST, CHECKPOINT, fit
from aclnet.training.launch import make_fabric
from aclnet.training.samplers import IdentitySampler, Sampler, ShuffleSampler
from aclnet.training.settings import TrainSettings
from aclnet.training.state import RunState
from aclnet.training.task import Trainable, TrainingTask
from protocols.embeddings import Embeddings
from tasks.run.folder import write_run_folder
from tasks.run.resume import reached_epoch
from tasks.samples.batches import ClipSource
from tasks.samples.labels import labelled
from tasks.samples.open import dropped_counts, without_short
from tasks.settings import TaskSettings
from tasks.spec import Represented

Report = Callable[[str], None]
SettingsT = TypeVar("SettingsT", bound=TaskSettings)
Clips = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""All training clips as in inference, with their classes, in blocks."""


class TaskAdapter(ABC, Generic[SettingsT]):
    """What a task answers of a data set.

    Args:
        settings: resolved settings.
        store: the data set.
        report: takes sentences about what is left out.

    Attributes:
        settings: resolved settings.
        store: all samples of the data set that are long enough.
        dropped: how much was left out, by reason.
        clip_input: turns stored clips into network input.

    Raises:
        ValueError: no sample is long enough; or what a task finds wrong with the data.
    """

    def __init__(self, settings: SettingsT, store: Store, report: Report | None = None) -> None:
        self.settings = settings
        self.store = self.prepared(settings, store, report)
        self.dropped = {"short": len(store) - len(self.store)}
        self.clip_input = ClipInput(settings.clip, store.layout, store.info.channels)

    @classmethod
    def prepared(cls, settings: SettingsT, store: Store, report: Report | None = None) -> Store:
        """The samples of a data set that a run with these settings looks at.

        Raises:
            ValueError: there is none.
        """
        return without_short(store, settings.data.min_frames, report)

    @classmethod
    def whole(cls, settings: SettingsT, samples: Store) -> Store:
        """What is embedded of samples that are no training data: here each sample as it is."""
        del settings
        return samples

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """K class names: what the classifier tells apart."""

    @abstractmethod
    def training_samples(self) -> tuple[Store, Rows]:
        """The N training samples and their classes (N,) int64."""

    @abstractmethod
    def test_samples(self) -> Store:
        """What is tested."""

    def validation_samples(self) -> Store:
        """What watches the training and is not tested; here nothing."""
        return self.store.select(np.empty(0, dtype=np.int64))

    def represent(self, network: SkeletonNetwork, report: Report | None = None) -> Represented:
        """What the network says of the test samples, for the task's judge; here embeddings."""
        return self.embeddings(network, self.test_samples(), report)

    def embeddings(
        self, network: SkeletonNetwork, samples: Store, report: Report | None = None
    ) -> Embeddings:
        """Embed samples and keep their labels beside the vectors."""
        if report is not None:
            report(f"embedding {len(samples)} sequences")
        vectors = embed(network, samples, self.clip_input, self.settings.embed)
        return self.labelled(self.settings, vectors, samples)

    @classmethod
    def labelled(cls, settings: SettingsT, vectors: Any, samples: Store) -> Embeddings:
        """Vectors (N, D) with the labels of their samples, as the task's protocol names them."""
        del settings
        return labelled(vectors, samples)

    def floor(self) -> Embeddings | None:
        """What a learned embedding must beat, of the test samples; None where there is nothing."""
        return None

    def train_settings(self) -> TrainSettings:
        """Settings of the training loop; a task may add to them, such as what to keep."""
        return self.settings.train

    def make_task(self, network: SkeletonNetwork, generator: torch.Generator) -> Trainable:
        """The network together with what it is trained by (see `trainable`)."""
        return self.trainable(
            self.settings, network, self.clip_input, generator, self.training_clips
        )

    @classmethod
    def trainable(
        cls,
        settings: SettingsT,
        network: SkeletonNetwork,
        clip_input: ClipInput,
        generator: torch.Generator,
        clips: Clips,
    ) -> Trainable:
        """A network together with what it is trained by; here the settings' objective.

        Args:
            settings: resolved settings.
            network: the untrained network.
            clip_input: prepares clips.
            generator: source of the objective's initial weights.
            clips: the training clips, for an objective that looks at all of them.

        Raises:
            ValueError: the objective wants a graph feature of an encoder that has none.
        """
        del clips
        objective = build_objective(
            settings.objective, settings.network.encoder, network, generator
        )
        return TrainingTask(network, objective, clip_input.augmented)

    def training_clips(self) -> Iterable[tuple[Tensor, Tensor]]:
        """All training clips as in inference, with their classes, in blocks."""
        return self.clips_of(*self.training_samples())

    def clips_of(self, store: Store, labels: Rows) -> Iterator[tuple[Tensor, Tensor]]:
        """Clips from the beginning of N samples as in inference, with their classes, in blocks."""
        size, clip = self.settings.embed.batch_size, self.settings.clip
        for first in range(0, len(store), size):
            rows = np.arange(first, min(first + size, len(store)), dtype=np.int64)
            frames = windows_at_phase(store.lengths[rows], clip.frames, 0.0, clip.step)
            clips = self.clip_input.prepare(self.clip_input.stored(store, rows, frames))
            yield clips, torch.from_numpy(labels[rows])

    @abstractmethod
    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Figures to watch the training by, on samples that neither train nor test."""

    def watch(self, network: SkeletonNetwork, epoch: int) -> dict[str, float]:
        """Look at the network after an epoch (1-based); a study may keep more than figures."""
        del epoch
        return self.validate(network)

    def counts(self) -> dict[str, int]:
        """Samples of each part, and what was left out."""
        return {
            "train": len(self.training_samples()[0]),
            "test": len(self.test_samples()),
            **self.left_out(),
        }

    def left_out(self) -> dict[str, int]:
        """What the adapter and the reader left out, as counts of a record."""
        own = {f"dropped_{reason}": count for reason, count in self.dropped.items()}
        return {**own, **dropped_counts(self.store.info)}

    def describe(self) -> str:
        """Who trains and who is tested, in a sentence."""
        counts = self.counts()
        return f"{self.store.info.name}: {counts['train']} train, {counts['test']} are tested"

    def tested_how(self) -> str:
        """How the test is made, in words for the record's rule; empty where the judge says it."""
        return ""

    def testing(self) -> str:
        """What is done to the test samples, before it is; empty where `represent` says it."""
        return ""


def class_count(adapter: TaskAdapter[Any]) -> int:
    """Classes that the classifier tells apart: people, times the bodies of each."""
    return len(adapter.classes) * adapter.clip_input.bodies.count


def build_source(adapter: TaskAdapter[Any]) -> ClipSource:
    """Training batches of an adapter: random clips, grouped by class or shuffled."""
    settings = adapter.settings
    store, labels = adapter.training_samples()
    numbers = adapter.clip_input.bodies.expand(labels)
    chosen, seed = settings.sampler, settings.train.seed
    sampler: Sampler
    if chosen.kind == "shuffle":
        # A batch norm cannot train on one clip: a last batch of one is left out.
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
    return ClipSource(store, labels, sampler, adapter.clip_input, seed)


def run_info(task: str, adapter: TaskAdapter[Any]) -> RunInfo:
    """What the run of a task's adapter must remember of its data and of its network."""
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
        model=model.model_dump(mode="json"),
    )


def remarks(adapter: TaskAdapter[Any]) -> Iterator[str]:
    """Settings that do something else than they seem to say, one sentence each."""
    settings, people = adapter.settings, class_count(adapter)
    asked = settings.sampler.identities_per_batch
    if settings.sampler.kind == "identities" and asked > people:
        yield (
            f"a batch holds {people} people and not sampler.identities_per_batch={asked}: there "
            "are no more to train on"
        )
    objective, epochs = settings.objective, settings.train.epochs
    # Mistakes are counted from the start epoch on, the term acts one epoch later.
    acts = settings.trains_objective and objective.inter_weight > 0
    if acts and objective.start_epoch >= epochs:
        yield (
            f"the inter-class term never acts: it begins after epoch {objective.start_epoch} "
            f"(objective.start_epoch) and there are {epochs} (train.epochs); lower the one, raise "
            "the other, or leave the term out with objective.inter_weight=0"
        )


def train(
    task: str,
    adapter: TaskAdapter[Any],
    run: Path,
    *,
    resume: bool = False,
    fabric: Fabric | None = None,
    report: Report | None = None,
) -> tuple[SkeletonNetwork, RunState]:
    """Train an adapter's network and leave the run folder complete but for the evaluation.

    Args:
        task: name of the task.
        adapter: of its data.
        run: the run's folder (see `start_run_folder`).
        resume: go on from its checkpoint.
        fabric: launched device and ranks; by default made from the settings.
        report: takes remarks on the settings, and a sentence an epoch.

    Returns:
        The trained network in evaluation mode, and the state at the end of the training.

    Raises:
        ValueError: settings, data and checkpoint do not fit, or the best epoch shall be kept and
            no evaluation named one.
        NonFiniteLossError: a loss was not finite; the message names the samples.
        Interrupted: stopped by Ctrl-C or SIGTERM; the message says how to go on.
    """
    settings = adapter.settings
    info = run_info(task, adapter)
    generator = weight_generator(settings.train.seed)
    network = build_network(settings.network, len(adapter.classes), adapter.clip_input, generator)
    trainable = adapter.make_task(network, generator)
    fabric = fabric or make_fabric(settings.train)
    begun = reached_epoch(run, settings, info) if resume else None
    if begun is None and fabric.is_global_zero:
        write_run_folder(run, settings, info)
    if report is not None:
        position = _position(run, begun, settings.train.epochs) if resume else ()
        for sentence in (*position, *remarks(adapter)):
            report(sentence)

    def evaluate(module: nn.Module, epoch: int) -> dict[str, float]:
        del module  # the network inside is the one at hand
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
        # Only now is it known that a run that went on was given its own settings.
        write_run_folder(run, settings, info)
    best = adapter.train_settings().keep_best
    if best is not None and fabric.is_global_zero:
        fill_best(run, best, network)
    return network, result


def _position(run: Path, begun: int | None, epochs: int) -> Iterator[str]:
    """Where a run that was asked to go on stands."""
    if begun is None:
        yield f"there is no checkpoint in {run} yet: training begins"
    elif begun > epochs:
        yield f"the training in {run} has ended after {epochs} epochs; it is only evaluated again"
    else:
        yield f"going on in epoch {begun} of {epochs}"
