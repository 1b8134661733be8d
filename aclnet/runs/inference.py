"""Inference by torch: a network with the preparation of its clips, which is what is exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.clips.input import ClipInput, to_device
from aclnet.clips.settings import Rows
from aclnet.clips.stored import Clips
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.progress import Progress
from aclnet.runs.averages import BlockT, Predictor, Scored, mean_embeddings, mean_scores
from aclnet.runs.settings import EmbedSettings, ScoringSettings
from aclnet.runs.turns import in_turns


class InferenceNetwork(nn.Module):
    """Normalisation, streams, network and compared feature.

    Args:
        network: in evaluation mode when it is used.
        clip_input: prepares clips as in training.
        embed: the compared feature; None: the one before the classifier, as it is.
    """

    def __init__(
        self, network: SkeletonNetwork, clip_input: ClipInput, embed: EmbedSettings | None
    ) -> None:
        super().__init__()
        self.network, self.clips, self.embed = network, clip_input, embed

    def forward(
        self, clips: Tensor, mirrored: Tensor | bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score clips of `StoredClips.for_network`.

        Args:
            clips: N clips.
            mirrored: of which the mirror image is taken, bool (N,); or whether of all.

        Returns:
            Probabilities (N, K), logits (N, K) and the compared feature (N, D), all float32.
        """
        output = self.network(self.clips.prepare(clips, mirrored))
        logits = output.logits.float()
        probabilities = functional.softmax(logits, dim=1)
        if self.embed is None:
            return probabilities, logits, output.embedding.float()
        if self.embed.feature == "posterior":
            return probabilities, logits, torch.sqrt(probabilities)
        feature = output.embedding if self.embed.feature == "embedding" else output.pooled
        feature = feature.float()
        return (
            probabilities,
            logits,
            functional.normalize(feature, dim=1) if self.embed.normalise else feature,
        )


class TorchPredictor:
    """A predictor that runs by torch (see `aclnet.runs.averages.Predictor`).

    Args:
        module: in evaluation mode when it is used.
    """

    def __init__(self, module: InferenceNetwork) -> None:
        self.module, self.clips = module, module.clips

    @torch.no_grad()
    def __call__(self, clips: Clips, mirrored: bool = False) -> Scored:
        """Score clips of `StoredClips.for_network`, or their mirror images."""
        output = self.module(to_device(torch.from_numpy(clips), self._device), mirrored)
        return Scored(*(values.cpu().numpy() for values in output))

    @torch.no_grad()
    def each(
        self, blocks: Sequence[BlockT], clips_of: Callable[[BlockT], Clips], mirror: bool = False
    ) -> Iterator[tuple[BlockT, Scored]]:
        """Score the clips of every block, in order (see `Predictor.each`).

        Where all ranks score (`aclnet.distributed.every_rank`), each scores a share of the blocks,
        and all get the output for all, equal to the last bit to that of one rank.
        """

        def compute(block: BlockT) -> tuple[Tensor, ...]:
            clips = to_device(torch.from_numpy(clips_of(block)), self._device)
            probabilities, logits, feature = self.module(clips)
            if mirror:
                feature = (feature + self.module(clips, True)[2]) / 2
            return probabilities, logits, feature

        at_once = _at_once(self._device)
        waiting: list[tuple[BlockT, tuple[Tensor, ...]]] = []
        for output in in_turns(self.module, blocks, compute):
            waiting.append(output)
            if len(waiting) == at_once:
                yield from _copied(waiting)
                waiting.clear()
        yield from _copied(waiting)

    @property
    def _device(self) -> torch.device:
        return next(self.module.parameters()).device


def _at_once(device: torch.device) -> int:
    """Blocks whose output the host waits for at once, as a GPU computes meanwhile."""
    return 64 if device.type == "cuda" else 1


def _copied(
    waiting: Sequence[tuple[BlockT, tuple[Tensor, ...]]],
) -> Iterator[tuple[BlockT, Scored]]:
    if not waiting:
        return
    columns = zip(*(tensors for _, tensors in waiting), strict=True)
    sizes = [len(tensors[0]) for _, tensors in waiting]
    copies = [torch.split(torch.cat(column).cpu(), sizes) for column in columns]
    for place, (block, _) in enumerate(waiting):
        yield block, Scored(*(column[place].numpy() for column in copies))


def embed(
    network: SkeletonNetwork | Predictor,
    store: Store,
    clip_input: ClipInput,
    settings: EmbedSettings,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """One embedding a sample: the mean over its windows' embeddings, normalised if set.

    Where all ranks embed (`aclnet.distributed.every_rank`), each embeds a share of the windows, and
    all get all embeddings, equal to the last bit to those of one rank.

    Args:
        network: in evaluation mode during the call; or a predictor, which prepares clips itself.
        store: the samples to embed.
        clip_input: prepares clips as in training.
        settings: windows, mirror image, feature.
        progress: called with the number of batches done and their total.

    Returns:
        (N, D) float32.

    Raises:
        ValueError: there is no sample.
    """
    with _predicting(network, clip_input, settings) as predictor:
        return mean_embeddings(predictor, store, settings, progress)


def score(
    network: SkeletonNetwork | Predictor,
    store: Store,
    clip_input: ClipInput,
    test: ScoringSettings,
    *,
    hidden: Rows | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Score recordings over their test clips; where all ranks score, each does a share.

    Args:
        network: as for `embed`.
        store: N recordings.
        clip_input: prepares clips as in training.
        test: number of clips, and of those scored at once.
        hidden: joints set to zero in every clip, as if they had not been seen.
        progress: called with the number of batches done and their total.

    Raises:
        ValueError: there is no recording.
    """
    with _predicting(network, clip_input, None) as predictor:
        return mean_scores(predictor, store, test, hidden=hidden, progress=progress)


@contextmanager
def _predicting(
    network: SkeletonNetwork | Predictor, clip_input: ClipInput, compared: EmbedSettings | None
) -> Iterator[Predictor]:
    """A network in evaluation mode; every module's mode is restored, also after an error."""
    if not isinstance(network, SkeletonNetwork):
        yield network
        return
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield TorchPredictor(InferenceNetwork(network, clip_input, compared))
    finally:
        for module, training in modes:
            module.training = training
