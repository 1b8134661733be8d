from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.losses.intra import IntraClassLoss, marginal_contrast
from aclnet.losses.settings import ObjectiveSettings
from aclnet.losses.term import unit_rows, with_gradient
from aclnet.state.queue import NO_LABEL, FeatureQueue
from aclnet.state.variant import Variant

VARIANTS: tuple[Variant, ...] = ("paper", "released")
GOLDEN = ("intra_m64_b16_d40_c12", "intra_m512_b64_d40_c60", "intra_m512_b16_d625_c60")


def _near(ours: Tensor, golden: np.ndarray[Any, Any], share: float) -> None:
    expected = torch.from_numpy(np.asarray(golden)).to(ours.dtype)
    scale = expected.abs().max().clamp(min=1.0 if expected.ndim == 0 else 1e-30)
    assert (ours - expected).abs().max() <= share * scale


def _loss(feature_dim: int, **changes: Any) -> IntraClassLoss:
    return IntraClassLoss(ObjectiveSettings(**changes), feature_dim, None)


def _ordered(queue: FeatureQueue) -> tuple[Tensor, Tensor]:
    """The features and labels that were written, oldest first."""
    fill = int(queue.fill)
    slots = (int(queue.cursor) - fill + torch.arange(fill)) % max(queue.size, 1)
    return queue.features[slots], queue.labels[slots]


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_released_equals_golden(shared: Path, name: str, dtype: torch.dtype, share: float) -> None:
    with np.load(shared / "golden" / "action" / f"{name}.npz") as file:
        data = dict(file)
    loss = _loss(
        data["feat"].shape[2],
        variant="released",
        intra_temperature=float(data["temperature"]),
        margin=float(data["epsilon"]),
        queue_size=int(data["memory"]),
    ).to(dtype)
    with torch.no_grad():
        loss.cl_fc.weight.copy_(torch.from_numpy(data["fc_weight"]))
        loss.cl_fc.bias.copy_(torch.from_numpy(data["fc_bias"]))
    stored = {int(step): place for place, step in enumerate(data["grad_steps"])}
    for step, rows in enumerate(data["batch"]):
        feature = torch.from_numpy(data["feat"][step, :rows]).to(dtype).requires_grad_()
        labels = torch.from_numpy(data["label"][step, :rows]).long()
        loss.zero_grad()
        value = loss(feature, labels)
        value.backward()
        assert feature.grad is not None
        assert loss.cl_fc.bias.grad is not None
        _near(value.detach(), data["loss"][step], share)
        _near(loss.cl_fc.bias.grad, data["grad_fc_bias"][step], share)
        if step in stored:
            _near(feature.grad, data["grad_feat"][stored[step], :rows], share)
        assert int(loss.queue.fill) == data["n_bank"][step]
    features, labels = _ordered(loss.queue)
    assert labels.tolist() == data["bank_label_final"].tolist()
    if len(data["bank_feat_final"]):
        _near(features, data["bank_feat_final"], share)


def test_the_released_shift_has_no_gradient() -> None:
    # So far from the anchor's own column the added constant outweighs all else.
    axes = torch.eye(3, dtype=torch.float64)
    rows = axes[:2]
    labels, past_labels = torch.tensor([0, 0]), torch.tensor([1])
    values = {"margin": 0.1, "temperature": 0.05}
    _, gradient = marginal_contrast(
        rows, labels, axes[2:], past_labels, variant="released", **values
    )
    assert gradient[0, 0] == 0
    assert gradient[0, 1] == pytest.approx(-1 / 0.05, rel=0.01)


