"""Views of clips: which changes each takes, their draws, and the changed clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from aclnet.pretraining.body import Body
from aclnet.pretraining.views.batch import Batch
from aclnet.pretraining.views.settings import METHODS, ChangeSettings, Method
from aclnet.pretraining.views.spatial import (
    AxisMask,
    Drop,
    ExchangeSides,
    Noise,
    RescaleBones,
    Rotate,
    Shear,
)
from aclnet.pretraining.views.temporal import Blur, Crop, RescaleTime, Reverse


class Change(Protocol):
    """What was drawn of one method for a batch of clips."""

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """The changed clips, without randomness; those given stay as they are.

        Args:
            clips: (N, M, T, V, C).
            body: the joints.

        Returns:
            (N, M, T, V, C).
        """


@dataclass(frozen=True)
class ViewPlan:
    """The changes that one view takes in one epoch.

    Attributes:
        methods: which, in any order; they are taken in that of `METHODS`.
        strong: whether noise has the strong view's deviation.
        keep_centre: whether shear leaves the centre joint where it is.
    """

    methods: tuple[Method, ...]
    strong: bool = False
    keep_centre: bool = True


def draw_changes(batch: Batch, plan: ViewPlan, settings: ChangeSettings) -> tuple[Change, ...]:
    """Draw the changes of one view for a batch, in the order in which they are taken."""
    makers: dict[Method, Callable[[], Change]] = {
        "crop": lambda: Crop.draw(batch, settings),
        "shear": lambda: Shear.draw(batch, settings, plan.keep_centre),
        "exchange_sides": lambda: ExchangeSides.draw(batch, settings),
        "rotate": lambda: Rotate.draw(batch, settings),
        "noise": lambda: Noise.draw(batch, settings, plan.strong),
        "blur": lambda: Blur.draw(batch, settings),
        "axis_mask": lambda: AxisMask.draw(batch, settings),
        "reverse": lambda: Reverse.draw(batch, settings),
        "drop": lambda: Drop.draw(batch, settings),
        "rescale_time": lambda: RescaleTime.draw(batch, settings),
        "rescale_bones": lambda: RescaleBones.draw(batch, settings),
    }
    return tuple(makers[method]() for method in METHODS if method in plan.methods)


def apply_changes(clips: Tensor, changes: Iterable[Change], body: Body) -> Tensor:
    """Take changes one after another: (N, M, T, V, C)."""
    for change in changes:
        clips = change.apply(clips, body)
    return clips


def make_views(
    clips: Tensor,
    plans: Mapping[str, ViewPlan],
    body: Body,
    settings: ChangeSettings,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Draw and make the views of a batch; streams are derived from them afterwards.

    Call it outside autocast, which would round rotations, with a generator that is seeded by run,
    epoch and step: the published code draws the same numbers in every epoch of stage 1.

    Args:
        clips: (N, M, T, V, C) joints, normalised.
        plans: the views by name, drawn in this order.
        body: the joints, on the clips' device.
        settings: strengths.
        generator: on the clips' device.

    Returns:
        (N, M, T, V, C) by the view's name.
    """
    batch = Batch.of(clips, body.dims, generator)
    return {
        name: apply_changes(clips, draw_changes(batch, plan, settings), body)
        for name, plan in plans.items()
    }
