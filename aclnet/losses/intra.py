"""Intra-class marginal contrastive loss: positives nearer than negatives by a margin.

Source: Liu et al. (ACLNet), Eq. 10-15. `aclnet.state.variant` lists where the released code
differs; the queue of past features comes from the released code and works with both variants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
from aclnet.losses.settings import ObjectiveSettings
from aclnet.losses.term import (
    FAR,
    Projection,
    Term,
    full_precision,
    lengths_of,
    unit_gradient,
    with_gradient,
)
from aclnet.state.queue import NO_LABEL, FeatureQueue
from aclnet.state.variant import Variant


@torch.no_grad()
def marginal_contrast(
    rows: Tensor,
    labels: Tensor,
    past: Tensor,
    past_labels: Tensor,
    *,
    margin: float,
    temperature: float,
    variant: Variant,
) -> tuple[Tensor, Tensor]:
    """Contrast each row with the others of its batch and with past ones.

    With x = log A + m - s the logarithm of Eq. 15's fraction is m - log(1 + exp(x)): s is a
    similarity over the temperature, m the margin over it, A the sum over negatives. Its derivative
    by s is sigmoid(x), and by log A minus that, so that the gradient comes with the value.

    Args:
        rows: (N, D) unit rows: the anchors, and candidates for each other.
        labels: (N,) int64.
        past: (Q, D) unit rows, candidates only.
        past_labels: (Q,) int64, `NO_LABEL` where there is no candidate.
        margin: epsilon.
        temperature: tau.
        variant: paper or released.

    Returns:
        () mean over the anchors, where one without positive counts as 0, and its gradient (N, D)
        in the rows.
    """
    number, released = len(rows), variant == "released"
    # Released: the margin is not divided by the temperature.
    margin = margin if released else margin / temperature
    past = past.to(rows.dtype)
    similarity = rows.new_empty(number, number + len(past))
    scaled = rows / temperature
    torch.mm(scaled, rows.t(), out=similarity[:, :number])
    torch.mm(scaled, past.t(), out=similarity[:, number:])
    candidates = torch.cat([labels, past_labels])
    # Masks are numbers: multiplications are several times as fast as selections.
    positive = (labels[:, None] == candidates).view(torch.uint8).to(rows.dtype)
    others = positive + (candidates == NO_LABEL).to(rows.dtype)
    positive.diagonal().zero_()
    lowered = torch.sub(similarity, others, alpha=FAR, out=others)
    power = lowered.softmax(dim=1)  # of the negatives among themselves
    away = lowered.amax(dim=1, keepdim=True) - power.amax(dim=1, keepdim=True).log()
    total = away
    if released:  # a constant is added to the sum, after a shift by the row's largest value
        shift = similarity.amax(dim=1, keepdim=True)
        total = torch.logaddexp(away, shift + math.log(1e-6))
        # Released: the mean over the positives; paper: their sum.
        positive /= positive.sum(dim=1, keepdim=True).clamp_(min=1)
    behind = torch.sub(total + margin, similarity, out=similarity)
    lost = functional.softplus(behind, threshold=40).mul_(positive)
    value = lost.sum() - margin * positive.sum()
    pull = positive.mul_(behind.sigmoid_())
    push = pull.sum(dim=1, keepdim=True) * (away - total).exp()
    slope = power.mul_(push).sub_(pull)
    own = slope[:, :number]
    gradient = torch.addmm(slope[:, number:] @ past, own + own.t(), rows)
    return value / number, gradient.div_(number * temperature)


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
        self.queue = FeatureQueue(settings.queue_size or 0, settings.projection_dim)

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
            rows = self.cl_fc(feature)
            past_labels = self.queue.labels
            if self.training:
                rows = join_rows(rows, counts)
                labels = all_gather_rows(labels, counts)
            lengths = lengths_of(rows.detach())
            units = rows.detach() / lengths
            if self.training:
                past_labels = self.queue.push(units, labels)
            value, gradient = marginal_contrast(
                units,
                labels,
                self.queue.features,
                past_labels,
                margin=self.settings.margin,
                temperature=self.settings.intra_temperature,
                variant=self.settings.variant,
            )
            loss = with_gradient(value, rows, unit_gradient(units, lengths, gradient))
            if self.waits:
                loss = loss * self.queue.full().to(loss.dtype)
            return undo_gradient_average(loss) if self.training else loss
