"""Stage 2 (ActCLR): what moves in a clip decides how it is changed and compared.

Lin et al., "Actionlet-Dependent Contrastive Learning for Unsupervised Skeleton-Based Action
Recognition", CVPR 2023, as released at the revision with linear heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.losses.term import full_precision
from aclnet.pretraining.actionlet import actionlet_key, locate, static_anchor
from aclnet.pretraining.body import body_of
from aclnet.pretraining.embedder import Embedder, Embedding, unit
from aclnet.pretraining.mixing import Mix, blend, draw_mix, is_late, key_weights
from aclnet.pretraining.neighbours import nearest_in_queue, neighbour_divergence
from aclnet.pretraining.objective import ViewObjective, Views
from aclnet.pretraining.settings import ActionletSettings
from aclnet.pretraining.transfer import Stream, draw_partners, transfer
from aclnet.skeleton import Layout


class StepDraws(NamedTuple):
    """The random numbers of a step.

    Attributes:
        partner: (N,) int64, whose style each clip takes.
        outside: how the second branch is mixed outside the actionlets.
        everywhere: how the third branch is mixed.
    """

    partner: Tensor
    outside: Mix
    everywhere: Mix


class ActionletContrast(ViewObjective):
    """Divergences of three queries from their keys over the keys' neighbours in the queue.

    Views: `strong`, `normal`, `weak`, `key`. The first query is the normal view inside its
    actionlet and the strong one outside; the second the weak view in another's style inside and
    mixed with another clip outside; the third is mixed everywhere, and so is its key.

    Args:
        embedder: to train, with the weights of stage 1.
        settings: sizes, temperatures, views, mixing.
        epochs: of the whole training.
        layout: joint layout of the clips.
        dims: coordinates a joint.
        stream: of the clips, for the style transfer.
        generator: source of the queue's random start; None: torch's default generator.
    """

    def __init__(
        self,
        embedder: Embedder,
        settings: ActionletSettings,
        epochs: int,
        layout: Layout,
        dims: int,
        stream: Stream = "j",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(embedder, settings, epochs, generator)
        self.settings, self.layout, self.dims = settings, layout, dims
        self.stream: Stream = stream
        self.neighbours = max(2, round(settings.neighbours_share * settings.queue_size))
        self.late = False

    def set_epoch(self, epoch: int) -> None:
        """Whether the second branch mixes less."""
        self.late = is_late(self.settings.mix, epoch, self.epochs)

    def draw(self, clips: Tensor, generator: torch.Generator) -> StepDraws:
        """Draw a step's random numbers for clips (N, M, T, V, C)."""
        body, settings = body_of(self.layout, self.dims, clips.device), self.settings.mix
        return StepDraws(
            draw_partners(len(clips), generator),
            draw_mix(clips, body, settings, generator, late=self.late),
            draw_mix(clips, body, settings, generator),
        )

    def losses(
        self, views: Views, counts: Sequence[int], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """See `ViewObjective.losses`; the parts are `kept`, `styled`, `mixed` and `actionlet`."""
        return self.compare(views, self.draw(views["weak"], generator), counts)

    def compare(
        self, views: Views, draws: StepDraws, counts: Sequence[int]
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """As `losses`, with given random numbers."""
        slow, settings = self.slow.network, self.settings
        body = body_of(self.layout, self.dims, views["weak"].device)

        def find(embedder: Embedder, view: str) -> tuple[Embedding, Tensor]:
            embedded = embedder(views[view])
            mask = locate(
                embedded,
                embedder.projector,
                anchor,
                body.parts,
                sharpness=settings.sharpness,
                batch=sum(counts),
            )
            return embedded, mask

        with torch.no_grad():
            anchor = static_anchor(slow, views["key"], counts)
            embedded, actionlet = find(slow, "key")
            key = actionlet_key(embedded, slow.projector, actionlet)
            normal, in_normal = find(self.online, "normal")
            weak, in_weak = find(self.online, "weak")
            styled, mix = views["weak"], draws.everywhere
            if settings.views.style_transfer:
                styled = transfer(styled, styled[draws.partner], self.stream, body)
            other, own = key_weights(in_weak, mix, styled.shape[2])
            mixed_key = unit(own.unsqueeze(1) * key + other.unsqueeze(1) * key[mix.partner])
            branches = {
                "kept": blend(views["normal"], views["strong"], in_normal),
                "styled": blend(styled, draws.outside.apply(styled), in_weak),
                "mixed": mix.apply(styled),
            }
        parts = self._divergences(branches, key, mixed_key)
        loss = torch.stack(list(parts.values())).sum()
        if settings.anchor_pull:
            loss = loss + self._anchor_pull(normal.pooled, weak.pooled, anchor=anchor)
        return loss, {**parts, "actionlet": actionlet.mean()}, key

    def _divergences(
        self, branches: Mapping[str, Tensor], key: Tensor, mixed_key: Tensor
    ) -> dict[str, Tensor]:
        """The divergence of each branch from its key."""
        queue = self.queue.features.clone()  # which is written before the backward pass
        with full_precision(key.device):
            near, mixed_near = (
                nearest_in_queue(one, queue, self.neighbours, self.settings.same_above)
                for one in (key, mixed_key)
            )
        parts = {}
        for name, clips in branches.items():
            query = self.online(clips).raw
            with full_precision(query.device):
                parts[name] = neighbour_divergence(
                    unit(query),
                    mixed_near if name == "mixed" else near,
                    queue,
                    teacher_temperature=self.settings.teacher_temperature,
                    student_temperature=self.settings.student_temperature,
                )
        return parts

    def _anchor_pull(self, *pooled: Tensor, anchor: Tensor) -> Tensor:
        """Zero, with the gradient that the released code's search leaves in the projector.

        There the search for the actionlets is a backward pass, whose gradients of the projector
        are not cleared: it also learns to make views like the static anchor.
        """
        with full_precision(anchor.device):
            raw = self.online.projector(torch.cat(pooled).detach())
            likeness = functional.cosine_similarity(raw, anchor).sum() / len(pooled[0])
            return likeness.detach() - likeness
