from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings, Sizes
from aclnet.state.variant import Variant

VARIANTS: tuple[Variant, ...] = ("paper", "released")


def _settings(**changes: Any) -> ObjectiveSettings:
    return ObjectiveSettings(**{"start_epoch": 1, "queue_size": 16, "projection_dim": 5} | changes)


def _batch(seed: int, rows: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (rows,), generator=generator)
    logits = torch.randn(rows, 4, generator=generator, requires_grad=True)
    feature = torch.randn(rows, 7, generator=generator, requires_grad=True)
    return logits, feature, labels


def test_the_defaults_are_the_papers() -> None:
    settings = ObjectiveSettings()
    assert (settings.ce_weight, settings.inter_weight, settings.intra_weight) == (1.0, 0.1, 0.1)
    assert (settings.neighbours, settings.overlap, settings.momentum) == (10, 4, 0.9)
    assert settings.temperatures == (0.1, 0.5, 1.0)
    assert (settings.margin, settings.intra_temperature, settings.queue_size) == (0.1, 0.1, 512)
    assert (settings.projection_dim, settings.start_epoch) == (256, 30)
    assert settings.label_smoothing == 0.0


@pytest.mark.parametrize(
    ("inter", "intra", "name"),
    [(0, 0, "ce"), (0.1, 0, "ce+inter"), (0, 0.1, "ce+intra"), (0.1, 0.1, "acl")],
)
def test_terms_of_weight_zero_are_not_built(inter: float, intra: float, name: str) -> None:
    objective = Objective(_settings(inter_weight=inter, intra_weight=intra), 4, 7)
    parts = objective(*_batch(0))
    keys = " ".join(objective.state_dict())
    assert objective.settings.name == name
    assert ("inter" in parts, "intra" in parts) == (inter > 0, intra > 0)
    assert ("terms.inter" in keys, "terms.intra" in keys) == (inter > 0, intra > 0)
    assert list(parts)[:2] == ["loss", "ce"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"temperatures": (0.5, 0.5, 0.5)}, "acl-fat"),
        ({"temperatures": (0.5, 0.5, 0.5), "intra_weight": 0}, "ce+inter-fat"),
        ({"temperatures": (0.5, 0.5, 0.5), "inter_weight": 0}, "ce+intra"),
        ({"temperatures": (0.5, 0.5, 1.0)}, "acl"),
        ({"metric": {"name": "SupConLoss"}}, "acl+SupConLoss"),
        ({"terms": ({"name": "fr_head"},)}, "acl+fr_head"),
        ({"context": False}, "acl-context"),
        (
            {"metric": {"name": "CircleLoss"}, "inter_weight": 0, "intra_weight": 0},
            "ce+CircleLoss",
        ),
        (
            {"metric": {"name": "SupConLoss"}, "temperatures": (1, 1, 1), "intra_weight": 0},
            "ce+inter-fat+SupConLoss",
        ),
    ],
)
def test_the_name_tells_the_terms_and_the_ablation(changes: dict[str, Any], name: str) -> None:
    assert _settings(**changes).name == name


