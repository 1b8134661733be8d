"""Training that begins with another run's weights: `init_from` in the settings."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from aclnet.clips.input import ClipInput
from aclnet.config import load_settings
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.pretraining.embedder import Projector
from aclnet.pretraining.masked import MaskedMotion
from aclnet.pretraining.objective import ViewObjective
from aclnet.runs.finished import require_finished
from aclnet.runs.info import SETTINGS, InitialWeights, RunInfo, read_run_info, read_run_model
from aclnet.runs.networks import (
    fill_part,
    require_best,
    weight_generator,
    weights_fingerprint,
)
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import BEST
from aclnet.training.settings import RESUMABLE
from aclnet.training.task import Trainable
from tasks.run.resume import differences
from tasks.settings import TaskSettings
from tasks.spec import find_task

ENCODER = "network.encoder"
"""The part of a checkpoint that every run has, with the norm of its input."""

PROJECTOR = "objective.online.projector"
"""The part of the checkpoint of both stages of ActCLR that a later stage begins with too."""


def require_start(run: Path, settings: TaskSettings, store: Store, clip_input: ClipInput) -> None:
    """Refuse a run whose encoder a training with these settings and data cannot begin with.

    Encoders are the same if all their settings are, but for those of dropout.

    Args:
        run: the run to begin with.
        settings: of the new training.
        store: data of the new training.
        clip_input: prepares its clips.

    Raises:
        ValueError: it is not a finished run, it has no weights, or it has another encoder, other
            streams, joints, channels or another unit; or the new training has no labels, and it
            had them, or lacks the projection.
    """
    require_finished(run)
    info, model = read_run_info(run), read_run_model(run)
    if model.weights == BEST:
        require_best(run)
    before, now = (one.encoder.model_dump(mode="json") for one in (model.network, settings.network))
    changed = [
        (f"{ENCODER}.{name}", old, new)
        for name, old, new in differences(before, now)
        if not name.startswith("dropout")
    ]
    streams, own = list(model.clip.streams), list(settings.clip.streams)
    if streams != own:
        changed.append(("clip.streams", streams, own))
    if changed:
        # Of another encoder the other settings say nothing.
        named = [one for one in changed if one[0] == f"{ENCODER}.name"] or changed
        shown = ", ".join(f"{place} = {old!r} (here {new!r})" for place, old, new in named)
        raise ValueError(
            f"it was trained with {shown}: set these as in {run / SETTINGS}, or begin with another "
            "run"
        )
    info.require(store, run)
    encoder = build_encoder(
        settings.network.encoder, clip_input.layout, clip_input.channels, weight_generator(0)
    )
    fill_part(run / model.weights, encoder, ENCODER)
    if settings.unlabelled is None:
        return
    if _settings_of(run).unlabelled is None:
        raise ValueError(f"{run} was trained with labels: give a run of pre-training without them")
    if contrast := settings.unlabelled.contrast:
        projector = Projector(encoder.feature_dim, contrast.projection_dim)
        fill_part(run / model.weights, projector, PROJECTOR)


def fill_start(run: Path, network: SkeletonNetwork, trainable: Trainable) -> InitialWeights:
    """Begin a training with the encoder of a run, without labels also with its other parts.

    Args:
        run: the run to begin with.
        network: to be trained.
        trainable: the network with its objective.

    Returns:
        What was loaded and what was left.

    Raises:
        ValueError: the run cannot be read, or its parts are of other modules.
    """
    parts: dict[str, nn.Module] = {ENCODER: network.encoder}
    objective = getattr(trainable, "objective", None)
    if isinstance(objective, ViewObjective):
        parts[PROJECTOR] = objective.online.projector
    elif isinstance(objective, MaskedMotion):
        parts["objective"] = objective
    found = fill_from(run, parts)
    if isinstance(objective, ViewObjective):
        objective.slow.network.load_state_dict(objective.online.state_dict())
    return found


def fill_from(run: Path, parts: Mapping[str, nn.Module]) -> InitialWeights:
    """Load parts of a run's checkpoint, that of the tested epoch.

    Args:
        run: the run to begin with.
        parts: modules to fill, by their names in the checkpoint.

    Returns:
        What was loaded and what was left.

    Raises:
        ValueError: the run cannot be read, or its parts are of other modules.
    """
    info, model = read_run_info(run), read_run_model(run)
    path = run / model.weights
    for name, module in parts.items():
        fill_part(path, module, name)
    saved, starts = load_checkpoint(path)["task"], tuple(f"{part}." for part in parts)
    loaded = {name: tensor for name, tensor in saved.items() if name.startswith(starts)}
    left = Counter(".".join(name.split(".")[:2]) for name in sorted(saved) if name not in loaded)
    settings = _settings_of(run)
    return InitialWeights(
        run=str(run),
        task=info.task,
        objective=settings.objective_name,
        fingerprint=weights_fingerprint(loaded),
        recipe=_recipe(settings, info),
        loaded=len(loaded),
        left=dict(left),
    )


def _settings_of(run: Path) -> TaskSettings:
    return load_settings(find_task(read_run_info(run).task).settings, run / SETTINGS)


def _recipe(settings: TaskSettings, info: RunInfo) -> str:
    """What the seeds of a training have in common; those of the training before it included."""
    places: dict[str, Any] = {
        "data": {"path"},
        "init_from": True,
        "train": {"seed", *RESUMABLE},
    }
    common = settings.model_dump(mode="json", exclude=places, exclude_none=True)
    before = "" if info.initial is None else info.initial.recipe
    text = json.dumps([info.dataset, common, before], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
