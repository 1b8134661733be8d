"""The losses of both stages against the golden data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from aclnet.pretraining.contrast import (
    divergence,
    drop_energetic,
    info_nce,
    key_logits,
    nearest_keys,
    positive_nce,
)
from aclnet.pretraining.embedder import unit
from aclnet.pretraining.neighbours import (
    distribution_divergence,
    nearest_in_queue,
    neighbour_divergence,
)

Load = Callable[[str], dict[str, Tensor]]
EXACT = {"rtol": 0, "atol": 1e-9}


def test_golden_drop(tensors: Load) -> None:
    data = tensors("stage1_loss")
    features = data["drop/x"].unflatten(0, (2, 2))
    torch.testing.assert_close(
        drop_energetic(features, (2,)).flatten(0, 1), data["drop/out"], **EXACT
    )


def test_drop_of_a_constant_map_changes_nothing() -> None:
    features = torch.ones(2, 1, 3, 1, 4)
    assert torch.equal(drop_energetic(features, (2,)), features)


@pytest.fixture
def logits(tensors: Load) -> tuple[Tensor, Tensor, Tensor]:
    data, queue = tensors("stage1_loss"), tensors("loss")["queue"].t()
    key = unit(data["in/k"])
    query, extreme, drop = (
        key_logits(unit(data[f"in/{name}"]), key, queue, 0.07) for name in ("q", "q_ext", "q_drop")
    )
    return query, extreme, drop


def test_golden_contrast(tensors: Load, logits: tuple[Tensor, Tensor, Tensor]) -> None:
    data, (query, extreme, drop) = tensors("stage1_loss"), logits
    torch.testing.assert_close(query[:, 0], data["logits_pos"], **EXACT)
    losses = info_nce(query), divergence(query, extreme), divergence(query, drop)
    for name, loss in zip(("infonce", "ddm_ext", "ddm_drop"), losses, strict=True):
        torch.testing.assert_close(loss, data[f"loss/{name}"], **EXACT)
    for count in (1, 3):
        positive = nearest_keys(logits, count)
        assert torch.equal(positive.nonzero(), data[f"nnm{count}/positives"])
        mined = positive_nce(query, positive)
        torch.testing.assert_close(mined, data[f"nnm{count}/loss"], **EXACT)


def test_golden_neighbours(tensors: Load) -> None:
    data = tensors("loss")
    query, queue = data["q"].requires_grad_(), data["queue"].t()
    nearest = nearest_in_queue(data["k"], queue, 8192, 0.95)
    torch.testing.assert_close(nearest[0][:, 0], data["k_topk_max"], **EXACT)
    torch.testing.assert_close(nearest[0][:, -1], data["k_topk_min"], **EXACT)
    kept = (query @ queue.t()).square().gather(1, nearest[1]).sum(dim=1)
    torch.testing.assert_close(kept, data["q_topk_sum"], **EXACT)
    loss = neighbour_divergence(
        query, nearest, queue, teacher_temperature=0.04, student_temperature=0.1
    )
    (gradient,) = torch.autograd.grad(loss, query)
    torch.testing.assert_close(loss, data["kl"], rtol=0, atol=1e-8)
    torch.testing.assert_close(gradient, data["kl_grad_q"], rtol=0, atol=1e-8)
    free = data["kld/student_logits"] / 0.1, data["kld/teacher_logits"] / 0.04
    torch.testing.assert_close(distribution_divergence(*free), data["kld/value"], **EXACT)


def test_a_key_that_is_in_the_queue_is_no_neighbour() -> None:
    queue = functional.normalize(torch.randn(9, 4), dim=1)
    cosines, rows = nearest_in_queue(queue[:2], queue, 9, 0.95)
    assert rows[:, -1].tolist() == [0, 1]
    assert cosines[:, -1].tolist() == [-1, -1]
    _, rows = nearest_in_queue(0.9 * queue[:2], queue, 9, 0.95)  # nearly the clip itself
    assert rows[:, 0].tolist() == [0, 1]


def test_a_short_queue_is_mined_whole() -> None:
    assert nearest_keys((torch.randn(2, 5),), 9).all()
