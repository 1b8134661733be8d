"""Training with class prototypes that are recomputed before each epoch: the TranSG baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from aclnet.losses.transg import TransgObjective
from aclnet.models.heads import SkeletonNetwork
from aclnet.models.transg import TransgEncoder
from aclnet.training.task import Augment, Trainable

TrainingClips = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Batches of all training clips (N, M, T, V, C) and labels (N,), on any device; prepared as in
inference, and the same in every call."""


class PrototypeTask(Trainable):
    """A skeleton graph transformer trained by TranSG's objective.

    The network's classifier is not used and frozen; retrieval compares the encoder's pooled
    feature. Before each epoch the prototype of a class becomes the mean pooled feature of its
    training clips in evaluation mode. The released code takes that mean over its training set
    re-sampled to equal classes; here it is over all given clips.

    With several ranks every rank computes the prototypes of all clips; where batch normalisation
    has different averages on the ranks, rank 0's prototypes are used, since
    `DistributedDataParallel` broadcasts its buffers.

    Args:
        network: its encoder a `TransgEncoder`, without neck.
        objective: for the network's K classes and the clips' (T, V, C).
        training_clips: returns the clips whose features are averaged.
        augment: transform of training clips; None for none.

    Raises:
        ValueError: the network has another encoder or a neck, or does not fit the objective.
    """

    def __init__(
        self,
        network: SkeletonNetwork,
        objective: TransgObjective,
        training_clips: TrainingClips,
        augment: Augment | None = None,
    ) -> None:
        super().__init__(augment)
        self._encoder_of(network)
        if any(True for _ in network.neck.parameters()):
            raise ValueError(
                "the prototype contrast trains the encoder's own feature and no neck: set "
                "network.neck: none"
            )
        classes, width = network.classifier.weight.shape
        if (classes, width) != tuple(objective.prototypes.shape):
            raise ValueError(
                f"the network has {classes} classes and features of {width}, the objective "
                f"prototypes of shape {tuple(objective.prototypes.shape)}: make both for one data "
                "set and encoder"
            )
        self.network = network
        self.network.classifier.requires_grad_(False)
        self.objective = objective
        self._training_clips = training_clips

    def set_epoch(self, epoch: int) -> None:
        """Recompute the prototypes, unless they are those of this epoch already.

        A run that resumes in the middle of an epoch has them in its checkpoint, computed from the
        weights at the epoch's start.

        Args:
            epoch: 1-based.

        Raises:
            ValueError: there is no training clip whose label is one of the K classes.
        """
        if int(self.objective.prototype_epoch) != epoch:
            self.objective.store_prototypes(self._class_means(), epoch)

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of the objective, and the share of clips nearest to their own class's prototype.

        Args:
            clips: (N, 1, T, V, C) float32, one person a clip.
            labels: (N,) int64 classes.

        Returns:
            The objective's scalars and "accuracy" in 0..1, which has no gradient. The host does
            not wait for the device.

        Raises:
            ValueError: clips of several persons, or of another shape than those of the objective.
        """
        if clips.ndim == 5 and clips.shape[1] != 1:
            raise ValueError(
                f"the prototype contrast takes clips of one person, got {clips.shape[1]} persons: "
                "keep the main person (data.prepare: main_person)"
            )
        features = self._encoder_of(self.network).joint_features(clips)
        losses: dict[str, Tensor] = self.objective(features, clips.squeeze(1), labels)
        with torch.no_grad():
            pooled = features.mean(dim=(1, 2)).to(self.objective.prototypes.dtype)
            nearest = self.objective.sequence_logits(pooled).argmax(dim=1)
            accuracy = (nearest == labels).float().mean()
        return {**losses, "accuracy": accuracy}

    @torch.no_grad()
    def _class_means(self) -> Tensor:
        """(K, D) mean pooled feature of each class in evaluation mode; 0 where it has no clip."""
        prototypes = self.objective.prototypes
        classes = torch.arange(len(prototypes), device=prototypes.device)
        sums, numbers = torch.zeros_like(prototypes), torch.zeros_like(prototypes[:, 0])
        was_training = self.network.training
        self.network.eval()
        for clips, labels in self._training_clips():
            pooled = self.network.encoder(clips.to(prototypes.device)).pooled
            # A product with a 0/1 matrix is deterministic, also on a GPU.
            members = (labels.to(prototypes.device) == classes[:, None]).to(pooled.dtype)
            sums += members @ pooled
            numbers += members.sum(dim=1)
        self.network.train(was_training)
        if not bool(numbers.any()):
            raise ValueError(
                f"no training clip has one of the labels 0..{len(classes) - 1}, so there are no "
                "prototypes: check the training clips given to the prototype task"
            )
        return sums / numbers.clamp(min=1)[:, None]

    @staticmethod
    def _encoder_of(network: SkeletonNetwork) -> TransgEncoder:
        if not isinstance(network.encoder, TransgEncoder):
            raise ValueError(
                f"the prototype contrast needs the features of single joints, which "
                f"{type(network.encoder).__name__} does not give: set network.encoder.name: transg"
            )
        return network.encoder
