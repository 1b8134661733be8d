from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.losses.inter import InterClassLoss, family_contrast
from aclnet.losses.settings import ObjectiveSettings
from aclnet.losses.term import with_gradient
from aclnet.state.variant import Variant

VARIANTS: tuple[Variant, ...] = ("paper", "released")
GOLDEN = (
    "inter_c12_b16_d40_sched30",
    "inter_c12_b64_d40",
    "inter_c8_b16_d40",
    "inter_c60_b16_d40",
    "inter_c60_b16_d625",
)


def _near(ours: Tensor, golden: np.ndarray[Any, Any], share: float) -> None:
    expected = torch.from_numpy(np.asarray(golden)).to(ours.dtype)
    scale = expected.abs().max().clamp(min=1.0 if expected.ndim == 0 else 1e-30)
    assert (ours - expected).abs().max() <= share * scale


def _loss(class_count: int, feature_dim: int, **changes: Any) -> InterClassLoss:
    return InterClassLoss(ObjectiveSettings(**changes), class_count, feature_dim, None)


def _golden_loss(data: dict[str, np.ndarray[Any, Any]], dtype: torch.dtype) -> InterClassLoss:
    loss = _loss(
        int(data["n_class"]),
        data["feat"].shape[2],
        variant="released",
        start_epoch=int(data["start_epoch"]),
        momentum=float(data["momentum"]),
        neighbours=int(data["top_k"]),
        overlap=int(data["overlap"]),
    ).to(dtype)
    with torch.no_grad():
        loss.cl_fc.weight.copy_(torch.from_numpy(data["fc_weight"]))
        loss.cl_fc.bias.copy_(torch.from_numpy(data["fc_bias"]))
        loss.centres.centres.copy_(torch.from_numpy(data["avg_f_init"].T.copy()))
        loss.confusion.counts.copy_(torch.from_numpy(data["counts_init"]))
    return loss


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_released_equals_golden(shared: Path, name: str, dtype: torch.dtype, share: float) -> None:
    with np.load(shared / "golden" / "action" / f"{name}.npz") as file:
        data = dict(file)
    loss = _golden_loss(data, dtype)
    for step, rows in enumerate(data["batch"]):
        feature = torch.from_numpy(data["feat"][step, :rows]).to(dtype).requires_grad_()
        labels = torch.from_numpy(data["label"][step, :rows]).long()
        loss.zero_grad()
        loss.set_epoch(int(data["epoch"][step]))
        value = loss(torch.from_numpy(data["logit"][step, :rows]), feature, labels)
        value.backward()
        assert feature.grad is not None
        assert loss.cl_fc.bias.grad is not None
        assert loss.cl_fc.weight.grad is not None
        _near(value.detach(), data["loss"][step], share)
        _near(feature.grad, data["grad_feat"][step, :rows], share)
        _near(loss.cl_fc.bias.grad, data["grad_fc_bias"][step], share)
        if "grad_fc_weight" in data:
            _near(loss.cl_fc.weight.grad, data["grad_fc_weight"][step], share)
            _near(loss.centres.centres, data["avg_f"][step].T, share)
        np.testing.assert_array_equal(loss.confusion.counts.numpy(), data["counts"][step])
        np.testing.assert_array_equal(loss.families.members.numpy(), data["family"][step])
        np.testing.assert_array_equal(_listed(loss), data["topk"][step])
    _near(loss.centres.centres, data["avg_f_final"].T, share)


def _listed(loss: InterClassLoss) -> np.ndarray[Any, Any]:
    class_count = loss.confusion.counts.shape[0]
    table = np.zeros((class_count, class_count + 1), dtype=np.uint8)
    np.put_along_axis(table, loss.families.nearest.numpy(), 1, axis=1)
    return table[:, :class_count]


