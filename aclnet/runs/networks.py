"""A run's network and objective: built from its settings, loaded from its checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from aclnet.clips.input import ClipInput
from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings, Sizes, StageShape
from aclnet.memory import require_memory
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.encoder import Encoder
from aclnet.models.settings import EncoderSettings, NetworkSettings
from aclnet.seeding import derive_seed
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import BEST
from aclnet.training.state import load_weights

_PARTS = {
    "graph": "that learns a joint graph (affinity_gcn, ctr_gcn)",
    "stages": "of blocks over joints (affinity_gcn, ctr_gcn, st_gcn)",
}


def build_network(
    settings: NetworkSettings, classes: int, clip_input: ClipInput, generator: torch.Generator
) -> SkeletonNetwork:
    """The untrained network.

    Args:
        settings: of the encoder, the neck and the dropout.
        classes: number of classes; each counts once for every variant of a body.
        clip_input: joints and channels of the clips, variants of each body.
        generator: source of the initial weights (see `weight_generator`).

    Raises:
        ValueError: the settings do not fit the data, or the network does not fit into memory.
    """

    def build(source: torch.Generator) -> SkeletonNetwork:
        encoder = build_encoder(settings.encoder, clip_input.layout, clip_input.channels, source)
        count = classes * clip_input.bodies.count
        return SkeletonNetwork(encoder, count, settings.neck, settings.dropout, source)

    try:
        with torch.device("meta"):  # shapes only
            sizes = [4 * weight.numel() for weight in build(weight_generator(0)).parameters()]
    except (RuntimeError, TypeError):  # an encoder of others may need numbers to build itself
        sizes = []
    name = settings.encoder.name
    require_memory(sum(sizes), f"the weights of {name}", "network.encoder's width or blocks")
    return build(generator)


def build_objective(
    settings: ObjectiveSettings,
    encoder: EncoderSettings,
    network: SkeletonNetwork,
    frames: int,
    generator: torch.Generator,
) -> Objective:
    """The objective for a network, whose encoder then keeps what the objective contrasts.

    Args:
        settings: the objective's.
        encoder: the network's, for messages.
        network: to be trained.
        frames: T of the clips.
        generator: source of the objective's initial weights.

    Raises:
        ValueError: the objective wants a graph of an encoder that has none, or its stages.
    """
    inner, name = cast(Encoder, network.encoder), encoder.name
    feature_dim, graph_dim = network.classifier.in_features, inner.graph_dim
    if settings.feature == "graph":
        if graph_dim is None:
            raise ValueError(
                f"objective.feature=graph needs an encoder that learns a joint graph, and {name} "
                "does not: choose affinity_gcn or ctr_gcn, or set objective.feature=pooled"
            )
        feature_dim = graph_dim
    lacking = {"graph": graph_dim is None, "stages": not inner.stage_ends}
    for term in settings.terms:
        for part in sorted(term.needs):
            if lacking[part]:
                raise ValueError(
                    f"objective.terms: {term.name} needs an encoder {_PARTS[part]}, and {name} is "
                    "none: set network.encoder.name to one of these, or leave the term out"
                )
    inner.kept = settings.needs | ({"graph"} if settings.feature == "graph" else set())
    sizes = Sizes(feature_dim, graph_dim or 0, _stage_shapes(inner, frames))
    return Objective(settings, network.classifier.out_features, feature_dim, generator, sizes)


def _stage_shapes(encoder: Encoder, frames: int) -> tuple[StageShape, ...]:
    """Channels, frames and joints of each kept stage, for clips of so many frames."""
    if "stages" not in encoder.kept:
        return ()
    training, like = encoder.training, next(encoder.parameters())
    clip = like.new_zeros(1, 1, frames, encoder.joint_count, encoder.channels)
    with torch.no_grad():
        stages = encoder.eval()(clip).stages
    encoder.train(training)
    return tuple(tuple(stage.shape[1:]) for stage in stages)


def weight_generator(seed: int) -> torch.Generator:
    """The source of all initial weights of a run: first the network's, then the objective's."""
    return torch.Generator().manual_seed(derive_seed("weights", seed))


def fill_part(path: Path, module: nn.Module, part: str = "network") -> None:
    """Load the weights and state of a network, or an objective, from a checkpoint.

    Args:
        path: the checkpoint.
        module: the network or objective.
        part: "network" or "objective".

    Raises:
        ValueError: the file is damaged, or its weights are of another model.
    """
    saved = load_checkpoint(path).get("task", {})
    start = f"{part}."
    own = {name[len(start) :]: value for name, value in saved.items() if name.startswith(start)}
    load_weights(module, own, path)


def weights_fingerprint(tensors: Mapping[str, Tensor], about: str = "") -> str:
    """SHA-256 of a text, and of tensors with names, types and shapes in the order of the names."""
    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def require_best(run: Path, why: str = "") -> None:
    """Refuse a run that is to be tested at its best epoch and has none.

    Args:
        run: the run's folder.
        why: the reason, if it is known.

    Raises:
        ValueError: there is no best epoch.
    """
    if not (run / BEST).is_file():
        raise ValueError(
            f"{run} has no best epoch ({BEST}){why}: hold people out for validation and train "
            "again, or test the last epoch (select=last, or train.keep_best=null) with --resume"
        )


def fill_best(run: Path, metric: str, network: SkeletonNetwork) -> None:
    """Load the weights of a run's best epoch, and put the network into evaluation mode.

    Args:
        run: the run's folder, after training.
        metric: that decides which epoch is the best.
        network: to be loaded.

    Raises:
        ValueError: no evaluation found a best epoch, or its file is damaged.
    """
    require_best(run, f", as no evaluation gave a number for {metric}")
    fill_part(run / BEST, network)
    network.eval()
