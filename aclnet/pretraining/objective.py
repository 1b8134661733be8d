"""What the objectives of both stages share: the embedder, its slow copy, and the queue of keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from aclnet.distributed import all_gather_rows, row_counts
from aclnet.losses.term import rank_share
from aclnet.pretraining.embedder import Embedder
from aclnet.pretraining.settings import MomentumSettings
from aclnet.state.momentum import SlowCopy
from aclnet.state.queue import FeatureQueue

Views = Mapping[str, Tensor]
"""The views (N, M, T, V, C) of a batch of clips, by name."""


class ViewObjective(nn.Module, ABC):
    """Base of the objectives that compare views of clips, without labels.

    It holds the trained embedder, the slow one that makes the keys, and the queue, all in every
    checkpoint. With several ranks the queue takes the keys of all, in rank order, and the averages
    of the loss and of its gradient over the ranks are those of the joined batch, where no layer
    normalises over the batch. In eval mode nothing is written, and nothing is exchanged.

    Args:
        embedder: to train; its slow copy starts with its weights and statistics.
        settings: sizes and momentum.
        epochs: of the whole training.
        generator: source of the queue's random start; None: torch's default generator.
    """

    def __init__(
        self,
        embedder: Embedder,
        settings: MomentumSettings,
        epochs: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.online = embedder
        self.slow = SlowCopy(embedder, settings.momentum)
        self.queue = FeatureQueue(
            settings.queue_size,
            settings.projection_dim,
            start="random",
            setting="queue_size",
            generator=generator,
        )
        self.epochs = epochs

    @abstractmethod
    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the coming steps, 1-based."""

    @abstractmethod
    def losses(
        self, views: Views, counts: Sequence[int], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The loss of a batch, its parts by name, and the keys (N, P) for the queue.

        Args:
            views: of N clips of this rank.
            counts: clips of each rank.
            generator: of the random numbers, on the clips' device.
        """

    def forward(self, views: Views, generator: torch.Generator) -> dict[str, Tensor]:
        """Compare the views; in training mode move the slow embedder and write the queue.

        Args:
            views: (N, M, T, V, C) each, by the names that the objective needs.
            generator: of the random numbers of the step, on the clips' device.

        Returns:
            `loss`, with gradient, and its parts, unweighted and without gradient; all ().
        """
        first = next(iter(views.values()))
        counts = row_counts(first) if self.training else (len(first),)
        if self.training:
            self.slow.follow(self.online)
        loss, parts, keys = self.losses(views, counts, generator)
        if self.training:
            self.queue.push(all_gather_rows(keys, counts))
        share = rank_share(len(first), counts) if self.training else 1.0
        shown = {name: part.detach() * share for name, part in parts.items()}
        return {"loss": loss * share, **shown}
