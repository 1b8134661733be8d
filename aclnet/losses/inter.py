"""Inter-class affinity contrastive loss: each sample against the centres of its motion family.

Source: Liu et al. (ACLNet), Eq. 3-9. `aclnet.state.variant` lists where the released code differs.

A training step in epoch e (1-based), with s = `start_epoch`: project the feature; count the
mistakes if e >= s; move the centres; if e > s, rebuild the families in the first step of the epoch
(after counting its mistakes) and return the loss. Up to epoch s the loss is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
from aclnet.losses.settings import ObjectiveSettings
from aclnet.losses.term import Projection, Term, full_precision, unit_rows
from aclnet.state.centres import ClassCentres, class_means, moved_centres
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


def family_contrast(
    rows: Tensor, labels: Tensor, centres: Tensor, families: Tensor, temperature: Tensor
) -> Tensor:
    """Pull each row to its class centre and away from those of its family (Eq. 8).

    Args:
        rows: (N, D) floating.
        labels: (N,) int64.
        centres: (K, D).
        families: (N, K) bool, members for each row. A class that is a member of its own family
            appears twice in the denominator. With no member the term is 0.
        temperature: (N,).

    Returns:
        () mean over the rows.
    """
    similarity = (rows @ centres.t()) / temperature[:, None]
    own = similarity.gather(1, labels[:, None])
    others = similarity.masked_fill(~families, -torch.inf)
    return (torch.cat([own, others], dim=1).logsumexp(dim=1) - own[:, 0]).mean()


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
        width = settings.projection_dim
        self.released = variant == "released"
        self.cl_fc = Projection(feature_dim, width, generator)
        self.confusion = ConfusionCounts(class_count, variant)
        self.centres = ClassCentres(class_count, width, random=self.released, generator=generator)
        self.families = MotionFamilies(class_count, settings.neighbours, settings.overlap, variant)
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
        self, logits: Tensor, feature: Tensor, labels: Tensor, counts: Sequence[int] | None = None
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
            own = own if self.released else unit_rows(own)
            rows, centres = own, self.centres.centres
            if self.training:
                predicted = all_gather_rows(logits.argmax(dim=1), counts)
                labels = all_gather_rows(labels, counts)
                rows = join_rows(own, counts)
                self._count(labels, predicted)
                centres = self._move_centres(rows, labels, predicted)
            if self._epoch <= self.settings.start_epoch:
                return own.sum() * 0.0 + 0.0  # + 0.0: never the minus zero of a negative sum
            loss = self._contrast(rows, labels, centres)
            return undo_gradient_average(loss) if self.training else loss

    def _count(self, labels: Tensor, predicted: Tensor) -> None:
        if self._epoch >= self.settings.start_epoch:
            self.confusion.add(labels, predicted)
        if self._epoch > self.settings.start_epoch and self._families_due:
            self.families.rebuild(self.confusion.counts, self._epoch)
            self._families_due = False

    def _move_centres(self, rows: Tensor, labels: Tensor, predicted: Tensor) -> Tensor:
        """Move the centres and return them for the loss."""
        # Released: only samples classified rightly shape their class; paper: all of them.
        everyone = torch.ones_like(labels, dtype=torch.bool)
        chosen = predicted == labels if self.released else everyone
        # Released: the batch's share of the centre lets the gradient through; paper: a constant.
        source = rows if self.released else rows.detach()
        past = self.centres.centres
        means, present = class_means(source, labels, chosen, past.shape[0])
        # Released: the random start is a past like any other; paper: the first mean starts it.
        fresh = torch.zeros_like(present) if self.released else ~self.centres.seen
        moved = moved_centres(past, means, present, fresh, self.settings.momentum)
        self.centres.store(moved, present)
        return moved

    def _contrast(self, rows: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
        families = self.families.members[labels]
        sizes, settings = families.sum(dim=1), self.settings
        temperature = family_temperature(
            sizes, settings.neighbours, settings.temperatures, rows.dtype
        )
        if self.released:
            rows, centres = unit_rows(rows), unit_rows(centres)
        else:
            families = families & self.centres.seen
        return family_contrast(rows, labels, centres, families, temperature)