@pytest.mark.parametrize("variant", VARIANTS)
def test_loss_is_the_weighted_sum_of_its_parts(variant: Variant) -> None:
    settings = _settings(
        variant=variant, ce_weight=2.0, inter_weight=0.3, intra_weight=0.7, label_smoothing=0.1
    )
    objective = Objective(settings, 4, 7)
    for epoch, seed in ((1, 0), (2, 1), (2, 2)):
        objective.set_epoch(epoch)
        logits, feature, labels = _batch(seed)
        parts = objective(logits, feature, labels)
    expected = functional.cross_entropy(logits, labels, label_smoothing=0.1)
    torch.testing.assert_close(parts["ce"], expected.detach())
    total = 2.0 * parts["ce"] + 0.3 * parts["inter"] + 0.7 * parts["intra"]
    torch.testing.assert_close(parts["loss"].detach(), total)
    assert parts["inter"] > 0
    assert parts["intra"] != 0
    assert parts["loss"].requires_grad
    assert not any(parts[name].requires_grad for name in ("ce", "inter", "intra"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_get_the_gradient_of_the_cross_entropy_only(variant: Variant) -> None:
    objective = Objective(_settings(variant=variant, start_epoch=0, queue_size=0), 4, 7)
    logits, feature, labels = _batch(3)
    objective(logits, feature, labels)["loss"].backward()
    alone = logits.detach().clone().requires_grad_()
    torch.autograd.backward(functional.cross_entropy(alone, labels))
    torch.testing.assert_close(logits.grad, alone.grad)
    assert feature.grad is not None
    assert feature.grad.any()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_float32_under_autocast(variant: Variant, low: torch.dtype) -> None:
    """Half precision at the door, the same numbers as float32 input of the same values."""
    objective = Objective(_settings(variant=variant, start_epoch=0, queue_size=0), 4, 7)
    twin = copy.deepcopy(objective)
    logits, feature, labels = _batch(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        parts = objective(logits.to(low), feature.to(low), labels)
    expected = twin(logits.to(low).float(), feature.to(low).float(), labels)
    assert all(part.dtype == torch.float32 for part in parts.values())
    torch.testing.assert_close(parts, expected, rtol=0, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("class_count", [2, 3, 8, 500])
def test_learns_for_few_and_many_classes(variant: Variant, class_count: int) -> None:
    """The projected classes end up better apart than they were."""
    torch.manual_seed(0)
    settings = _settings(
        variant=variant, start_epoch=0, queue_size=0, inter_weight=1.0, intra_weight=1.0
    )
    objective = Objective(settings, class_count, 7)
    labels = torch.arange(class_count).repeat_interleave(2)[:64]
    logits = torch.randn(len(labels), class_count)
    feature = torch.randn(len(labels), 7, requires_grad=True)
    optimiser = torch.optim.SGD([feature, *objective.parameters()], lr=0.1)
    values = []
    for epoch in range(1, 31):
        objective.set_epoch(epoch)
        parts = objective(logits, feature, labels)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        values.append(float(parts["inter"] + parts["intra"]))
    assert all(math.isfinite(value) for value in values)
    assert values[-1] < values[0]


@pytest.mark.gpu
def test_on_a_gpu_no_step_waits_for_it() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    settings = _settings(terms=({"name": "fr_head"}, {"name": "skeleton_gcl"}))
    objective = Objective(settings, 4, 7, sizes=Sizes(7, 7, ((7, 1, 1),))).cuda()
    batches = [[tensor.detach().cuda() for tensor in _batch(seed)] for seed in range(4)]
    objective.set_epoch(2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            feature = batch[1]
            objective(*batch, graph=feature, stages=(feature[:, :, None, None],))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.tensor([0, 4, 1])}, r"labels must be in 0\.\.3, got 0\.\.4"),
        ({"labels": torch.tensor([0, -1, 1])}, r"labels must be in 0\.\.3, got -1\.\.1"),
        ({"labels": torch.tensor([0, 1])}, r"logits must have shape \(2, 4\) for 2 labels"),
        ({"labels": torch.tensor([0.0, 1.0, 2.0])}, "labels must be int64"),
        ({"labels": torch.tensor([[0], [1], [2]])}, "labels must be int64 of shape"),
        ({"logits": torch.zeros(3, 5)}, r"logits must have shape \(3, 4\)"),
        ({"feature": torch.zeros(3, 8)}, r"feature must have shape \(3, 7\)"),
        (
            {
                "labels": torch.zeros(0, dtype=torch.int64),
                "logits": torch.zeros(0, 4),
                "feature": torch.zeros(0, 7),
            },
            "N >= 1",
        ),
    ],
)
def test_input_that_does_not_fit_is_refused(change: dict[str, Tensor], message: str) -> None:
    fitting = {
        "logits": torch.zeros(3, 4),
        "feature": torch.zeros(3, 7),
        "labels": torch.tensor([0, 1, 3]),
    }
    objective = Objective(_settings(), 4, 7)
    objective(**fitting)
    with pytest.raises(ValueError, match=message):
        objective(**fitting | change)


def test_the_initial_state_comes_from_the_generator() -> None:
    first, second = (
        Objective(_settings(), 4, 7, torch.Generator().manual_seed(3)).state_dict()
        for _ in range(2)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    weights = first["terms.inter.cl_fc.weight"]
    assert 0.5 * 7**-0.5 < float(weights.abs().max()) <= 7**-0.5
    assert not torch.equal(weights, first["terms.intra.cl_fc.weight"])


def test_construction_and_epochs_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        Objective(_settings(), 1, 7)
    with pytest.raises(ValueError, match="'graph' feature"):
        Objective(_settings(feature="graph"), 4, 0)
    with pytest.raises(ValueError, match="epochs count from 1, got 0"):
        Objective(_settings(), 4, 7).set_epoch(0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"variant": "official"},
        {"neighbours": 0},
        {"neighbours": 256},
        {"ce_weight": 0},
        {"inter_weight": -0.1},
        {"temperatures": (0.1, 0.0, 1.0)},
        {"momentum": 1.0},
        {"lambda1": 0.1},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ObjectiveSettings(**wrong)
