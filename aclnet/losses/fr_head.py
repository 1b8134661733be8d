"""FR-Head: refined features of joints and of frames at several depths, against class prototypes.

Zhou, Liu and Wang, "Learning discriminative representations for skeleton based action recognition",
CVPR 2023: a head for the training alone. After each of the encoder's stages the feature map is
averaged over frames (spatial branch) or over joints (temporal branch), squeezed and projected, and
each branch adds a contrastive loss that minds the ambiguous clips: those of the class that the
classifier missed (false negatives), and those of others that it took for it (false positives).

With f a projected clip of class k, P the prototypes, p_k the classifier's probability of k, m and w
the batch's mean features of the clips of k that were missed and of those wrongly taken for it,
t the temperature and cos the cosine:

    phi = (1 - p_k) (1 - cos(f, m)),    psi = (1 - p_k) (1 + cos(f, w)),    0 without such clips,
    loss = -log softmax_k(cos(f, P) / t - phi at k) - log softmax_k(cos(f, P) / t - psi at k).

Where paper and released code differ, the code is followed: phi and psi count for every clip (paper:
those classified rightly), the batch's share of a prototype lets the gradient through, and they
start random. There phi and psi carry a factor 0.125 / t, which is 1 at the published t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
from aclnet.losses.settings import FrHeadSettings, StageShape
from aclnet.losses.term import Projection, Term, at_least_float32, full_precision, unit_rows
from aclnet.models.encoder import reset_layers
from aclnet.state.centres import ClassCentres


class FrHead(Term):
    """The head with its prototypes, which are in buffers.

    Each branch has width `projection_dim // places` a place, at least 1, of its joints or frames.
    Departure: absent persons weigh as in the encoder's pooled feature (there as much as others).

    With several ranks each computes the loss of the joined batch (see `aclnet.distributed`), so
    state, value and averaged gradient are those of one rank where batch norms are synchronised.
    In eval mode no prototype moves and nothing is exchanged.

    Args:
        settings: the term's.
        class_count: K classes.
        stages: (D', T', V) of the encoder's stages; the last ones have the last of the weights.
        generator: source of the initial state; None: torch's default generator.
    """

    def __init__(
        self,
        settings: FrHeadSettings,
        class_count: int,
        stages: Sequence[StageShape],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.levels = settings.levels[-len(stages) :]
        self.branches = nn.ModuleList(
            _Branch(channels, places, settings, class_count, generator)
            for channels, frames, joints in stages[-len(self.levels) :]
            for places in (joints, frames)
        )

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        stages: Sequence[Tensor],
        counts: Sequence[int] | None = None,
        **_: object,
    ) -> Tensor:
        """Compute the loss and, in training mode, move the prototypes.

        Args:
            logits: (N, K), for predictions and probabilities only; they get no gradient.
            labels: (N,) int64 in 0..K-1.
            stages: (N, D', T', V) each, any floating type.
            counts: rows of each rank, where they are known (`aclnet.distributed.row_counts`).

        Returns:
            () mean over the batch of all ranks, summed over the branches with the levels' weights.
        """
        with full_precision(logits.device):
            logits = at_least_float32(logits.detach())
            predicted = logits.argmax(dim=1)
            doubt = 1 - logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]
            kept = stages[-len(self.levels) :]
            means = [_mean(stage, axis) for stage in kept for axis in (2, 3)]
            projected = [branch(mean) for branch, mean in zip(self.branches, means, strict=True)]
            rows = torch.stack(projected, dim=1)  # (N, branches, D)
            if self.training:
                rows = join_rows(rows, counts)
                labels = all_gather_rows(labels, counts)
                predicted = all_gather_rows(predicted, counts)
                doubt = all_gather_rows(doubt, counts)
            weights = [level for level in self.levels for _ in range(2)]
            parts = [
                weight * cast(_Branch, branch).contrast(own, labels, predicted, doubt)
                for weight, branch, own in zip(weights, self.branches, rows.unbind(1), strict=True)
            ]
            loss = torch.stack(parts).sum()
            return undo_gradient_average(loss) if self.training else loss


class _Branch(nn.Module):
    """Squeezes, projects and contrasts features (N, C, places) of joints or frames."""

    def __init__(
        self,
        channels: int,
        places: int,
        settings: FrHeadSettings,
        class_count: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.settings, width = settings, settings.projection_dim
        each = max(1, width // places)
        self.squeeze = nn.Conv1d(channels, each, 1)
        self.norm = nn.BatchNorm1d(each)
        reset_layers(self, generator)
        self.cl_fc = Projection(each * places, width, generator)
        self.centres = ClassCentres(class_count, width, random=True, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        """Project (N, C, places) to (N, D)."""
        squeezed: Tensor = self.norm(self.squeeze(features)).relu()
        projected: Tensor = self.cl_fc(squeezed.flatten(1))
        return projected

    def contrast(self, rows: Tensor, labels: Tensor, predicted: Tensor, doubt: Tensor) -> Tensor:
        """The loss () of projected rows (N, D) with labels, predictions and 1 - p_k, all (N,)."""
        wrong = predicted != labels
        centres = self._centres(rows, labels, ~wrong)
        units, temperature = unit_rows(rows), self.settings.temperature
        scores = units @ unit_rows(centres).t() / temperature
        missed, found_missed = _likeness(units, rows, (labels[:, None] == labels) & wrong)
        taken, found_taken = _likeness(units, rows, (labels[:, None] == predicted) & wrong)
        phi = doubt * (1 - missed) * found_missed
        psi = doubt * (1 + taken) * found_taken
        own = labels[:, None]
        return functional.cross_entropy(
            scores.scatter_add(1, own, -phi[:, None]), labels
        ) + functional.cross_entropy(scores.scatter_add(1, own, -psi[:, None]), labels)

    def _centres(self, rows: Tensor, labels: Tensor, right: Tensor) -> Tensor:
        """The prototypes (K, D), after a move towards the rows that were classified rightly."""
        if not self.training:
            return self.centres.centres.to(rows.dtype)
        classes, share = self.centres.move(
            rows.detach(), labels, right, self.settings.momentum, begin_at_mean=False
        )
        change = share @ (rows - rows.detach())  # zero: it only carries the gradient
        return self.centres.centres.to(rows.dtype).index_add(0, classes, change)


def _mean(stage: Tensor, axis: int) -> Tensor:
    """The mean over frames (2) or joints (3), in float32 or better."""
    return stage.mean(dim=axis, dtype=torch.promote_types(stage.dtype, torch.float32))


def _likeness(units: Tensor, rows: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine of each row with the mean of those chosen for it, and whether there are any.

    Args:
        units: (N, D) the rows' unit rows.
        rows: (N, D).
        chosen: (N, N) bool.

    Returns:
        Both (N,) of the rows' type.
    """
    share = chosen.to(rows.dtype)
    number = share.sum(dim=1, keepdim=True)
    means = share / number.clamp(min=1) @ rows
    return (units * unit_rows(means)).sum(dim=1), (number[:, 0] > 0).to(rows.dtype)
