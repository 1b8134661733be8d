"""A run's network and objective: built from its settings, filled from its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from aclnet.clips.input import ClipInput
from aclnet.config import load_settings
from aclnet.losses.objective import Objective
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.seeding import derive_seed
from aclnet.skeleton import layout_from_dict
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import BEST, CHECKPOINT
from aclnet.training.state import load_weights
from tasks.run.folder import RUN_INFO, SETTINGS, RunInfo, read_run_info, require_run
from tasks.settings import TaskSettings

SettingsT = TypeVar("SettingsT", bound=TaskSettings)


def build_network(
    settings: TaskSettings, info: RunInfo, clip_input: ClipInput, generator: torch.Generator
) -> SkeletonNetwork:
    """The untrained network.

    Args:
        settings: of the encoder, the neck and the dropout.
        info: the classes.
        clip_input: joints and channels of the clips, bodies of each class.
        generator: source of the initial weights (see `weight_generator`).

    Raises:
        ValueError: the settings do not fit the data.
    """
    encoder = build_encoder(
        settings.network.encoder, clip_input.layout, clip_input.channels, generator
    )
    classes = len(info.classes) * clip_input.bodies.count
    network = settings.network
    return SkeletonNetwork(encoder, classes, network.neck, network.dropout, generator)


def build_objective(
    settings: TaskSettings, network: SkeletonNetwork, generator: torch.Generator
) -> Objective:
    """The objective for a network.

    Raises:
        ValueError: the objective wants a graph feature of an encoder that has none.
    """
    encoder, feature_dim = network.encoder, network.classifier.in_features
    if settings.objective.feature == "graph":
        graph_dim = encoder.graph_dim
        if not isinstance(graph_dim, int):
            raise ValueError(
                f"objective.feature=graph needs an encoder that learns a joint graph, and "
                f"{settings.network.encoder.name} does not: choose affinity_gcn, or set "
                "objective.feature=pooled"
            )
        feature_dim = graph_dim
    return Objective(settings.objective, network.classifier.out_features, feature_dim, generator)


def weight_generator(seed: int) -> torch.Generator:
    """The source of all initial weights of a run: first the network's, then the objective's."""
    return torch.Generator().manual_seed(derive_seed("weights", seed))


def fill_part(path: Path, module: nn.Module, part: str = "network") -> None:
    """Fill a network, or an objective, with its weights and state in a checkpoint.

    Args:
        path: the checkpoint.
        module: what to fill.
        part: "network" or "objective".

    Raises:
        ValueError: the file is damaged, or its weights are of another model.
    """
    saved = load_checkpoint(path).get("task", {})
    start = f"{part}."
    own = {name[len(start) :]: value for name, value in saved.items() if name.startswith(start)}
    load_weights(module, own, path)


def fill_best(run: Path, metric: str, network: SkeletonNetwork) -> None:
    """Give a network the weights of its run's best epoch, and put it into evaluation mode.

    Args:
        run: the run's folder, its training ended.
        metric: by which the best epoch was to be found.
        network: what to fill.

    Raises:
        ValueError: no evaluation of the training named a best epoch, or its file is damaged.
    """
    if not (run / BEST).is_file():
        raise ValueError(
            f"{run} has ended without a best epoch ({BEST}), as no evaluation gave a number for "
            f"{metric}: hold somebody out who validates and train again, or test the last epoch "
            "(select=last, or train.keep_best=null) with --resume"
        )
    fill_part(run / BEST, network)
    network.eval()


def load_run(
    run: Path, settings_class: type[SettingsT], *, best: bool = False
) -> tuple[SettingsT, RunInfo, SkeletonNetwork, ClipInput]:
    """A trained run: its settings, what it was trained on, its network, its input.

    Args:
        run: the run's folder.
        settings_class: the task's settings.
        best: take the weights of the epoch that was best in validation, not the last epoch's.

    Raises:
        ValueError: the folder is no run, has no checkpoint yet, or its parts do not fit.
    """
    require_run(run)
    settings = load_settings(settings_class, run / SETTINGS)
    info = read_run_info(run)
    layout = layout_from_dict(info.layout, f"{run / RUN_INFO}: layout")
    clip_input = ClipInput(settings.clip, layout, info.channels)
    network = build_network(settings, info, clip_input, weight_generator(settings.train.seed))
    try:
        fill_part(run / (BEST if best else CHECKPOINT), network)
    except ValueError as error:
        raise ValueError(f"{error}; was {run / SETTINGS} or {RUN_INFO} edited?") from None
    return settings, info, network.eval(), clip_input
