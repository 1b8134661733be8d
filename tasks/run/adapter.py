"""What every task answers, and the training that they share.

A task adapter says which samples train, how they are labelled, how the network is watched and how
it is judged. Everything else (the loop, the run folder; `tasks.run.networks`: the network and its
objective) is shared, so that a further task is one new file with a settings class and an adapter.

A run folder (`tasks.run.folder`) holds `settings.yaml`, `run.json` (classes, layout, data),
`log.jsonl`, `checkpoint.pt`, and what the task adds (gait: `embeddings.npz`, `record.json`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import Rows
from aclnet.config import dump_settings
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.training.engine import FitResult, fit
from aclnet.training.launch import make_fabric
from aclnet.training.samplers import IdentitySampler, Sampler, ShuffleSampler
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable, TrainingTask
from tasks.run.folder import RunInfo, write_run_folder
from tasks.run.networks import build_network, build_objective, fill_best, weight_generator
from tasks.run.resume import reached_epoch
from tasks.samples.batches import ClipSource
from tasks.settings import TaskSettings

Report = Callable[[str], None]
SettingsT = TypeVar("SettingsT", bound=TaskSettings)


class TaskAdapter(ABC, Generic[SettingsT]):
    """What a task answers.

    Attributes:
        task: its name in commands and results.
        settings: resolved settings.
        store: all samples of the data set that are long enough.
        clip_input: turns stored clips into network input.
    """

    task: str

    def __init__(self, settings: SettingsT, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.clip_input = ClipInput(settings.clip, store.layout, store.info.channels)

    @property
    def trains_objective(self) -> bool:
        """Whether the settings' objective is what trains (see `make_task`)."""
        return True

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """K class names: what the classifier tells apart."""

    @abstractmethod
    def training_samples(self) -> tuple[Store, Rows]:
        """The N training samples and their classes (N,) int64."""

    def train_settings(self) -> TrainSettings:
        """Settings of the training loop; a task may add to them, such as what to keep."""
        return self.settings.train

    def make_task(self, network: SkeletonNetwork, generator: torch.Generator) -> Trainable:
        """The network together with what it is trained by; here the settings' objective.

        Args:
            network: the untrained network.
            generator: source of the objective's initial weights.

        Raises:
            ValueError: the objective wants a graph feature of an encoder that has none.
        """
        objective = build_objective(self.settings, network, generator)
        return TrainingTask(network, objective, self.clip_input.augmented)

    @abstractmethod
    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Figures to watch the training by, on samples that neither train nor test."""

    def watch(self, network: SkeletonNetwork, epoch: int) -> dict[str, float]:
        """Look at the network after an epoch (1-based); a study may keep more than figures."""
        del epoch
        return self.validate(network)


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


def run_info(adapter: TaskAdapter[Any]) -> RunInfo:
    """What the run of an adapter must remember of its data."""
    info = adapter.store.info
    return RunInfo(
        task=adapter.task,
        classes=adapter.classes,
        layout=adapter.store.layout.to_dict(),
        channels=info.channels,
        unit=info.unit,
        dataset=info.name,
        fingerprint=info.fingerprint,
        synthetic=info.synthetic,
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
    acts = adapter.trains_objective and objective.inter_weight > 0
    if acts and objective.start_epoch >= epochs:
        yield (
            f"the inter-class term never acts: it begins after epoch {objective.start_epoch} "
            f"(objective.start_epoch) and there are {epochs} (train.epochs); lower the one, raise "
            "the other, or leave the term out with objective.inter_weight=0"
        )


def train(
    adapter: TaskAdapter[Any],
    run: Path,
    *,
    resume: bool = False,
    fabric: Fabric | None = None,
    report: Report | None = None,
) -> tuple[SkeletonNetwork, FitResult]:
    """Train an adapter's network and leave the run folder complete but for the evaluation.

    Args:
        adapter: the task.
        run: the run's folder (see `start_run_folder`).
        resume: go on from its checkpoint.
        fabric: launched device and ranks; by default made from the settings.
        report: takes remarks on the settings, and a sentence an epoch.

    Returns:
        The trained network in evaluation mode, and what the loop says of the run.

    Raises:
        ValueError: settings, data and checkpoint do not fit, or the best epoch shall be kept and
            no evaluation named one.
        NonFiniteLossError: a loss was not finite; the message names the samples.
        Interrupted: stopped by Ctrl-C or SIGTERM; the message says how to go on.
    """
    settings = adapter.settings
    info = run_info(adapter)
    generator = weight_generator(settings.train.seed)
    network = build_network(settings, info, adapter.clip_input, generator)
    task = adapter.make_task(network, generator)
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
        task,
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


def label_rows(names: np.ndarray[Any, Any], classes: tuple[str, ...]) -> Rows:
    """Class numbers (N,) int64 of class names.

    Raises:
        ValueError: a name is not among the classes.
    """
    places = {name: place for place, name in enumerate(classes)}
    unknown = sorted(set(names.tolist()) - set(places))
    if unknown:
        raise ValueError(f"class {unknown[0]!r} is not among the {len(classes)} training classes")
    return np.array([places[name] for name in names.tolist()], dtype=np.int64)
