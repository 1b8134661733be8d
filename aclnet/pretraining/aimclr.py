"""Stage 1 (AimCLR): a clip's views, ordinary and extreme, are alike to the same keys.

Guo et al., "Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-Supervised
Action Recognition", AAAI 2022, as released.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aclnet.losses.term import at_least_float32, full_precision
from aclnet.pretraining.contrast import (
    divergence,
    drop_energetic,
    info_nce,
    key_logits,
    nearest_keys,
    positive_nce,
)
from aclnet.pretraining.embedder import Embedder, pool, unit
from aclnet.pretraining.objective import ViewObjective, Views
from aclnet.pretraining.settings import ExtremeSettings


class ExtremeContrast(ViewObjective):
    """InfoNCE of the ordinary view, and its divergences from the extreme one with and without drop.

    Views: `query`, `extreme`, `key`. From an epoch on, the nearest keys of any view are positives.

    Args:
        embedder: to train.
        settings: sizes, temperature, weights.
        epochs: of the whole training.
        generator: source of the queue's random start; None: torch's default generator.
    """

    def __init__(
        self,
        embedder: Embedder,
        settings: ExtremeSettings,
        epochs: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(embedder, settings, epochs, generator)
        self.settings = settings
        self.mines = False

    def set_epoch(self, epoch: int) -> None:
        """Whether the nearest keys are mined."""
        self.mines = epoch > round(self.settings.mine_from * self.epochs)

    def losses(
        self,
        views: Views,
        counts: Sequence[int],
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """See `ViewObjective.losses`; the parts are `contrast`, `extreme` and `drop`."""
        query, extreme = self.online(views["query"]), self.online(views["extreme"])
        with full_precision(query.raw.device):
            dropped = pool(drop_energetic(at_least_float32(extreme.map), counts), extreme.persons)
            embedded = (query.raw, extreme.raw, self.online.projector(dropped))
        with torch.no_grad():
            key = unit(self.slow.network(views["key"]).raw)
        return *self.compare(tuple(map(unit, embedded)), key), key

    def compare(
        self, embedded: tuple[Tensor, ...], key: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and its parts.

        Args:
            embedded: ordinary, extreme and dropped embeddings, (N, P) of unit length.
            key: (N, P) of unit length.
        """
        settings = self.settings
        with full_precision(key.device):
            queue = self.queue.features.clone()  # which is written before the backward pass
            logits = tuple(key_logits(one, key, queue, settings.temperature) for one in embedded)
            if self.mines:
                positive = nearest_keys(tuple(one.detach() for one in logits), settings.neighbours)
                contrast = positive_nce(logits[0], positive)
            else:
                contrast = info_nce(logits[0])
            extreme, drop = (divergence(logits[0], other) for other in logits[1:])
            loss = contrast + settings.divergence_weight * (extreme + drop)
        return loss, {"contrast": contrast, "extreme": extreme, "drop": drop}
