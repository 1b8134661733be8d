"""Pre-training of an encoder: on views of its clips, on masked ones, and not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from aclnet.clips.input import ClipInput
from aclnet.models import SkeletonNetwork
from aclnet.models.encoder import Encoder
from aclnet.pretraining.actclr import ActionletContrast
from aclnet.pretraining.aimclr import ExtremeContrast
from aclnet.pretraining.body import body_of
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.pretraining.masked import MaskedMotion
from aclnet.pretraining.method import MethodSettings
from aclnet.pretraining.objective import ViewObjective
from aclnet.pretraining.transfer import Stream
from aclnet.pretraining.views.curriculum import stage1_plan, stage2_plan
from aclnet.pretraining.views.recipe import ViewPlan, make_views
from aclnet.pretraining.views.settings import ChangeSettings
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable

Plan = Callable[[int], Mapping[str, ViewPlan]]
"""The views by name in an epoch, 1-based."""


class ViewTraining(Trainable):
    """An objective of views, and the network whose encoder it trains; labels are not used.

    The classifier and the neck are not trained. With micro-batches the slow embedder moves and
    the queue is written in each of them.

    Args:
        network: of which the objective trains the encoder.
        objective: of views; its online embedder has the network's encoder.
        clip_input: prepares clips; their streams are made of the views.
        plan: which changes each view takes.
        changes: their strengths.
        windows: of a recording in its clip; the view `key` shows the last.
    """

    def __init__(
        self,
        network: SkeletonNetwork,
        objective: ViewObjective,
        clip_input: ClipInput,
        plan: Plan,
        changes: ChangeSettings,
        windows: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        _freeze_head(network)
        self._clip_input, self._plan, self._changes = clip_input, plan, changes
        self._windows = windows
        self._plans: Mapping[str, ViewPlan] = plan(1)
        self._generator = torch.Generator()

    def set_epoch(self, epoch: int) -> None:
        """Set the views and the objective's epoch."""
        self._plans = self._plan(epoch)
        self.objective.set_epoch(epoch)

    def augmented(
        self,
        clips: Tensor,
        generator: torch.Generator,
        widths: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """All views of clips, in the order of the plan.

        Args:
            clips: as stored, (N, M, windows * T, V, C), one window after the other.
            generator: seeded for this step; `forward` draws from it too, one micro-batch after
                the other.
            widths: not used.

        Returns:
            (N, views, M, T, V, channels).
        """
        self._generator = generator
        given = self._clip_input
        body = body_of(given.layout, given.dims, clips.device)
        shown = clips.chunk(self._windows, dim=2)
        made = [
            make_views(given.normalised(window), plans, body, self._changes, generator)
            for window, plans in zip(shown, self._plans_by_window(), strict=True)
        ]
        return torch.stack([given.streams(view) for one in made for view in one.values()], dim=1)

    def _plans_by_window(self) -> list[Mapping[str, ViewPlan]]:
        """The views of each window; the last view is the key."""
        if self._windows == 1:
            return [self._plans]
        *queries, key = self._plans.items()
        return [dict(queries), dict([key])]

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses of the objective.

        Args:
            clips: (N, views, M, T, V, channels) from `augmented`.
            labels: not used.
        """
        del labels
        views = dict(zip(self._plans, clips.unbind(dim=1), strict=True))
        losses: dict[str, Tensor] = self.objective(views, self._generator)
        return losses


class MaskedTraining(Trainable):
    """Prediction of masked motion, and the network whose encoder it trains; labels are not used.

    The classifier and the neck are not trained.

    Args:
        network: of which the objective trains the encoder.
        objective: has the network's encoder.
        clip_input: prepares and augments clips.
    """

    def __init__(
        self, network: SkeletonNetwork, objective: MaskedMotion, clip_input: ClipInput
    ) -> None:
        super().__init__(clip_input.augmented)
        self.network = network
        self.objective = objective
        _freeze_head(network)
        self._generator = torch.Generator()

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        """See `Trainable.augmented`; `forward` draws the masks from the same generator."""
        self._generator = generator
        return super().augmented(clips, generator, widths)

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The objective's loss of clips (N, M, T, V, C); labels are not used."""
        del labels
        losses: dict[str, Tensor] = self.objective(clips, self._generator)
        return losses


def _freeze_head(network: SkeletonNetwork) -> None:
    for unused in (network.neck, network.classifier):
        unused.requires_grad_(False)


class Untrained(Trainable):
    """A network whose weights stay random, and whose batch normalisations see the clips.

    The baseline of all pre-training: without the statistics of its normalisations, which cost no
    label, an encoder of random weights would be worse than it need be.

    Args:
        network: not trained.
        clip_input: prepares clips.
    """

    def __init__(self, network: SkeletonNetwork, clip_input: ClipInput) -> None:
        super().__init__(clip_input.augmented)
        self.network = network.requires_grad_(False)
        self.idle = nn.Parameter(torch.zeros(()))  # an optimizer needs one

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """A loss of zero."""
        del labels
        with torch.no_grad():
            self.network.encoder(clips)
        return {"loss": self.idle.square()}


def build_pretraining(
    settings: MethodSettings,
    network: SkeletonNetwork,
    clip_input: ClipInput,
    train: TrainSettings,
    generator: torch.Generator,
) -> Trainable:
    """A network with the objective that trains its encoder without labels.

    Args:
        settings: the method's.
        network: the untrained network.
        clip_input: prepares clips.
        train: length and seed of the training, which the views' curriculum follows.
        generator: source of the objective's initial weights.

    Raises:
        ValueError: the encoder has no feature map of joints, which views are compared by.
    """
    if settings.method == "random":
        return Untrained(network, clip_input)
    if settings.method == "masked":
        masked = MaskedMotion(network.encoder, settings.masked, clip_input.dims, generator)
        return MaskedTraining(network, masked, clip_input)
    first, second = settings.aimclr, settings.actclr
    chosen = first if settings.method == "aimclr" else second
    projector = Projector(network.classifier.in_features, chosen.projection_dim, generator)
    embedder = Embedder(cast(Encoder, network.encoder), projector)
    epochs = train.epochs
    if settings.method == "aimclr":
        return ViewTraining(
            network,
            ExtremeContrast(embedder, first, epochs, generator),
            clip_input,
            lambda _: stage1_plan(first.views),
            first.views.changes,
            settings.windows,
        )
    stream = cast(Stream, clip_input.settings.streams[0])
    layout, dims = clip_input.layout, clip_input.dims
    return ViewTraining(
        network,
        ActionletContrast(embedder, second, epochs, layout, dims, stream, generator),
        clip_input,
        partial(stage2_plan, second.views, epochs=epochs, seed=train.seed),
        second.views.changes,
        settings.windows,
    )