def _steps(seed: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    sizes = (7, 1, 12, 5, 30, 3, 12)
    return [
        (
            torch.randn(rows, 9, generator=generator, dtype=torch.float64),
            torch.randint(0, 5, (rows,), generator=generator),
        )
        for rows in sizes
    ]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("queue_size", [0, 1, 10, 23, 64])
def test_equals_the_plain_reading(plain: ModuleType, variant: Variant, queue_size: int) -> None:
    """Among them batches larger than the queue and, up to the end, a queue never full."""
    torch.manual_seed(queue_size)
    loss = _loss(9, variant=variant, projection_dim=6, queue_size=queue_size).double()
    weight = loss.cl_fc.weight.detach().clone().requires_grad_()
    bias = loss.cl_fc.bias.detach().clone().requires_grad_()
    oracle = plain.PlainIntraClass(weight, bias, variant=variant, memory=queue_size)
    for feature, labels in _steps(seed=queue_size):
        ours = feature.clone().requires_grad_()
        theirs = feature.clone().requires_grad_()
        loss.zero_grad()
        weight.grad = bias.grad = None
        value = loss(ours, labels)
        value.backward()
        expected = oracle.step(theirs, labels)
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
        if expected.requires_grad:
            expected.backward()
        for tensor, other in ((ours, theirs), (loss.cl_fc.weight, weight), (loss.cl_fc.bias, bias)):
            reference = torch.zeros_like(other) if other.grad is None else other.grad
            torch.testing.assert_close(tensor.grad, reference, rtol=1e-8, atol=1e-12)
        features, queued = _ordered(loss.queue)
        assert queued.tolist() == [label for _, label in oracle.bank]
        for row, (other, _) in zip(features, oracle.bank, strict=True):
            torch.testing.assert_close(row, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_positives_the_loss_is_zero(variant: Variant) -> None:
    loss = _loss(4, variant=variant, queue_size=0)
    value = loss(torch.randn(5, 4), torch.arange(5))
    assert value == 0


def test_without_negatives_only_the_margin_is_left() -> None:
    """Eq. 15 with an empty sum over negatives: minus margin / temperature for each positive."""
    rows = unit_rows(torch.randn(4, 3, dtype=torch.float64))
    nobody = torch.zeros(2, 3, dtype=torch.float64)
    value, gradient = marginal_contrast(
        rows,
        torch.zeros(4, dtype=torch.int64),
        nobody,
        torch.full((2,), NO_LABEL),
        margin=0.2,
        temperature=0.5,
        variant="paper",
    )
    assert value.item() == pytest.approx(-3 * 0.2 / 0.5)
    torch.testing.assert_close(gradient, torch.zeros_like(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_when_the_loss_begins(variant: Variant) -> None:
    """Three batches of 6 into 12 slots: the queue is full from the second on."""
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    features = [torch.randn(6, 4) for _ in range(3)]

    def begins(start: Any) -> list[bool]:
        loss = _loss(4, variant=variant, queue_size=12, intra_start=start)
        return [bool(loss(feature, labels) != 0) for feature in features]

    assert begins("at_once") == [True, True, True]
    assert begins("full_queue") == [False, True, True]
    assert begins("variant") == [variant == "paper", True, True]


@pytest.mark.parametrize("variant", VARIANTS)
def test_eval_reads_the_queue_and_leaves_it(variant: Variant) -> None:
    loss = _loss(9, variant=variant, queue_size=16).double()
    steps = _steps(seed=5)
    for feature, labels in steps:
        loss(feature, labels)
    before = copy.deepcopy(loss.state_dict())
    loss.eval()
    with_queue = loss(*steps[0])
    torch.testing.assert_close(loss.state_dict(), before, rtol=0, atol=0)
    loss.queue.labels.fill_(NO_LABEL)
    assert loss(*steps[0]) != with_queue


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_needs_no_value_on_the_host(variant: Variant) -> None:
    """Meta tensors have no values: whatever looked at one would raise."""
    loss = _loss(9, variant=variant, queue_size=8).to("meta")
    for rows in (5, 11):
        feature = torch.randn(rows, 9, device="meta", requires_grad=True)
        value = loss(feature, torch.zeros(rows, dtype=torch.int64, device="meta"))
        value.backward()
        assert value.shape == ()
        assert feature.grad is not None


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient_of_the_contrast_by_differences(variant: Variant) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    past = unit_rows(torch.randn(3, 4, generator=generator, dtype=torch.float64))
    labels = torch.tensor([0, 0, 1, 1, 2, 3])

    def contrast(x: Tensor) -> Tensor:
        rows = unit_rows(x)
        value, gradient = marginal_contrast(
            rows.detach(),
            labels,
            past,
            torch.tensor([0, NO_LABEL, 3]),
            margin=0.1,
            temperature=0.3,
            variant=variant,
        )
        return with_gradient(value, rows, gradient)

    assert torch.autograd.gradcheck(contrast, (rows,))
