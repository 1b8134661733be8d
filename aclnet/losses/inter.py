"""Inter-class affinity contrastive loss: each sample against the centres of its motion family.

Source: Liu et al. (ACLNet), Eq. 3-9. `aclnet.state.variant` lists where the released code differs.

A training step in epoch e (1-based), with s = `start_epoch`: project the feature; count the
mistakes if e >= s; move the centres; if e > s, rebuild the families in the first step of the epoch
(after counting its mistakes) and return the loss. Up to epoch s the loss is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
from aclnet.losses.settings import ObjectiveSettings
from aclnet.losses.term import (
    FAR,
    Projection,
    Term,
    full_precision,
    lengths_of,
    unit_gradient,
    unit_rows,
    with_gradient,
)
from aclnet.state.centres import ClassCentres
from aclnet.state.confusion import ConfusionCounts
from aclnet.state.families import MotionFamilies


def family_temperature(
    family_sizes: Tensor,
    neighbours: int,
    temperatures: tuple[float, float, float],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Temperature by the size of the family (Eq. 9).

    Args:
        family_sizes: (N,) int64.
        neighbours: K; the steps are above K and above 2 K.
        temperatures: for sizes up to K, up to 2 K, and above.
        dtype: floating type of the result.

    Returns:
        (N,) floating.

    >>> family_temperature(torch.tensor([10, 11, 21]), 10, (0.1, 0.5, 1.0), torch.float64).tolist()
    [0.1, 0.5, 1.0]
    """
    small, middle, large = temperatures
    chosen = torch.full_like(family_sizes, small, dtype=dtype)
    chosen = chosen.masked_fill(family_sizes > neighbours, middle)
    return chosen.masked_fill(family_sizes > 2 * neighbours, large)


