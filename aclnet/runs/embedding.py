"""One embedding for each recording, of any length."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.clips.input import ClipInput
from aclnet.clips.windows import sliding_windows, windows_at_phase
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.settings import EmbedSettings
from aclnet.runs.turns import in_turns


@torch.no_grad()
def embed(
    network: SkeletonNetwork, store: Store, clip_input: ClipInput, settings: EmbedSettings
) -> npt.NDArray[np.float32]:
    """One embedding a sample: the mean over its windows' embeddings, normalised if set.

    Where all ranks embed (`aclnet.distributed.every_rank`), each embeds a share of the windows, and
    all get all embeddings, equal to the last bit to those of one rank.

    Args:
        network: in evaluation mode during the call.
        store: the samples to embed.
        clip_input: prepares clips as in training.
        settings: windows, mirror image, feature.

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
        frames = windows_at_phase(store.lengths, clip.frames, 0.5, clip.step)
    else:
        owner, frames = sliding_windows(store.lengths, clip.frames, settings.stride, clip.step)
    device = next(network.parameters()).device
    classifier = network.classifier
    posterior = settings.feature == "posterior"
    width = classifier.out_features if posterior else classifier.in_features
    sums = torch.zeros(len(store), width)
    size = settings.batch_size
    blocks = [slice(first, first + size) for first in range(0, len(owner), size)]

    def vectors_of(part: slice) -> tuple[Tensor]:
        clips = clip_input.on_device(store, owner[part], frames[part], device)
        vectors = _feature(network, clip_input.prepare(clips), settings)
        if settings.mirror:
            mirrored = clip_input.prepare_mirrored(clips)
            vectors = (vectors + _feature(network, mirrored, settings)) / 2
        return (vectors,)

    with evaluating(network):
        for part, (vectors,) in in_turns(network, blocks, vectors_of):
            # Summed on the CPU, where the order of the sum is always the same.
            sums.index_add_(0, torch.from_numpy(owner[part]), vectors.cpu())
    if settings.normalise:
        return functional.normalize(sums, dim=1).numpy()
    counts = torch.from_numpy(np.bincount(owner, minlength=len(store)))
    return (sums / counts[:, None]).numpy()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode while entered; every module's mode is restored, also after an error."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _feature(network: SkeletonNetwork, clips: Tensor, settings: EmbedSettings) -> Tensor:
    """The compared feature of clips (N, M, T, V, C): (N, D) float32."""
    output = network(clips)
    if settings.feature == "posterior":
        return torch.sqrt(functional.softmax(output.logits.float(), dim=1))
    vectors = output.embedding if settings.feature == "embedding" else output.pooled
    return functional.normalize(vectors.float(), dim=1) if settings.normalise else vectors.float()
