"""The training objective: cross-entropy with the two affinity contrastive terms (Eq. 16).

Beside them, or in their place, any loss of pytorch-metric-learning may stand as a baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.distributed import row_counts, world_size
from aclnet.losses.inter import InterClassLoss
from aclnet.losses.intra import IntraClassLoss
from aclnet.losses.metric_learning import MetricLoss
from aclnet.losses.projection import at_least_float32, full_precision
from aclnet.losses.settings import ObjectiveSettings


class Objective(nn.Module):
    """Weighted sum of cross-entropy, inter-class, intra-class and metric terms.

    It has parameters (the projections) and must live inside the module that
    `DistributedDataParallel` wraps. Its state is equal on every rank by construction.

    Args:
        settings: weights and numbers.
        class_count: K classes, at least 2.
        feature_dim: length of the feature to contrast.
        generator: source of the initial weights and centres; None: torch's default generator.

    Raises:
        ValueError: if there are fewer than 2 classes, the feature has no entries, or the metric
            loss cannot be made (see `MetricLoss`).
    """

    def __init__(
        self,
        settings: ObjectiveSettings,
        class_count: int,
        feature_dim: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if class_count < 2:
            raise ValueError(
                f"the objective needs at least 2 classes, got {class_count}: check the labels"
            )
        if feature_dim < 1:
            raise ValueError(
                f"the feature to contrast needs at least 1 entry, got {feature_dim}: does the "
                f"encoder give a {settings.feature!r} feature?"
            )
        self.settings = settings
        self.class_count = class_count
        self.feature_dim = feature_dim
        self.inter_loss = _inter_loss(settings, class_count, feature_dim, generator)
        self.intra_loss = _intra_loss(settings, feature_dim, generator)
        self.metric_loss = (
            None
            if settings.metric is None
            else MetricLoss(settings.metric, class_count, feature_dim, generator)
        )

    @property
    def name(self) -> str:
        """The terms in use (see `ObjectiveSettings.name`)."""
        return self.settings.name

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the coming training steps belong to.

        Args:
            epoch: 1-based.

        Raises:
            ValueError: if the epoch is below 1.
        """
        if epoch < 1:
            raise ValueError(f"epochs count from 1, got {epoch}")
        if self.inter_loss is not None:
            self.inter_loss.set_epoch(epoch)

    def forward(self, logits: Tensor, feature: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the objective; in training mode the batch enters the state of the terms.

        Args:
            logits: (N, K), any floating type.
            feature: (N, feature_dim), any floating type.
            labels: (N,) int64 in 0..K-1.

        Returns:
            `loss`, the weighted sum with gradient, and the parts in use, unweighted and without
            gradient: `ce`, `inter`, `intra`, `metric`; all () and at least float32. With several
            ranks the averages of `loss` and of its gradient over the ranks are those of one rank
            with the joined batch.

        Raises:
            ValueError: if shapes or types do not fit, or, on the CPU, a label is out of range.
                On a GPU the range is not looked at, since the host would wait for the device in
                every step; the device itself stops there.
        """
        self._check(logits, feature, labels)
        counts = row_counts(labels) if self.training else (labels.shape[0],)
        with full_precision(logits.device):
            entropy = functional.cross_entropy(
                at_least_float32(logits), labels, label_smoothing=self.settings.label_smoothing
            )
            if self.training:
                # The mean over all ranks' samples, also where a rank has fewer than another.
                entropy = entropy * (world_size() * labels.shape[0] / sum(counts))
            parts = {"ce": entropy}
            loss = self.settings.ce_weight * entropy
            if self.inter_loss is not None:
                parts["inter"] = self.inter_loss(logits.detach(), feature, labels, counts)
                loss = loss + self.settings.inter_weight * parts["inter"]
            if self.intra_loss is not None:
                parts["intra"] = self.intra_loss(feature, labels, counts)
                loss = loss + self.settings.intra_weight * parts["intra"]
            if self.metric_loss is not None:
                parts["metric"] = self.metric_loss(feature, labels, counts)
                loss = loss + self.metric_loss.settings.weight * parts["metric"]
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def _check(self, logits: Tensor, feature: Tensor, labels: Tensor) -> None:
        rows = labels.shape[0] if labels.ndim == 1 else 0
        if rows < 1 or labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 of shape (N,) with N >= 1, got {labels.dtype} of shape "
                f"{tuple(labels.shape)}"
            )
        for what, tensor, width in (
            ("logits", logits, self.class_count),
            ("feature", feature, self.feature_dim),
        ):
            if tensor.shape != (rows, width):
                raise ValueError(
                    f"{what} must have shape ({rows}, {width}) for {rows} labels, got "
                    f"{tuple(tensor.shape)}"
                )
        if labels.device.type == "cpu":
            lowest, highest = torch.aminmax(labels)
            if int(lowest) < 0 or int(highest) >= self.class_count:
                raise ValueError(
                    f"labels must be in 0..{self.class_count - 1}, got "
                    f"{int(lowest)}..{int(highest)}: is the class count that of the data?"
                )


def _inter_loss(
    settings: ObjectiveSettings,
    class_count: int,
    feature_dim: int,
    generator: torch.Generator | None,
) -> InterClassLoss | None:
    if settings.inter_weight == 0:
        return None
    return InterClassLoss(
        class_count,
        feature_dim,
        variant=settings.variant,
        projection_dim=settings.projection_dim,
        start_epoch=settings.start_epoch,
        momentum=settings.momentum,
        neighbours=settings.neighbours,
        overlap=settings.overlap,
        temperatures=settings.temperatures,
        generator=generator,
    )


def _intra_loss(
    settings: ObjectiveSettings, feature_dim: int, generator: torch.Generator | None
) -> IntraClassLoss | None:
    if settings.intra_weight == 0:
        return None
    return IntraClassLoss(
        feature_dim,
        variant=settings.variant,
        projection_dim=settings.projection_dim,
        temperature=settings.intra_temperature,
        margin=settings.margin,
        queue_size=settings.queue_size,
        start=settings.intra_start,
        generator=generator,
    )
