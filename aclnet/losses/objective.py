"""The training objective: cross-entropy with the two affinity contrastive terms (Eq. 16).

A loss of pytorch-metric-learning can be added to them or replace them as a baseline, and so can
your own terms: write a file with a `Term` and its settings, register it by
`aclnet.losses.settings.register_term`, and name it in `objective.terms`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.distributed import row_counts
from aclnet.losses.inter import InterClassLoss
from aclnet.losses.intra import IntraClassLoss
from aclnet.losses.metric_learning import MetricLoss
from aclnet.losses.settings import ObjectiveSettings, Sizes
from aclnet.losses.term import (
    Term,
    at_least_float32,
    check_batch,
    check_class_count,
    full_precision,
    rank_share,
)


class Objective(nn.Module):
    """Weighted sum of the cross-entropy and a list of terms.

    It has parameters (the projections) and must be inside the module that
    `DistributedDataParallel` wraps. Its state is the same on every rank by construction.

    Args:
        settings: weights and numbers.
        class_count: K classes, at least 2.
        feature_dim: length of the feature to contrast.
        generator: source of the initial weights and centres; None: torch's default generator.
        sizes: of what the terms need beside the feature (`settings.needs`).

    Attributes:
        terms: by the name under which each is logged, in the order of the sum: `inter`, `intra`,
            `metric` and those of `settings.terms`, as far as they are in use.

    Raises:
        ValueError: fewer than 2 classes, a feature without entries, or a term that cannot be built
            (see `MetricLoss`).
    """

    def __init__(
        self,
        settings: ObjectiveSettings,
        class_count: int,
        feature_dim: int,
        generator: torch.Generator | None = None,
        sizes: Sizes | None = None,
    ) -> None:
        super().__init__()
        check_class_count(class_count)
        if feature_dim < 1:
            raise ValueError(
                f"the feature to contrast needs at least 1 entry, got {feature_dim}: does the "
                f"encoder return a {settings.feature!r} feature?"
            )
        self.settings = settings
        self.class_count = class_count
        self.feature_dim = feature_dim
        self.terms = nn.ModuleDict()
        if settings.inter_weight > 0:
            self.terms["inter"] = InterClassLoss(settings, class_count, feature_dim, generator)
        if settings.intra_weight > 0:
            self.terms["intra"] = IntraClassLoss(settings, feature_dim, generator)
        if settings.metric is not None:
            self.terms["metric"] = MetricLoss(settings.metric, class_count, feature_dim, generator)
        for term in settings.terms:
            self.terms[term.name] = term.build(class_count, sizes or Sizes(feature_dim), generator)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the coming training steps.

        Args:
            epoch: 1-based.

        Raises:
            ValueError: the epoch is below 1.
        """
        if epoch < 1:
            raise ValueError(f"epochs count from 1, got {epoch}")
        for term in self.terms.values():
            cast(Term, term).set_epoch(epoch)

    def forward(
        self, logits: Tensor, feature: Tensor, labels: Tensor, **more: object
    ) -> dict[str, Tensor]:
        """Compute the objective; in training mode the batch enters the state of the terms.

        Args:
            logits: (N, K), any floating type.
            feature: (N, feature_dim), any floating type.
            labels: (N,) int64 in 0..K-1.
            **more: of the encoder's output, those that the terms need.

        Returns:
            `loss`, the weighted sum with gradient, and the parts in use, unweighted and without
            gradient: `ce` and the `terms` by their names; all () and at least float32. With several
            ranks the averages of `loss` and of its gradient over the ranks are those of one rank
            with the joined batch.

        Raises:
            ValueError: shapes or types do not fit, or, on the CPU, a label is out of range. On a
                GPU the range is not checked, since the host would wait for the device in every
                step; the device itself stops there.
        """
        self._check(logits, feature, labels)
        counts = row_counts(labels) if self.training else (len(labels),)
        with full_precision(logits.device):
            entropy = functional.cross_entropy(
                at_least_float32(logits), labels, label_smoothing=self.settings.label_smoothing
            )
            if self.training:
                entropy = entropy * rank_share(len(labels), counts)
            parts = {"ce": entropy}
            loss = self.settings.ce_weight * entropy
            for name, weight in self.settings.weights.items():
                parts[name] = self.terms[name](
                    logits=logits, feature=feature, labels=labels, counts=counts, **more
                )
                loss = loss + weight * parts[name]
        return {"loss": loss, **{name: part.detach() for name, part in parts.items()}}

    def _check(self, logits: Tensor, feature: Tensor, labels: Tensor) -> None:
        logits_wanted = ("logits", logits, (self.class_count,))
        check_batch(labels, logits_wanted, ("feature", feature, (self.feature_dim,)))
        if labels.device.type == "cpu":
            lowest, highest = torch.aminmax(labels)
            if int(lowest) < 0 or int(highest) >= self.class_count:
                raise ValueError(
                    f"labels must be in 0..{self.class_count - 1}, got "
                    f"{int(lowest)}..{int(highest)}: does the class count match the data?"
                )
