"""What is trained: a network together with its objective, as one module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from aclnet.losses.objective import Objective

Augment = Callable[[Tensor, torch.Generator, Tensor | None], Tensor]
"""Batched transform of clips (N, M, T, V, C) on their device, drawing from the generator; told the
widths (N,) of their videos in pixels, where the batches say them."""


class Trainable(nn.Module, ABC):
    """What the engine asks of a task: losses of a batch, and to be told the epoch.

    A criterion's parameters and state live inside, so that they are wrapped for several ranks,
    optimised and saved with the network. With several ranks every parameter that has
    `requires_grad` must take part in every loss, if only with a gradient of zero.

    Args:
        augment: transform of training clips; None for none.
    """

    def __init__(self, augment: Augment | None = None) -> None:
        super().__init__()
        self._augment = augment

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        """Clips as the network shall see them in training.

        Args:
            clips: (N, M, T, V, C) float32 on the training device.
            generator: on the same device, seeded for this step.
            widths: (N,) of the clips' videos in pixels; None where the batches do not say them.

        Returns:
            Clips of the same N.
        """
        return clips if self._augment is None else self._augment(clips, generator, widths)

    def set_epoch(self, epoch: int) -> None:
        """Told before each epoch, and again when a run goes on in the middle of one.

        Args:
            epoch: 1-based; telling the same epoch twice must change nothing.
        """

    @abstractmethod
    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            clips: (N, M, T, V, C) float32.
            labels: (N,) int64.

        Returns:
            Scalars by name. "loss" is minimised; the others are logged. With several ranks the
            average over the ranks must be the loss of the joined batch: gradients are averaged.
        """


class TrainingTask(Trainable):
    """Supervised training: network, objective and augmentation (after timm's training task).

    Args:
        network: clips -> an output with `logits` (N, K), `pooled` (N, D) and `graph` (N, G) or
            None (`SkeletonNetwork`).
        objective: (logits, feature, labels) -> losses with "loss"; a module, so that its
            parameters and buffers belong to the task.
        augment: transform of training clips; None for none.
    """

    def __init__(
        self, network: nn.Module, objective: Objective, augment: Augment | None = None
    ) -> None:
        super().__init__(augment)
        self.network = network
        self.objective = objective

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the objective."""
        self.objective.set_epoch(epoch)

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of the objective, and the accuracy of the classifier on this batch.

        Args:
            clips: (N, M, T, V, C) float32.
            labels: (N,) int64 classes.

        Returns:
            The objective's scalars and "accuracy" in 0..1, which has no gradient. Nothing here
            makes the host wait for the device.

        Raises:
            ValueError: the objective wants the graph feature of a network that has none.
        """
        output = self.network(clips)
        wants_graph = self.objective.settings.feature == "graph"
        feature = output.graph if wants_graph else output.pooled
        if feature is None:
            raise ValueError(
                "the objective is set to `feature: graph`, but this network's last block has no "
                "graph; set `feature: pooled` or choose the affinity_gcn model"
            )
        losses = self.objective(output.logits, feature, labels)
        with torch.no_grad():
            accuracy = (output.logits.argmax(dim=1) == labels).float().mean()
        return {**losses, "accuracy": accuracy}
