"""Intra-class marginal contrastive loss: positives nearer than negatives by a margin.

Source: Liu et al. (ACLNet), Eq. 10-15. `aclnet.state.variant` lists where the released code
differs; the queue of past features comes from the released code and works with both variants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
from aclnet.losses.settings import ObjectiveSettings
from aclnet.losses.term import Projection, Term, full_precision, unit_rows
from aclnet.state.queue import NO_LABEL, FeatureQueue
from aclnet.state.variant import Variant

FAR = -1e30
"""Logarithm used where there is no negative; finite, so that its gradient is 0 and not NaN."""


def positive_log_probability(
    similarity: Tensor, negative: Tensor, margin: float, temperature: float, variant: Variant
) -> Tensor:
    """Logarithm of the fraction of Eq. 15 for each pair, as if the pair were positive.

    Args:
        similarity: (N, P) cosines, divided by the temperature.
        negative: (N, P) bool, the pairs of different classes.
        margin: epsilon.
        temperature: tau.
        variant: paper or released.

    Returns:
        (N, P).
    """
    if variant == "paper":
        away = similarity.masked_fill(~negative, FAR).logsumexp(dim=1, keepdim=True)
        return similarity - torch.logaddexp(similarity - margin / temperature, away)
    # Released: the margin is not divided by the temperature, and a constant is added to the sum,
    # after each row is shifted by its largest value.
    shifted = similarity - similarity.detach().amax(dim=1, keepdim=True)
    power = shifted.exp()
    away = (power * negative).sum(dim=1, keepdim=True)
    return shifted - (math.exp(-margin) * power + away + 1e-6).log()


def marginal_contrast(
    rows: Tensor,
    labels: Tensor,
    past: Tensor,
    past_labels: Tensor,
    *,
    margin: float,
    temperature: float,
    variant: Variant,
) -> Tensor:
    """Contrast each row with the others of its batch and with past ones.

    Args:
        rows: (N, D) unit rows: the anchors, and candidates for each other.
        labels: (N,) int64.
        past: (Q, D) unit rows, candidates only.
        past_labels: (Q,) int64, `NO_LABEL` where there is no candidate.
        margin: epsilon.
        temperature: tau.
        variant: paper or released.

    Returns:
        () mean over the anchors; an anchor without positive counts as 0.
    """
    candidates = torch.cat([rows, past.to(rows.dtype)])
    candidate_labels = torch.cat([labels, past_labels])
    similarity = (rows @ candidates.t()) / temperature
    same = labels[:, None] == candidate_labels
    negative = ~same & (candidate_labels != NO_LABEL)
    itself = torch.eye(*similarity.shape, dtype=torch.bool, device=rows.device)
    positive = (same & ~itself).to(rows.dtype)
    log_probability = positive_log_probability(similarity, negative, margin, temperature, variant)
    of_anchor = (log_probability * positive).sum(dim=1)
    # Paper: the sum over the positives; released: their mean.
    if variant == "released":
        of_anchor = of_anchor / positive.sum(dim=1).clamp(min=1)
    return -of_anchor.mean()


class IntraClassLoss(Term):
    """The intra-class term with its queue.

    With several ranks each computes the loss of the joined batch (see `aclnet.distributed`), so
    queue, value and averaged gradient are those of one rank. In eval mode the queue is read but
    not written, and nothing is exchanged.

    A queue of Q slots means Q candidates, including the current batch, as in the released code; a
    batch larger than the queue is its own set of candidates. With `queue_size=0` positives and
    negatives come from the batch only, as in the paper.

    Args:
        settings: the objective's.
        feature_dim: length of the feature.
        generator: source of the initial state; None: torch's default generator.
    """

    def __init__(
        self, settings: ObjectiveSettings, feature_dim: int, generator: torch.Generator | None
    ) -> None:
        super().__init__()
        self.settings, start = settings, settings.intra_start
        released = settings.variant == "released"
        self.waits = start == "full_queue" or (start == "variant" and released)
        self.cl_fc = Projection(feature_dim, settings.projection_dim, generator)
        self.queue = FeatureQueue(settings.queue_size, settings.projection_dim)

    def forward(
        self, feature: Tensor, labels: Tensor, counts: Sequence[int] | None = None, **_: object
    ) -> Tensor:
        """Compute the loss and, in training mode, push the batch into the queue.

        Args:
            feature: (N, feature_dim).
            labels: (N,) int64, not negative.
            counts: rows of each rank, where they are known (`aclnet.distributed.row_counts`).

        Returns:
            () mean over the batch of all ranks; 0 with zero gradients while it waits.
        """
        with full_precision(feature.device):
            rows = unit_rows(self.cl_fc(feature))
            past_labels = self.queue.labels
            if self.training:
                rows = join_rows(rows, counts)
                labels = all_gather_rows(labels, counts)
                past_labels = self.queue.push(rows, labels)
            loss = marginal_contrast(
                rows,
                labels,
                self.queue.features,
                past_labels,
                margin=self.settings.margin,
                temperature=self.settings.intra_temperature,
                variant=self.settings.variant,
            )
            if self.waits:
                loss = loss * self.queue.full().to(loss.dtype)
            return undo_gradient_average(loss) if self.training else loss
