"""A run's network and objective: built from its settings, filled from its checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from aclnet.clips.input import ClipInput
from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.settings import EncoderSettings, NetworkSettings
from aclnet.seeding import derive_seed
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import BEST
from aclnet.training.state import load_weights


def build_network(
    settings: NetworkSettings, classes: int, clip_input: ClipInput, generator: torch.Generator
) -> SkeletonNetwork:
    """The untrained network.

    Args:
        settings: of the encoder, the neck and the dropout.
        classes: how many; each counts once for every body that the clips know.
        clip_input: joints and channels of the clips, bodies of each class.
        generator: source of the initial weights (see `weight_generator`).

    Raises:
        ValueError: the settings do not fit the data.
    """
    encoder = build_encoder(settings.encoder, clip_input.layout, clip_input.channels, generator)
    count = classes * clip_input.bodies.count
    return SkeletonNetwork(encoder, count, settings.neck, settings.dropout, generator)


def build_objective(
    settings: ObjectiveSettings,
    encoder: EncoderSettings,
    network: SkeletonNetwork,
    generator: torch.Generator,
) -> Objective:
    """The objective for a network.

    Args:
        settings: the objective's.
        encoder: the network's, for messages.
        network: what is trained.
        generator: source of the objective's initial weights.

    Raises:
        ValueError: the objective wants a graph feature of an encoder that has none.
    """
    feature_dim = network.classifier.in_features
    if settings.feature == "graph":
        graph_dim = network.encoder.graph_dim
        if not isinstance(graph_dim, int):
            raise ValueError(
                f"objective.feature=graph needs an encoder that learns a joint graph, and "
                f"{encoder.name} does not: choose affinity_gcn, or set "
                "objective.feature=pooled"
            )
        feature_dim = graph_dim
    return Objective(settings, network.classifier.out_features, feature_dim, generator)


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


def require_best(run: Path, why: str = "") -> None:
    """Refuse a run whose best epoch shall be tested and is not there.

    Args:
        run: the run's folder.
        why: what is known of the reason.

    Raises:
        ValueError: it is not there.
    """
    if not (run / BEST).is_file():
        raise ValueError(
            f"{run} is without a best epoch ({BEST}){why}: hold somebody out who validates and "
            "train again, or test the last epoch (select=last, or train.keep_best=null) with "
            "--resume"
        )


def fill_best(run: Path, metric: str, network: SkeletonNetwork) -> None:
    """Give a network the weights of its run's best epoch, and put it into evaluation mode.

    Args:
        run: the run's folder, its training ended.
        metric: by which the best epoch was to be found.
        network: what to fill.

    Raises:
        ValueError: no evaluation of the training named a best epoch, or its file is damaged.
    """
    require_best(run, f", as no evaluation gave a number for {metric}")
    fill_part(run / BEST, network)
    network.eval()
