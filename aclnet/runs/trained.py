"""Networks of torch with trained weights: those of runs, and exported weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.models import SkeletonNetwork
from aclnet.runs.exported import Exported
from aclnet.runs.inference import InferenceNetwork, TorchPredictor
from aclnet.runs.info import RUN_INFO, SETTINGS, RunInfo, RunModel
from aclnet.runs.networks import build_network, fill_part, require_best, weight_generator
from aclnet.skeleton import layout_from_dict
from aclnet.training.engine import BEST
from aclnet.training.state import load_weights


def open_run_network(
    folder: Path, info: RunInfo, settings: RunModel, device: str
) -> TorchPredictor:
    """The network of a run.

    Args:
        folder: the run's.
        info: what it was trained on.
        settings: what its network needs.
        device: where to compute, as torch names it.

    Raises:
        ValueError: it has no weights, they do not fit, or there is no such device.
    """
    network, clip_input = _untrained(info, settings, folder / RUN_INFO)
    if settings.weights == BEST:
        require_best(folder)
    try:
        fill_part(folder / settings.weights, network)
    except ValueError as error:
        raise ValueError(f"{error}; was {folder / SETTINGS} or {RUN_INFO} edited?") from None
    return _placed(network, clip_input, settings, device)


def open_weights(exported: Exported, content: bytes, file: Path, device: str) -> TorchPredictor:
    """The network of exported weights; arguments and errors as of `open_exported`."""
    settings = exported.model
    network, clip_input = _untrained(exported.run, settings, file)
    if exported.kind == "torch":
        fill_part(file, network)
    else:
        load_weights(network, _safetensors(content, file), file)
    return _placed(network, clip_input, settings, device)


def _untrained(
    info: RunInfo, settings: RunModel, source: Path
) -> tuple[SkeletonNetwork, ClipInput]:
    layout = layout_from_dict(info.layout, f"{source}: layout")
    clip_input = ClipInput(settings.clip, layout, info.channels, info.distances)
    # Any generator: the weights are loaded.
    generator = weight_generator(0)
    return build_network(settings.network, len(info.classes), clip_input, generator), clip_input


def _placed(
    network: SkeletonNetwork, clip_input: ClipInput, settings: RunModel, device: str
) -> TorchPredictor:
    try:
        placed = network.eval().to(torch.device(device))
    except (RuntimeError, AssertionError) as error:  # the latter of a torch built without CUDA
        raise ValueError(f"device {device!r} cannot be used: {error}") from None
    compared = settings.embed if settings.test is None else None
    return TorchPredictor(InferenceNetwork(placed, clip_input, compared))


def _safetensors(content: bytes, source: Path) -> Mapping[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{source}: not a whole safetensors file ({error})") from None
    return tensors
