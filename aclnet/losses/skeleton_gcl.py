"""SkeletonGCL: the joint graphs that a network learns for each clip, contrasted by class.

Huang et al., "Graph contrastive learning for skeleton-based action recognition", ICLR 2023. The
last block's graph, averaged over persons and channels, is projected to a unit vector v and compared
with two memories: a bank of past graphs with their classes (instances), first in, first out, and a
moving mean of each class (semantics). With t the temperature the loss is the sum of

- the mean, over the least similar positives p of the bank and twice over the negatives n, once the
  most similar ones and once as many drawn at random, of
  -log(exp(v.p / t) / (exp(v.p / t) + sum over n of exp(v.n / t)));
- the cross-entropy of the cosines with the class means over t.

The released code has the first part alone, with one slot a training clip. The second part, the
bank's 684 slots a class and the momentum of the means are those of a later implementation that
names the paper as their source; they were not checked against its text. Departures: a bank of any
size (there an anchor with fewer positives or negatives than are to be compared is left out, so that
few clips train nothing: here those are compared that there are), and the batch itself is not a
candidate (there a clip is its own positive, but never among the least similar of many).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
from aclnet.losses.settings import SkeletonGclSettings
from aclnet.losses.term import FAR, Projection, Term, full_precision, unit_rows
from aclnet.seeding import derive_seed
from aclnet.state.centres import ClassCentres
from aclnet.state.queue import NO_LABEL, FeatureQueue


class SkeletonGcl(Term):
    """The contrast of graphs with its two memories, which are in buffers.

    With several ranks each computes the loss of the joined batch (see `aclnet.distributed`), and
    all draw the same random negatives, so that state, value and averaged gradient are those of one
    rank. In eval mode the memories are read but not written, and nothing is exchanged.

    Args:
        settings: the term's.
        class_count: K classes.
        graph_dim: length of the graph.
        generator: source of the initial weights; None: torch's default generator.
    """

    steps: Tensor

    def __init__(
        self,
        settings: SkeletonGclSettings,
        class_count: int,
        graph_dim: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.settings, width = settings, settings.projection_dim
        self.cl_fc = Projection(graph_dim, width, generator)
        size = settings.bank_of(class_count)
        self.bank = FeatureQueue(size, width, setting="bank_size of the term skeleton_gcl")
        self.centres = ClassCentres(class_count, width)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            lambda module, _: module.reread_steps()
        )
        self.reread_steps()

    def reread_steps(self) -> None:
        """Copy the number of steps from its buffer, so that no step waits for the device."""
        self._steps = int(self.steps)

    def forward(
        self, graph: Tensor, labels: Tensor, counts: Sequence[int] | None = None, **_: object
    ) -> Tensor:
        """Compute the loss and, in training mode, write the batch into the memories.

        Args:
            graph: (N, graph_dim), any floating type.
            labels: (N,) int64 in 0..K-1.
            counts: rows of each rank, where they are known (`aclnet.distributed.row_counts`).

        Returns:
            () of the batch of all ranks.
        """
        with full_precision(graph.device):
            rows, past_labels = self.cl_fc(graph), self.bank.labels
            if self.training:
                rows = join_rows(rows, counts)
                labels = all_gather_rows(labels, counts)
            units = unit_rows(rows)
            if self.training:
                past_labels = self.bank.push(units.detach(), labels)
                everyone = torch.ones_like(labels, dtype=torch.bool)
                momentum = self.settings.momentum
                self.centres.move(units.detach(), labels, everyone, momentum, begin_at_mean=True)
                self.steps += 1
                self._steps += 1
            loss = self._instances(units, labels, past_labels) + self._classes(units, labels)
            return undo_gradient_average(loss) if self.training else loss

    def _instances(self, units: Tensor, labels: Tensor, past_labels: Tensor) -> Tensor:
        """Against the bank: the mean over all pairs of an anchor and one of its positives."""
        settings, size = self.settings, self.bank.size
        scores = units @ self.bank.features.to(units.dtype).t() / settings.temperature
        positive = labels[:, None] == past_labels
        negative = ~positive & (past_labels != NO_LABEL)
        far = scores.masked_fill(~positive, FAR)
        near = far.topk(min(settings.positives, size), dim=1, largest=False).values
        valid = (near < FAR).to(units.dtype)
        number = min(settings.negatives, size)
        against = scores.masked_fill(~negative, -FAR)
        hard = against.topk(number, dim=1).values.logsumexp(dim=1, keepdim=True)
        order = self._order(size, units.device)
        drawn = negative[:, order]
        drawn &= drawn.cumsum(dim=1) <= number
        random = against[:, order].masked_fill(~drawn, -FAR).logsumexp(dim=1, keepdim=True)
        lost = functional.softplus(hard - near, threshold=40)
        lost = lost + functional.softplus(random - near, threshold=40)
        return (lost * valid).sum() / (2 * valid.sum()).clamp(min=1)

    def _order(self, size: int, device: torch.device) -> Tensor:
        """A random order of the bank's slots, the same on every rank and in a resumed run."""
        generator = torch.Generator(device)
        generator.manual_seed(derive_seed("skeleton_gcl", self._steps))
        return torch.rand(size, generator=generator, device=device).argsort()

    def _classes(self, units: Tensor, labels: Tensor) -> Tensor:
        """Against the means of the classes seen so far; a clip of another class counts as 0."""
        seen = self.centres.seen
        scores = units @ unit_rows(self.centres.centres).to(units.dtype).t()
        scores = (scores / self.settings.temperature).masked_fill(~seen, -FAR)
        lost = functional.cross_entropy(scores, labels, reduction="none")
        return (lost * seen[labels].to(lost.dtype)).mean()
