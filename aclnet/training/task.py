"""The trained module: a network together with its objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from aclnet.losses.objective import Objective

Augment = Callable[[Tensor, torch.Generator, Tensor | None], Tensor]
"""Random transform of clips (N, M, T, V, C) on their device, from a generator and the widths (N,)
of their videos in pixels (None if the batches hold none)."""


class Trainable(nn.Module, ABC):
    """Base of what the engine trains: it computes the losses of a batch and takes the epoch.

    It contains the criterion's parameters and state, so that they are wrapped for several ranks,
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
        """Clips as the network sees them in training.

        Args:
            clips: (N, M, T, V, C) float32 on the training device.
            generator: on the same device, seeded for this step.
            widths: (N,) of the clips' videos in pixels; None if the batches hold none.

        Returns:
            Clips of the same N.
        """
        return clips if self._augment is None else self._augment(clips, generator, widths)

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch, and again when a run resumes in the middle of one.

        Args:
            epoch: 1-based; setting the same epoch twice must change nothing.
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
    """Supervised training: network, objective and augmentation (modelled on timm's training task).

    Args:
        network: clips -> an output with `logits` (N, K), `pooled` (N, D) and what the objective
            contrasts besides, such as `graph` (N, G) (`SkeletonNetwork`).
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
            The objective's scalars and "accuracy" in 0..1, which has no gradient. The host does
            not wait for the device.
        """
        output = self.network(clips)
        with_graph = self.objective.settings.feature == "graph"
        feature = output.graph if with_graph else output.pooled
        more = {part: getattr(output, part) for part in self.objective.settings.needs}
        losses = self.objective(output.logits, feature, labels, **more)
        with torch.no_grad():
            accuracy = (output.logits.argmax(dim=1) == labels).float().mean()
        return {**losses, "accuracy": accuracy}
