"""A network with all that it does to stored clips in evaluation: the module that is exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.clips.input import ClipInput, to_device
from aclnet.clips.stored import Clips
from aclnet.models import SkeletonNetwork
from aclnet.runs.averages import Answers, BlockT
from aclnet.runs.settings import EmbedSettings
from aclnet.runs.turns import in_turns

_AT_ONCE = 64
"""Blocks whose answers the host waits for at once."""


class WholeNetwork(nn.Module):
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
        """Answer for clips of `StoredClips.for_network`.

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


class TorchAnswering:
    """A network that answers by torch (see `aclnet.runs.averages.Answering`).

    Args:
        whole: with its preparation, in evaluation mode when it is used.
    """

    def __init__(self, whole: WholeNetwork) -> None:
        self.whole = whole

    @property
    def clips(self) -> ClipInput:
        """Takes and prepares its clips."""
        return self.whole.clips

    @torch.no_grad()
    def __call__(self, clips: Clips, mirrored: bool = False) -> Answers:
        """Answer for clips of `StoredClips.for_network`, or for their mirror images."""
        found = self.whole(to_device(torch.from_numpy(clips), self._device), mirrored)
        return Answers(*(one.cpu().numpy() for one in found))

    @torch.no_grad()
    def each(
        self, blocks: Sequence[BlockT], clips_of: Callable[[BlockT], Clips], mirror: bool = False
    ) -> Iterator[tuple[BlockT, Answers]]:
        """Answer for the clips of every block, in order (see `Answering.each`).

        Where all ranks answer (`aclnet.distributed.every_rank`), each does so for a share of the
        blocks, and all get all answers, equal to the last bit to those of one rank.
        """

        def compute(block: BlockT) -> tuple[Tensor, ...]:
            clips = to_device(torch.from_numpy(clips_of(block)), self._device)
            probabilities, logits, feature = self.whole(clips)
            if mirror:
                feature = (feature + self.whole(clips, True)[2]) / 2
            return probabilities, logits, feature

        waiting: list[tuple[BlockT, tuple[Tensor, ...]]] = []
        for found in in_turns(self.whole, blocks, compute):
            waiting.append(found)
            if len(waiting) == _AT_ONCE:
                yield from _copied(waiting)
                waiting.clear()
        yield from _copied(waiting)

    @property
    def _device(self) -> torch.device:
        return next(self.whole.parameters()).device


def _copied(
    waiting: Sequence[tuple[BlockT, tuple[Tensor, ...]]],
) -> Iterator[tuple[BlockT, Answers]]:
    if not waiting:
        return
    columns = zip(*(tensors for _, tensors in waiting), strict=True)
    sizes = [len(tensors[0]) for _, tensors in waiting]
    copies = [torch.split(torch.cat(column).cpu(), sizes) for column in columns]
    for place, (block, _) in enumerate(waiting):
        yield block, Answers(*(column[place].numpy() for column in copies))


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
