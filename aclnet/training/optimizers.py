"""The optimizer of a task, and its settings for one step."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from aclnet.training.schedule import learning_rate, momentum
from aclnet.training.settings import TrainSettings


def build_optimizer(module: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """SGD, Adam or AdamW over the parameters that have a gradient.

    Args:
        module: task whose parameters are trained.
        settings: optimizer, rate, momentum, weight decay and what it applies to.

    Returns:
        The optimizer. With `decay_norm_and_bias` off, parameters of fewer than two axes form a
        second group without weight decay.

    Raises:
        ValueError: no parameter has a gradient.
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
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=rate, momentum=settings.momentum, nesterov=settings.nesterov
        )
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate)


def set_step(
    optimizer: torch.optim.Optimizer, settings: TrainSettings, step: int, steps_per_epoch: int
) -> float:
    """Give the optimizer the learning rate, and the momentum where it is cycled, of one step.

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