def _steps(class_count: int, seed: int) -> list[tuple[int, Tensor, Tensor, Tensor]]:
    """Epochs, logits, features, labels: partial batches, some mistakes, some classes late."""
    generator = torch.Generator().manual_seed(seed)
    steps = []
    for epoch in (1, 2, 2, 3, 3, 4, 6, 6):
        rows = int(torch.randint(1, 25, (), generator=generator))
        last = class_count if epoch > 2 else max(1, class_count - 2)
        labels = torch.randint(0, last, (rows,), generator=generator)
        logits = torch.randn(rows, class_count, generator=generator, dtype=torch.float64)
        logits[torch.arange(rows), labels] += 1.0
        feature = torch.randn(rows, 9, generator=generator, dtype=torch.float64)
        steps.append((epoch, logits, feature, labels))
    return steps


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("class_count", "neighbours", "overlap"),
    [(2, 10, 4), (3, 10, 4), (8, 10, 4), (12, 3, 1), (40, 6, 4)],
)
def test_equals_the_plain_reading(
    plain: ModuleType, variant: Variant, class_count: int, neighbours: int, overlap: int
) -> None:
    torch.manual_seed(class_count)
    loss = _loss(
        class_count,
        9,
        variant=variant,
        projection_dim=5,
        start_epoch=2,
        neighbours=neighbours,
        overlap=overlap,
    ).double()
    weight = loss.cl_fc.weight.detach().clone().requires_grad_()
    bias = loss.cl_fc.bias.detach().clone().requires_grad_()
    oracle = plain.PlainInterClass(
        weight,
        bias,
        class_count,
        variant=variant,
        start_epoch=2,
        neighbours=neighbours,
        overlap=overlap,
        centres=loss.centres.centres.clone() if variant == "released" else None,
    )
    nonzero = 0
    for epoch, logits, feature, labels in _steps(class_count, seed=class_count + 100):
        ours = feature.clone().requires_grad_()
        theirs = feature.clone().requires_grad_()
        loss.zero_grad()
        weight.grad = bias.grad = theirs.grad = None
        loss.set_epoch(epoch)
        value = loss(logits, ours, labels)
        value.backward()
        expected = oracle.step(logits, theirs, labels, epoch)
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
        nonzero += int(expected > 0)
        if expected.requires_grad:
            expected.backward()
        for tensor, other in ((ours, theirs), (loss.cl_fc.weight, weight), (loss.cl_fc.bias, bias)):
            reference = torch.zeros_like(other) if other.grad is None else other.grad
            torch.testing.assert_close(tensor.grad, reference, rtol=1e-8, atol=1e-12)
        assert loss.confusion.counts.tolist() == oracle.h
        _same_state(loss, oracle, class_count)
    assert nonzero >= 4


def _same_state(loss: InterClassLoss, oracle: Any, class_count: int) -> None:
    for i, centre in oracle.centres.items():
        torch.testing.assert_close(loss.centres.centres[i], centre, rtol=1e-12, atol=1e-14)
    if not loss.released:
        assert loss.centres.seen.nonzero()[:, 0].tolist() == sorted(oracle.centres)
    if not oracle.families:
        assert not loss.families.members.any()
        return
    for i in range(class_count):
        assert loss.families.members[i].nonzero()[:, 0].tolist() == oracle.families[i]


