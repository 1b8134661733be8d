"""Recordings of any length to one embedding each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from aclnet.clips.input import ClipInput
from aclnet.clips.windows import centre_windows, sliding_windows
from aclnet.config import Settings
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork


class EmbedSettings(Settings):
    """How a recording of any length becomes one embedding.

    Attributes:
        windows: "all": every window, `stride` frames apart, unit embeddings averaged; "centre": the
            middle window alone, as GaitGraph does.
        stride: frames between windows.
        mirror: average with the mirror image. GaitGraph's test-time flip reverses an axis of
            length 1 and changes nothing; this one does.
        feature: "embedding" after the network's neck, "pooled" before it, or "posterior": the
            square roots of the class probabilities, so that the cosine of two samples is the
            Bhattacharyya coefficient of what the classifier says of them. Only where the tested
            people are those who trained does the last one make sense.
        normalise: give unit embeddings; without it the plain mean, as TranSG compares its features.
        batch_size: clips embedded at once.
    """

    windows: Literal["all", "centre"] = "all"
    stride: int = Field(default=30, ge=1)
    mirror: bool = True
    feature: Literal["embedding", "pooled", "posterior"] = "embedding"
    normalise: bool = True
    batch_size: int = Field(default=256, ge=1)


@torch.no_grad()
def embed(
    network: SkeletonNetwork,
    store: Store,
    clip_input: ClipInput,
    settings: EmbedSettings,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """One embedding a sample: the mean over its windows' embeddings, of unit length if asked for.

    Args:
        network: put into evaluation mode for the call and given back as it was.
        store: the samples to embed.
        clip_input: prepares clips as in training.
        settings: windows, mirror image, feature.
        progress: called with windows done and windows in all.

    Returns:
        (N, D) float32.

    Raises:
        ValueError: there is no sample.
    """
    if not len(store):
        raise ValueError(f"there is nothing to embed: {store.info.name} holds no sample")
    clip = clip_input.settings
    if settings.windows == "centre":
        owner = np.arange(len(store), dtype=np.int64)
        frames = centre_windows(store.lengths, clip.frames, clip.step)
    else:
        owner, frames = sliding_windows(store.lengths, clip.frames, settings.stride, clip.step)
    device = next(network.parameters()).device
    classifier = network.classifier
    posterior = settings.feature == "posterior"
    width = classifier.out_features if posterior else classifier.in_features
    sums = torch.zeros(len(store), width)
    with evaluating(network):
        for first in range(0, len(owner), settings.batch_size):
            part = slice(first, first + settings.batch_size)
            clips = clip_input.stored(store, owner[part], frames[part]).to(device)
            vectors = _feature(network, clip_input.prepare(clips), settings)
            if settings.mirror:
                mirrored = clip_input.prepare_mirrored(clips)
                vectors = (vectors + _feature(network, mirrored, settings)) / 2
            # Added up on the CPU, where the order of the sum does not change from run to run.
            sums.index_add_(0, torch.from_numpy(owner[part]), vectors.cpu())
            if progress is not None:
                progress(min(first + settings.batch_size, len(owner)), len(owner))
    if settings.normalise:
        return functional.normalize(sums, dim=1).numpy()
    counts = torch.from_numpy(np.bincount(owner, minlength=len(store)))
    return (sums / counts[:, None]).numpy()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every module is in its own mode again, after an error too."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _feature(network: SkeletonNetwork, clips: Tensor, settings: EmbedSettings) -> Tensor:
    """What is compared of clips (N, M, T, V, C): (N, D) float32."""
    output = network(clips)
    if settings.feature == "posterior":
        return torch.sqrt(functional.softmax(output.logits.float(), dim=1))
    vectors = output.embedding if settings.feature == "embedding" else output.pooled
    return functional.normalize(vectors.float(), dim=1) if settings.normalise else vectors.float()
