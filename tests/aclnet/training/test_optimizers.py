from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from aclnet.training.optimizers import build_optimizer, learning_rate, momentum, set_step
from aclnet.training.settings import TrainSettings


def rates(steps_per_epoch: int, **values: Any) -> list[float]:
    settings = TrainSettings(**values)
    return [
        learning_rate(settings, step, steps_per_epoch)
        for step in range(settings.epochs * steps_per_epoch)
    ]


def test_cosine_is_the_released_codes_schedule() -> None:
    got = rates(7, epochs=3, learning_rate=0.025)
    assert got == pytest.approx([0.025 * (1 + math.cos(math.pi * i / 21)) / 2 for i in range(21)])


def test_cosine_after_a_fractional_warmup() -> None:
    got = rates(10, epochs=2, learning_rate=0.2, warmup_epochs=0.5)
    rise = [0.2 * (i + 1) / 5 for i in range(5)]
    fall = [0.2 * (1 + math.cos(math.pi * i / 15)) / 2 for i in range(15)]
    assert got == pytest.approx(rise + fall)


def test_constant_with_and_without_warmup() -> None:
    assert rates(2, epochs=2, learning_rate=0.1, schedule="constant") == [0.1] * 4
    got = rates(2, epochs=2, learning_rate=0.1, schedule="constant", warmup_epochs=1)
    assert got == pytest.approx([0.05, 0.1, 0.1, 0.1])


def test_cosine_falls_to_the_least_rate() -> None:
    got = rates(50, epochs=2, learning_rate=0.2, least_rate=0.1)
    assert got[0] == 0.2
    assert got[50] == pytest.approx(0.15)
    assert got[-1] == pytest.approx(0.1, abs=1e-4)


def test_step_decays_after_its_epochs() -> None:
    got = rates(2, epochs=5, learning_rate=1.0, schedule="step", decay_epochs=[1, 3])
    assert got == pytest.approx([1, 1, *[0.1] * 4, *[0.01] * 4])
    one = {"schedule": "step", "decay_epochs": [2], "decay": 0.5, "warmup_epochs": 1}
    assert rates(2, epochs=3, learning_rate=1.0, **one) == pytest.approx([0.5, 1, 1, 1, 0.5, 0.5])


@given(st.integers(1, 6), st.integers(2, 9), st.sampled_from([None, 0.1, 0.25, 0.5]), st.booleans())
def test_onecycle_equals_torchs(epochs: int, steps: int, share: float | None, adam: bool) -> None:
    settings = TrainSettings(
        epochs=epochs,
        learning_rate=0.01,
        schedule="onecycle",
        warmup_epochs=None if share is None else share * epochs,
        cycle_momentum=True,
        optimizer="adam" if adam else "sgd",
    )
    total = epochs * steps
    if (share or 0.3) * total <= 1:
        return  # torch divides by zero or begins above its own peak there
    optimizer = build_optimizer(nn.Linear(2, 2), settings)
    reference = build_optimizer(nn.Linear(2, 2), settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        reference, 0.01, total_steps=total, pct_start=share or 0.3
    )
    for step in range(total):
        set_step(optimizer, settings, step, steps)
        (ours,), (theirs,) = optimizer.param_groups, reference.param_groups
        assert ours["lr"] == pytest.approx(theirs["lr"], rel=1e-9)
        key = "betas" if adam else "momentum"
        assert ours[key] == pytest.approx(theirs[key])
        reference.step()
        if step < total - 1:
            schedule.step()


@given(st.integers(1, 4), st.integers(1, 4), st.floats(0, 1))
def test_onecycle_stays_within_its_range_at_any_length(
    epochs: int, steps: int, share: float
) -> None:
    settings = TrainSettings(
        epochs=epochs, learning_rate=1.0, schedule="onecycle", warmup_epochs=share * epochs
    )
    for step in range(epochs * steps):
        assert 4e-6 * (1 - 1e-9) <= learning_rate(settings, step, steps) <= 1


def test_momentum_is_left_alone_unless_cycled() -> None:
    settings = TrainSettings(momentum=0.8)
    assert momentum(settings, 0, 10) is None
    optimizer = build_optimizer(nn.Linear(2, 2), settings)
    set_step(optimizer, settings, 3, 10)
    assert optimizer.param_groups[0]["momentum"] == 0.8


def network() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))
    module.scale = nn.Parameter(torch.ones(()))
    module.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
    return module


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)],
)
def test_optimizer_and_its_groups(name: str, kind: type[torch.optim.Optimizer]) -> None:
    settings = TrainSettings(
        optimizer=name,
        learning_rate=0.3,
        weight_decay=0.01,
        decay_norm_and_bias=False,
    )
    optimizer = build_optimizer(network(), settings)
    assert type(optimizer) is kind
    decayed, plain = optimizer.param_groups
    assert sorted(tuple(weight.shape) for weight in decayed["params"]) == [(2, 4), (4, 3)]
    assert sorted(tuple(weight.shape) for weight in plain["params"]) == [(), (4,), (4,), (4,)]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.01, 0.0)
    assert decayed["lr"] == plain["lr"] == 0.3


def test_decay_of_everything_is_one_group_without_the_frozen() -> None:
    optimizer = build_optimizer(network(), TrainSettings(nesterov=True, momentum=0.7))
    (group,) = optimizer.param_groups
    assert len(group["params"]) == 6
    assert (group["momentum"], group["nesterov"]) == (0.7, True)


def test_nothing_to_train() -> None:
    module = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter to train"):
        build_optimizer(module, TrainSettings())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 2, "warmup_epochs": 3}, "warmup_epochs"),
        ({"momentum": 0.0}, "nesterov needs a momentum"),
        ({"cycle_momentum": True}, "needs schedule onecycle"),
        (
            {"cycle_momentum": True, "schedule": "onecycle", "momentum": 0.0, "nesterov": False},
            "cycle_momentum needs",
        ),
        ({"schedule": "step"}, "needs decay_epochs"),
        ({"decay_epochs": [3]}, "need schedule step, not cosine"),
        ({"schedule": "step", "decay_epochs": [3, 2]}, "must increase and end before the last"),
        ({"schedule": "step", "decay_epochs": [30]}, "before the last epoch, 30, not be 30"),
        ({"schedule": "constant", "least_rate": 0.1}, "needs schedule cosine"),
        ({"least_rate": 0.2}, r"least_rate \(0.2\) must not exceed learning_rate \(0.1\)"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"accumulate_steps": 0}, "accumulate_steps"),
    ],
)
def test_settings_that_do_not_fit_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainSettings(**values)