@pytest.mark.parametrize("many", [300, 2_000])
def test_classes_that_never_occur_change_nothing(many: int) -> None:
    """Twelve classes, and the same twelve among thousands."""
    few, lot = (_loss(count, 9, variant="paper", start_epoch=1).double() for count in (12, many))
    lot.cl_fc.load_state_dict(few.cl_fc.state_dict())
    places = torch.arange(12) * (many // 12) + 5
    for epoch, logits, feature, labels in _steps(12, seed=4):
        spread = torch.full((len(labels), many), -100.0, dtype=torch.float64)
        spread[:, places] = logits
        ours, theirs = feature.clone().requires_grad_(), feature.clone().requires_grad_()
        few.set_epoch(epoch)
        lot.set_epoch(epoch)
        value, other = few(logits, ours, labels), lot(spread, theirs, places[labels])
        torch.autograd.backward([value, other])
        torch.testing.assert_close(other, value)
        torch.testing.assert_close(theirs.grad, ours.grad)
    assert value > 0
    assert torch.equal(lot.families.members[places][:, places], few.families.members)
    assert int(lot.families.members.sum()) == int(few.families.members.sum())
    assert int(lot.centres.seen.sum()) == int(few.centres.seen.sum())


def test_perfect_predictions_leave_the_paper_loss_at_zero() -> None:
    loss = _loss(3, 4, variant="paper", start_epoch=0)
    loss.set_epoch(1)
    labels = torch.tensor([0, 1, 2])
    feature = torch.randn(3, 4, requires_grad=True)
    value = loss(torch.eye(3), feature, labels)
    value.backward()
    assert value == 0
    assert feature.grad is not None
    assert not feature.grad.any()
    assert not loss.families.members.any()


def test_up_to_the_start_every_parameter_has_a_zero_gradient() -> None:
    loss = _loss(3, 4, variant="released", start_epoch=2)
    loss.set_epoch(2)
    loss(torch.eye(3), torch.randn(3, 4), torch.tensor([1, 1, 2])).backward()
    assert all(p.grad is not None and not p.grad.any() for p in loss.parameters())
    assert loss.confusion.counts.sum() > 0
    assert not loss.families.members.any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_families_are_built_once_an_epoch(variant: Variant) -> None:
    """The epoch is named once; the second step counts new mistakes and keeps the families."""
    loss = _loss(6, 4, variant=variant, start_epoch=0, neighbours=2, overlap=0)
    truth = torch.tensor([0, 1])
    wrong = torch.eye(6)
    loss.set_epoch(1)
    loss(wrong[[1, 0]], torch.randn(2, 4), truth)
    first = loss.families.members.clone()
    for _ in range(3):
        loss(wrong[[4, 5]], torch.randn(2, 4), truth)
    assert loss.confusion.counts[0, 4] == 3
    assert torch.equal(loss.families.members, first)
    loss.set_epoch(2)
    loss(wrong[[4, 5]], torch.randn(2, 4), truth)
    assert not torch.equal(loss.families.members, first)
    assert loss.families.members[0, 4]


@pytest.mark.parametrize("variant", VARIANTS)
def test_eval_reads_the_state_and_leaves_it(variant: Variant) -> None:
    loss = _loss(6, 9, variant=variant, start_epoch=1).double()
    for epoch, logits, feature, labels in _steps(6, seed=1):
        loss.set_epoch(epoch)
        loss(logits, feature, labels)
    before = copy.deepcopy(loss.state_dict())
    loss.eval()
    loss.set_epoch(int(before["epoch"]))
    assert loss(logits, feature, labels) > 0
    torch.testing.assert_close(loss.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cut", [2, 4, 5, 7])
def test_resume_in_the_middle_equals_uninterrupted(
    tmp_path: Path, variant: Variant, cut: int
) -> None:
    """Also inside an epoch: the families must not be built a second time."""
    steps = _steps(7, seed=3)
    whole = _loss(7, 9, variant=variant, start_epoch=1).double()
    values = []
    for index, (epoch, logits, feature, labels) in enumerate(steps):
        if index == cut:
            torch.save(whole.state_dict(), tmp_path / "state.pt")
        whole.set_epoch(epoch)
        values.append(whole(logits, feature, labels))
    resumed = _loss(7, 9, variant=variant, start_epoch=1).double()
    # Whoever resumes may name the epoch before loading or after it.
    resumed.set_epoch(steps[cut][0])
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for index, (epoch, logits, feature, labels) in enumerate(steps[cut:], start=cut):
        if index > cut or epoch != steps[cut - 1][0]:
            resumed.set_epoch(epoch)
        assert torch.equal(resumed(logits, feature, labels), values[index])
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("class_count", [3, 6, 300])
def test_a_step_needs_no_value_on_the_host(variant: Variant, class_count: int) -> None:
    """Meta tensors have no values: whatever looked at one would raise. Families are built too."""
    loss = _loss(class_count, 9, variant=variant, start_epoch=1)
    loss.set_epoch(2)
    loss = loss.to("meta")
    feature = torch.randn(5, 9, device="meta", requires_grad=True)
    labels = torch.zeros(5, dtype=torch.int64, device="meta")
    value = loss(torch.randn(5, class_count, device="meta"), feature, labels)
    value.backward()
    assert value.shape == ()
    assert feature.grad is not None


def test_gradient_of_the_contrast_by_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    similarity = torch.randn(5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    families = torch.rand(5, 6, generator=generator) > 0.5
    families[2] = False
    labels = torch.tensor([0, 1, 2, 3, 5])
    temperature = torch.tensor([0.1, 0.5, 1.0, 0.5, 0.1])

    def contrast(similarity: Tensor) -> Tensor:
        value, gradient = family_contrast(similarity.detach(), labels, families, temperature)
        return with_gradient(value, similarity, gradient)

    assert torch.autograd.gradcheck(contrast, (similarity,))


def test_gradient_of_a_released_step_by_differences() -> None:
    """Includes the path through the batch's share of the moved centres."""
    epoch, logits, feature, labels = _steps(4, seed=9)[3]
    start = _loss(4, 9, variant="released", projection_dim=3, start_epoch=0).double()

    def step(x: Tensor) -> Tensor:
        loss = copy.deepcopy(start)
        loss.set_epoch(epoch)
        value: Tensor = loss(logits, x, labels)
        return value

    assert torch.autograd.gradcheck(step, (feature.requires_grad_(),))
