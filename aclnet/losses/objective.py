"""The training objective: cross-entropy with the two affinity contrastive terms (Eq. 16).

Beside them, or in their place, any loss of pytorch-metric-learning may stand as a baseline.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from aclnet.config import Settings
from aclnet.distributed import row_counts, world_size
from aclnet.losses.inter import InterClassLoss
from aclnet.losses.intra import IntraClassLoss, IntraStart
from aclnet.losses.metric_learning import MetricLoss, MetricLossSettings
from aclnet.losses.projection import at_least_float32, full_precision
from aclnet.state.variant import Variant


class ObjectiveSettings(Settings):
    """What the objective is made of; the numbers are those of the paper's section IV-B.

    A weight of 0 leaves its term out: no parameters, no state.
    """

    variant: Variant = Field(
        "released", description="paper: the equations; released: the authors' code"
    )
    feature: Literal["pooled", "graph"] = Field(
        "pooled",
        description="what is contrasted: the pooled representation (paper) or the last block's "
        "dynamic joint graph (released code)",
    )
    ce_weight: float = Field(1.0, gt=0, description="weight of the cross-entropy")
    inter_weight: float = Field(0.1, ge=0, description="weight of the inter-class term")
    intra_weight: float = Field(0.1, ge=0, description="weight of the intra-class term")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the cross-entropy")
    projection_dim: int = Field(256, ge=1, description="length of a projected feature")
    start_epoch: int = Field(
        30, ge=0, description="mistakes count from this epoch; the inter loss begins one later"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the past in a class centre")
    neighbours: int = Field(10, ge=1, le=255, description="classes a class is paired with (K)")
    overlap: int = Field(4, ge=0, description="shared neighbours that make a family (n_a)")
    temperatures: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        (0.1, 0.5, 1.0), description="for families of up to K members, up to 2 K, and more"
    )
    margin: float = Field(0.1, ge=0, description="between positives and negatives (epsilon)")
    intra_temperature: float = Field(0.1, gt=0, description="of the intra-class term (tau)")
    queue_size: int = Field(512, ge=0, description="candidates remembered; 0: the batch only")
    intra_start: IntraStart = Field(
        "variant",
        description="when the intra-class term begins (variant: released waits for "
        "the full queue, paper does not)",
    )
    metric: MetricLossSettings | None = Field(
        None, description="a loss of pytorch-metric-learning on the same feature; null: none"
    )

    @property
    def name(self) -> str:
        """The terms in use: `ce`, `ce+inter`, `ce+intra` or `acl`, then `+` a metric loss.

        Where one temperature serves families of any size, the inter-class term is without the
        paper's family-aware temperature: `ce+inter-fat`, `acl-fat` (the ablation, Table VIII).
        """
        if self.inter_weight == 0:
            terms = "ce" if self.intra_weight == 0 else "ce+intra"
        else:
            terms = "ce+inter" if self.intra_weight == 0 else "acl"
            terms += "-fat" if len(set(self.temperatures)) == 1 else ""
        return terms if self.metric is None else f"{terms}+{self.metric.name}"


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