@torch.no_grad()
def family_contrast(
    similarity: Tensor, labels: Tensor, families: Tensor, temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """Pull each row to its class centre and away from those of its family (Eq. 8).

    Args:
        similarity: (N, K) of rows and centres.
        labels: (N,) int64.
        families: (N, K) bool, members for each row. A class that is a member of its own family
            appears twice in the denominator. With no member the term is 0.
        temperature: (N,).

    Returns:
        () mean over the rows, and its gradient (N, K) in the similarity.
    """
    own = labels[:, None]
    # A mask of numbers: a multiplication is several times as fast as a selection.
    bias = (~families).view(torch.uint8).to(similarity.dtype).mul_(-FAR)
    again = families.gather(1, own).to(bias.dtype).mul_(math.log(2))
    bias.scatter_(1, own, again)
    scaled = bias.addcdiv_(similarity, temperature[:, None])
    found = scaled.log_softmax(dim=1).gather(1, own) - again
    number = len(labels)
    slope = scaled.softmax(dim=1)
    slope.scatter_(1, own, slope.gather(1, own) - 1)
    return -found.mean(), slope.div_(number * temperature[:, None])


class InterClassLoss(Term):
    """The inter-class term; its whole memory is in buffers.

    With several ranks each computes the loss of the joined batch (see `aclnet.distributed`), so
    state, value and averaged gradient are those of one rank. In eval mode nothing is counted,
    moved or exchanged; the loss is that of the current centres and families.

    Args:
        settings: the objective's.
        class_count: K classes, at least 2.
        feature_dim: length of the feature.
        generator: source of the initial state; None: torch's default generator.
    """

    epoch: Tensor

    def __init__(
        self,
        settings: ObjectiveSettings,
        class_count: int,
        feature_dim: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.settings, variant = settings, settings.variant
        self.start_epoch = settings.start_epoch or 0
        width = settings.projection_dim
        self.released = variant == "released"
        self.cl_fc = Projection(feature_dim, width, generator)
        self.confusion = ConfusionCounts(class_count, variant)
        self.centres = ClassCentres(class_count, width, random=self.released, generator=generator)
        self.neighbours, overlap = settings.family_sizes(class_count)
        self.families = MotionFamilies(
            class_count, self.neighbours, overlap, variant, settings.context
        )
        self.register_buffer("epoch", torch.ones((), dtype=torch.int64))
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda module, _: module.reread_schedule()
        )
        self.reread_schedule()

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the coming steps.

        Args:
            epoch: 1-based.
        """
        self.epoch.fill_(epoch)
        self.reread_schedule()

    def reread_schedule(self) -> None:
        """Copy from the buffers what a step depends on, so that no step waits for the device.

        The buffers `epoch` and `families.built_epoch` are the truth. They are read here, when an
        epoch begins or a checkpoint is loaded, and never in a step.
        """
        self._epoch = int(self.epoch)
        self._families_due = int(self.families.built_epoch) != self._epoch

    def forward(
        self,
        logits: Tensor,
        feature: Tensor,
        labels: Tensor,
        counts: Sequence[int] | None = None,
        **_: object,
    ) -> Tensor:
        """Compute the loss and, in training mode, update the state.

        Args:
            logits: (N, K), for the prediction only; they get no gradient.
            feature: (N, feature_dim).
            labels: (N,) int64 in 0..K-1.
            counts: rows of each rank, where they are known (`aclnet.distributed.row_counts`).

        Returns:
            () mean over the batch of all ranks; up to `start_epoch` 0 with zero gradients, so
            that `DistributedDataParallel` sees every parameter used.
        """
        with full_precision(feature.device):
            own = self.cl_fc(feature)
            if not self.training:
                return self._loss(own, labels, None)
            joined = join_rows(own, counts)
            predicted = all_gather_rows(logits.argmax(dim=1), counts)
            labels = all_gather_rows(labels, counts)
            self._count(labels, predicted)
            moved = self._move_centres(joined.detach(), labels, predicted)
            return undo_gradient_average(self._loss(joined, labels, moved))

    def _count(self, labels: Tensor, predicted: Tensor) -> None:
        if self._epoch >= self.start_epoch:
            self.confusion.add(labels, predicted)
        if self._epoch > self.start_epoch and self._families_due:
            self.families.rebuild(self.confusion.counts, self._epoch)
            self._families_due = False

    def _move_centres(
        self, rows: Tensor, labels: Tensor, predicted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Move the centres; returns whose, and how each depends on each row."""
        # Released: only samples classified rightly shape their class, and the random start is a
        # past like any other; paper: all samples, as unit rows, and the first mean starts a centre.
        momentum = self.settings.momentum
        if self.released:
            chosen = predicted == labels
            return self.centres.move(rows, labels, chosen, momentum, begin_at_mean=False)
        everyone = torch.ones_like(labels, dtype=torch.bool)
        return self.centres.move(unit_rows(rows), labels, everyone, momentum, begin_at_mean=True)

    def _loss(self, rows: Tensor, labels: Tensor, moved: tuple[Tensor, Tensor] | None) -> Tensor:
        if self._epoch <= self.start_epoch:
            return rows.sum() * 0.0 + 0.0  # + 0.0: never the minus zero of a negative sum
        value, gradient = self._contrast(rows.detach(), labels, moved)
        return with_gradient(value, rows, gradient)

    @torch.no_grad()
    def _contrast(
        self, rows: Tensor, labels: Tensor, moved: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """The loss and its gradient in the projected rows."""
        families, settings = self.families.members[labels], self.settings
        temperature = family_temperature(
            families.sum(dim=1), self.neighbours, settings.temperatures, rows.dtype
        )
        lengths, centres = lengths_of(rows), self.centres.centres.to(rows.dtype)
        units = rows / lengths
        similarity = units @ centres.t()
        if not self.released:
            families &= self.centres.seen
            value, slope = family_contrast(similarity, labels, families, temperature)
            return value, unit_gradient(units, lengths, slope @ centres)
        # Released: cosines, and the batch's share of a centre lets the gradient through.
        scale = 1 / lengths_of(centres).t()
        value, slope = family_contrast(similarity.mul_(scale), labels, families, temperature)
        slope *= scale
        gradient = unit_gradient(units, lengths, slope @ centres)
        if moved is not None:
            classes, share = moved
            of_class = centres[classes]
            its_length = 1 / scale[0, classes, None]
            of_class /= its_length
            by_unit = slope[:, classes].t() @ units * its_length
            gradient += share.t() @ unit_gradient(of_class, its_length, by_unit)
        return value, gradient
