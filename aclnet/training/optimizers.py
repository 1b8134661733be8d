"""The optimizer of a task, and its learning rate and momentum in each step.

The schedule is in closed form: it has no state to save.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from aclnet.training.settings import TrainSettings

_ONECYCLE_WARMUP = 0.3
_ONECYCLE_START = 1 / 25
_ONECYCLE_END = 1 / 25 / 1e4
_MOMENTUM_RANGE = (0.95, 0.85)


def build_optimizer(module: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD, Adam or AdamW over the parameters that require a gradient.

    Args:
        module: task whose parameters are trained.
        settings: optimizer, rate, momentum, weight decay and its scope.

    Returns:
        The optimizer. With `decay_norm_and_bias` off, parameters of fewer than two axes form a
        second group without weight decay.

    Raises:
        ValueError: no parameter requires a gradient.
    """
    parameters = [weight for weight in module.parameters() if weight.requires_grad]
    if not parameters:
        raise ValueError("the task has no parameter to train: every one is frozen")
    plain = [] if settings.decay_norm_and_bias else [w for w in parameters if w.ndim < 2]
    decayed = parameters if settings.decay_norm_and_bias else [w for w in parameters if w.ndim > 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    rate = settings.learning_rate
    fused = settings.fused_optimizer or None  # None: torch chooses among the others
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups, rate, settings.momentum, nesterov=settings.nesterov, fused=fused
        )
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, fused=fused)


def set_step(
    optimizer: torch.optim.Optimizer, settings: TrainSettings, step: int, steps_per_epoch: int
) -> float:
    """Set the learning rate, and a cycled momentum, of one step.

    Args:
        optimizer: changed in place.
        settings: schedule.
        step: 0-based step since the start of the run.
        steps_per_epoch: optimizer steps in an epoch.

    Returns:
        The learning rate.
    """
    rate = learning_rate(settings, step, steps_per_epoch)
    inertia = momentum(settings, step, steps_per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = rate
        if inertia is not None and "betas" in group:
            group["betas"] = (inertia, group["betas"][1])
        elif inertia is not None:
            group["momentum"] = inertia
    return rate


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """Learning rate of one optimizer step.

    With I steps in all, W of them warm-up and base rate r:

    - constant: r
    - step: r times `decay` for each of `decay_epochs` that is over
    - cosine: e + (r - e) (1 + cos(pi (i - W) / (I - W))) / 2 with the least rate e, usually 0
      (Loshchilov and Hutter, 2017)
    - onecycle: up from r/25 to r over the warm-up, down to r/250000 (Smith and Topin, 2018; the
      same numbers as `torch.optim.lr_scheduler.OneCycleLR` with its defaults)

    Warm-up of the first three rises linearly, r (i + 1) / W, so that its last step has rate r.

    Args:
        settings: `schedule` and what belongs to it, `learning_rate`, `epochs`.
        step: 0-based step i since the start of the run.
        steps_per_epoch: optimizer steps in an epoch.

    Returns:
        The rate.

    >>> settings = TrainSettings(epochs=2, learning_rate=1.0, warmup_epochs=0.5)
    >>> [round(learning_rate(settings, step, 4), 2) for step in range(8)]
    [0.5, 1.0, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07]
    """
    total = settings.epochs * steps_per_epoch
    base = settings.learning_rate
    if settings.schedule == "onecycle":
        return base * _onecycle(settings, step, total, _ONECYCLE_START, 1.0, _ONECYCLE_END)
    warmup = round((settings.warmup_epochs or 0) * steps_per_epoch)
    if step < warmup:
        return base * (step + 1) / warmup
    if settings.schedule == "constant":
        return base
    if settings.schedule == "step":
        over = sum(step >= end * steps_per_epoch for end in settings.decay_epochs or ())
        return base * (0.1 if settings.decay is None else settings.decay) ** over
    least = (settings.least_rate or 0.0) / base
    return base * _cosine(1.0, least, (step - warmup) / max(1, total - warmup))


def momentum(settings: TrainSettings, step: int, steps_per_epoch: int) -> float | None:
    """Momentum of one optimizer step if it is cycled, else None.

    Args:
        settings: `cycle_momentum`, `warmup_epochs`, `epochs`.
        step: 0-based step since the start of the run.
        steps_per_epoch: optimizer steps in an epoch.

    Returns:
        From 0.95 down to 0.85 while the rate rises, and back.
    """
    if not settings.cycle_momentum:
        return None
    high, low = _MOMENTUM_RANGE
    return _onecycle(settings, step, settings.epochs * steps_per_epoch, high, low, high)


def _onecycle(
    settings: TrainSettings, step: int, total: int, start: float, top: float, end: float
) -> float:
    """Half a cosine from start to top over the warm-up, half a cosine from top to end after it."""
    share = _ONECYCLE_WARMUP
    if settings.warmup_epochs is not None:
        share = settings.warmup_epochs / settings.epochs
    # The last step of the rise has the top rate, the last of the run the end rate.
    peak, last = share * total - 1, total - 1
    if step <= peak:
        return _cosine(start, top, step / peak if peak > 0 else 1.0)
    peak = max(peak, 0.0)
    return _cosine(top, end, (step - peak) / (last - peak) if last > peak else 1.0)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
