"""Which changes each view takes in each epoch."""

from __future__ import annotations

import numpy as np

from aclnet.pretraining.views.recipe import ViewPlan
from aclnet.pretraining.views.settings import (
    ActionletViewSettings,
    ExtremeViewSettings,
    Method,
    PhaseSettings,
)
from aclnet.seeding import derive_seed


def stage1_plan(settings: ExtremeViewSettings) -> dict[str, ViewPlan]:
    """The views of stage 1, `query`, `extreme` and `key`, the same in every epoch."""
    ordinary = ViewPlan(settings.ordinary, keep_centre=False)
    extreme = ViewPlan(settings.extreme, keep_centre=False)
    return {"query": ordinary, "extreme": extreme, "key": ordinary}


def stage2_plan(
    settings: ActionletViewSettings, epoch: int, epochs: int, seed: int
) -> dict[str, ViewPlan]:
    """The views of stage 2, `strong`, `normal`, `weak` and `key`.

    The changes of the first two are drawn once an epoch, the same on every rank and after resuming.

    Args:
        settings: the views' changes and the curriculum.
        epoch: 1-based.
        epochs: of the whole training, in whose shares the curriculum is.
        seed: the run's.
    """
    phase = find_phase(settings.phases, epoch, epochs)
    random = np.random.default_rng(derive_seed("views", seed, epoch))
    basic = settings.basic if phase.basic else ()
    normal = basic + _some(settings.normal, phase.normal, random)
    strong = basic + _some(settings.strong, phase.strong, random)
    return {
        "strong": ViewPlan(strong, strong=True),
        "normal": ViewPlan(normal),
        "weak": ViewPlan(basic),
        "key": ViewPlan(basic),
    }


def find_phase(phases: tuple[PhaseSettings, ...], epoch: int, epochs: int) -> PhaseSettings:
    """The phase of an epoch (1-based); phases end at the nearest whole epoch.

    >>> from aclnet.pretraining.views.settings import CURRICULUM
    >>> [find_phase(CURRICULUM, epoch, 350).normal for epoch in (1, 100, 101, 200, 300, 301)]
    [5, 5, 3, 3, 1, 0]
    >>> [find_phase(CURRICULUM, epoch, 60).normal for epoch in (17, 18, 34, 35, 51, 52)]
    [5, 3, 3, 1, 1, 0]
    """
    ends = [round(phase.until * epochs) for phase in phases]
    return next(
        (phase for phase, end in zip(phases, ends, strict=True) if epoch <= end), phases[-1]
    )


def _some(
    methods: tuple[Method, ...], count: int, random: np.random.Generator
) -> tuple[Method, ...]:
    chosen = random.permutation(len(methods))[:count]
    return tuple(methods[place] for place in sorted(chosen.tolist()))
