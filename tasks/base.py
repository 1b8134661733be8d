"""What every task answers, and the training that they share.

A task adapter says which samples train, how they are labelled, how the network is watched and how
it is judged. Everything else (building the network and its objective, the loop, the run folder) is
here, once, so that a further task is one new file with a settings class and an adapter.

A run folder holds `settings.yaml`, `run.json` (classes, layout, data), `log.jsonl`,
`checkpoint.pt`, and what the task adds (gait: `embeddings.npz`, `record.json`).
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from pydantic import ValidationError
from torch import nn

from aclnet.checkpoint import atomic_write, load_checkpoint
from aclnet.config import Settings, dump_settings, load_settings
from aclnet.data.store import Store
from aclnet.engine import CHECKPOINT, FitResult, fit
from aclnet.launch import make_fabric
from aclnet.losses.objective import Objective
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.samplers import IdentitySampler
from aclnet.seeding import derive_seed
from aclnet.skeleton import layout_from_dict
from aclnet.task import TrainingTask
from tasks.clips import ClipInput, ClipSource, Rows
from tasks.settings import TaskSettings

SETTINGS, RUN_INFO = "settings.yaml", "run.json"

Report = Callable[[str], None]
SettingsT = TypeVar("SettingsT", bound=TaskSettings)


class RunInfo(Settings):
    """What a run's network was trained on; needed to use it without the data.

    Attributes:
        task: name of the task.
        classes: K class names, in the classifier's order.
        layout: joint layout of its clips, as plain values.
        channels: channel names of its clips.
        unit: unit of the coordinates.
        dataset: name of the data set.
        fingerprint: of the data set's store.
        synthetic: whether the data were generated.
    """

    task: str
    classes: tuple[str, ...]
    layout: dict[str, Any]
    channels: tuple[str, ...]
    unit: str
    dataset: str
    fingerprint: str
    synthetic: bool

    def require(self, store: Store, run: Path) -> None:
        """Refuse data that the run's network cannot read.

        Raises:
            ValueError: other joints, channels or unit than the network was trained on.
        """
        joints = layout_from_dict(self.layout).joints
        if store.layout.joints != joints or store.info.channels != self.channels:
            raise ValueError(
                f"the data have {store.layout.joint_count} joints ({store.layout.name}) and "
                f"channels {', '.join(store.info.channels)}, but the network of {run} was trained "
                f"on {len(joints)} joints ({self.layout['name']}) and channels "
                f"{', '.join(self.channels)}: convert the data with --map-to {self.layout['name']}"
            )
        if store.info.unit != self.unit:
            raise ValueError(
                f"the data are in unit {store.info.unit}, but the network of {run} was trained on "
                f"unit {self.unit}: convert the data with --unit {self.unit} if that is what "
                "they are"
            )


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
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """K class names: what the classifier tells apart."""

    @abstractmethod
    def training_samples(self) -> tuple[Store, Rows]:
        """The N training samples and their classes (N,) int64."""

    @abstractmethod
    def validate(self, network: SkeletonNetwork) -> dict[str, float]:
        """Figures to watch the training by, on samples that neither train nor test."""


def build_source(adapter: TaskAdapter[Any]) -> ClipSource:
    """Training batches of an adapter: P identities with K samples, random windows."""
    settings = adapter.settings
    store, labels = adapter.training_samples()
    bodies = adapter.clip_input.bodies
    sampler_settings = settings.sampler
    people = len(adapter.classes) * bodies.count
    sampler = IdentitySampler(
        bodies.expand(labels),
        min(sampler_settings.identities_per_batch, people),
        sampler_settings.samples_per_identity,
        settings.train.seed,
        sampler_settings.steps_per_epoch,
    )
    return ClipSource(store, labels, sampler, adapter.clip_input, settings.train.seed)


def build_network(
    settings: TaskSettings, info: RunInfo, clip_input: ClipInput
) -> tuple[SkeletonNetwork, Objective]:
    """The untrained network and its objective; initial weights follow from the run's seed.

    Raises:
        ValueError: the settings do not fit the data, or the objective wants a graph feature of an
            encoder that has none.
    """
    generator = torch.Generator().manual_seed(derive_seed("weights", settings.train.seed))
    class_count = len(info.classes) * clip_input.bodies.count
    encoder = build_encoder(
        settings.network.encoder, clip_input.layout, clip_input.channels, generator
    )
    network = SkeletonNetwork(
        encoder, class_count, settings.network.neck, settings.network.dropout, generator
    )
    feature_dim = encoder.feature_dim
    if settings.objective.feature == "graph":
        if encoder.graph_dim is None:
            raise ValueError(
                f"objective.feature=graph needs an encoder that learns a joint graph, and "
                f"{settings.network.encoder.name} does not: choose affinity_gcn, or set "
                "objective.feature=pooled"
            )
        feature_dim = encoder.graph_dim
    return network, Objective(settings.objective, class_count, feature_dim, generator)


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


def start_run_folder(run: Path, resume: bool, overwrite: bool) -> None:
    """Make a run's folder, or refuse to write over a finished or begun run.

    Raises:
        ValueError: the folder holds a run and neither `resume` nor `overwrite` was given, or it
            holds something else.
    """
    if run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file; name a folder for the run")
    begun = (run / SETTINGS).exists() or (run / CHECKPOINT).exists()
    if begun and overwrite:
        shutil.rmtree(run)
    elif begun and not resume:
        raise ValueError(
            f"{run} holds a run already: go on with --resume, begin anew with --overwrite, or name "
            "another folder with --run"
        )
    elif run.exists() and not begun and any(run.iterdir()):
        raise ValueError(f"{run} is not empty and holds no run; name another folder with --run")
    run.mkdir(parents=True, exist_ok=True)


def train(
    adapter: TaskAdapter[Any],
    run: Path,
    *,
    resume: bool = False,
    report: Report | None = None,
) -> tuple[SkeletonNetwork, FitResult]:
    """Train an adapter's network and leave the run folder complete but for the evaluation.

    Args:
        adapter: the task.
        run: the run's folder (see `start_run_folder`).
        resume: go on from its checkpoint.
        report: takes a sentence an epoch.

    Returns:
        The trained network in evaluation mode, and what the loop says of the run.

    Raises:
        ValueError: settings, data and checkpoint do not fit.
        NonFiniteLossError: a loss was not finite; the message names the samples.
        Interrupted: stopped by Ctrl-C or SIGTERM; the message says how to go on.
    """
    settings = adapter.settings
    info = run_info(adapter)
    network, objective = build_network(settings, info, adapter.clip_input)
    task = TrainingTask(network, objective, adapter.clip_input.augmented)
    recipe = dump_settings(settings)
    fabric = make_fabric(settings.train)
    if fabric.is_global_zero:
        for name, text in ((SETTINGS, recipe), (RUN_INFO, info.model_dump_json(indent=2) + "\n")):
            with atomic_write(run / name) as draft:
                draft.write_text(text, encoding="utf-8")

    def evaluate(module: nn.Module, epoch: int) -> dict[str, float]:
        del module, epoch  # the network inside is the one at hand
        return adapter.validate(network)

    result = fit(
        task,
        build_source(adapter),
        settings.train,
        run,
        evaluate=evaluate,
        resume=resume,
        fabric=fabric,
        report=report,
        recipe=recipe,
    )
    return network, result


def load_run(
    run: Path, settings_class: type[SettingsT]
) -> tuple[SettingsT, RunInfo, SkeletonNetwork, ClipInput]:
    """A trained run: its settings, what it was trained on, its network, its input.

    Raises:
        ValueError: the folder is no run, has no checkpoint yet, or its parts do not fit.
    """
    if not (run / SETTINGS).is_file() or not (run / RUN_INFO).is_file():
        raise ValueError(
            f"{run} is not a run: it has no {SETTINGS} and {RUN_INFO}; give the folder that "
            "`aclnet-task gait train` wrote"
        )
    settings = load_settings(settings_class, run / SETTINGS)
    try:
        info = RunInfo.model_validate_json((run / RUN_INFO).read_text("utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise ValueError(f"{run / RUN_INFO} is damaged: {place}: {first['msg']}") from None
    layout = layout_from_dict(info.layout, f"{run / RUN_INFO}: layout")
    clip_input = ClipInput(settings.clip, layout, info.channels)
    network, objective = build_network(settings, info, clip_input)
    task = TrainingTask(network, objective)
    checkpoint = load_checkpoint(run / CHECKPOINT)
    try:
        task.load_state_dict(checkpoint["task"])
    except (KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{run / CHECKPOINT} does not fit {run / SETTINGS}: {reason}") from None
    return settings, info, network.eval(), clip_input


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
