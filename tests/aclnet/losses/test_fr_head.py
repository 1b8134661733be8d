"""FR-Head against a plain reading: one clip after the other, from the equations in its module."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from aclnet.losses.fr_head import FrHead
from aclnet.losses.settings import FrHeadSettings

K, STAGES = 4, ((3, 5, 6), (4, 3, 6), (2, 2, 6))


def cosine(one: Tensor, other: Tensor) -> Tensor:
    return one @ other / ((one.norm() + 1e-12) * (other.norm() + 1e-12))


class Plain:
    """The head read plainly; it shares the modules' weights and keeps prototypes of its own."""

    def __init__(self, head: FrHead) -> None:
        self.head = head
        self.centres = [dict(enumerate(b.centres.centres.clone())) for b in head.branches]

    def step(self, logits: Tensor, labels: Tensor, stages: tuple[Tensor, ...]) -> Tensor:
        total, number = torch.zeros((), dtype=torch.float64), 0
        for stage, level in zip(stages[1:], (0.5, 1.0), strict=True):
            for axis in (2, 3):
                rows = self.rows(self.head.branches[number], stage.mean(dim=axis))
                total = total + level * self.contrast(number, rows, logits.detach(), labels)
                number += 1
        return total

    def rows(self, branch: nn.Module, means: Tensor) -> list[Tensor]:
        squeeze, norm, project = (branch.get_submodule(n) for n in ("squeeze", "norm", "cl_fc"))
        places = [
            [squeeze.weight[:, :, 0] @ clip[:, p] + squeeze.bias for p in range(clip.shape[1])]
            for clip in means
        ]
        flat = torch.stack([place for clip in places for place in clip])
        mean, variance = flat.mean(dim=0), flat.var(dim=0, unbiased=False)
        scale = norm.weight / torch.sqrt(variance + norm.eps)
        return [
            project.weight
            @ torch.stack([((p - mean) * scale + norm.bias).relu() for p in clip]).t().flatten()
            + project.bias
            for clip in places
        ]

    def contrast(self, number: int, rows: list[Tensor], logits: Tensor, labels: Tensor) -> Tensor:
        truth, guess = labels.tolist(), logits.argmax(dim=1).tolist()
        clips = range(len(rows))
        centres = dict(self.centres[number])
        for k in set(truth):
            right = [rows[i] for i in clips if truth[i] == guess[i] == k]
            if right:
                centres[k] = 0.9 * centres[k] + 0.1 * torch.stack(right).mean(dim=0)
        self.centres[number] = {k: centre.detach() for k, centre in centres.items()}
        total = torch.zeros((), dtype=torch.float64)
        for i in clips:
            k, f = truth[i], rows[i]
            doubt = 1 - logits[i].softmax(dim=0)[k]
            missed = [rows[j] for j in clips if truth[j] == k != guess[j]]
            taken = [rows[j] for j in clips if guess[j] == k != truth[j]]
            phi = doubt * (1 - cosine(f, torch.stack(missed).mean(dim=0))) if missed else 0
            psi = doubt * (1 + cosine(f, torch.stack(taken).mean(dim=0))) if taken else 0
            near = cosine(f, centres[k]) / 0.125
            others = sum(torch.exp(cosine(f, centres[a]) / 0.125) for a in range(K) if a != k)
            for lowered in (near - phi, near - psi):
                total = total - torch.log(lowered.exp() / (lowered.exp() + others))
        return total / len(rows)


def make_head(**changes: object) -> FrHead:
    settings = FrHeadSettings(levels=(0.5, 1.0), projection_dim=8, **changes)
    return FrHead(settings, K, STAGES, torch.Generator().manual_seed(0)).double()


def batch(seed: int, rows: int = 9) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Logits that are right for some clips and wrong for others, labels, and stages."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, K, (rows,), generator=generator)
    logits = torch.randn(rows, K, generator=generator, dtype=torch.float64)
    logits[: rows // 2].scatter_add_(
        1, labels[: rows // 2, None], torch.full((rows // 2, 1), 3.0, dtype=torch.float64)
    )
    stages = tuple(
        torch.randn(rows, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in STAGES
    )
    return logits.requires_grad_(), labels, stages


def test_value_gradients_and_prototypes_are_those_of_the_plain_reading() -> None:
    """The last two stages count, with the last two weights; steps build on each other."""
    head = make_head()
    plain = Plain(copy.deepcopy(head))
    for seed in (1, 2, 3):
        logits, labels, stages = batch(seed)
        loss, expected = (
            one(logits=logits, labels=labels, stages=stages) for one in (head, plain.step)
        )
        torch.testing.assert_close(loss, expected)
        found = torch.autograd.grad(loss, [*stages[1:], *head.parameters()])
        wanted = torch.autograd.grad(expected, [*stages[1:], *plain.head.parameters()])
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)
    for branch, centres in zip(head.branches, plain.centres, strict=True):
        torch.testing.assert_close(branch.centres.centres, torch.stack([*centres.values()]))


def test_evaluation_moves_nothing() -> None:
    head = make_head()
    logits, labels, stages = batch(1)
    before = copy.deepcopy(head.eval().state_dict())
    first = head(logits=logits, labels=labels, stages=stages)
    assert first > 0
    assert torch.equal(first, head(logits=logits, labels=labels, stages=stages))
    torch.testing.assert_close(head.state_dict(), before, rtol=0, atol=0)


def test_half_precision_is_lifted_at_the_door() -> None:
    """Under autocast the same number as float32 input of the same values."""
    head = make_head().float()
    twin = copy.deepcopy(head)
    logits, labels, stages = batch(4)
    low = [stage.to(torch.bfloat16) for stage in stages]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = head(logits=logits.bfloat16(), labels=labels, stages=low)
    expected = twin(
        logits=logits.bfloat16().float(), labels=labels, stages=[stage.float() for stage in low]
    )
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0, atol=0)


def test_more_places_than_the_projection_has_entries_have_one_each() -> None:
    head = FrHead(FrHeadSettings(projection_dim=4), K, [(3, 5, 6)], None)
    assert [branch.squeeze.out_channels for branch in head.branches] == [1, 1]
    assert [branch.cl_fc.in_features for branch in head.branches] == [6, 5]


@pytest.mark.parametrize("rows", [1, 2])
def test_a_batch_without_mistakes_is_pulled_to_its_prototypes_alone(rows: int) -> None:
    head = make_head()
    _, labels, stages = batch(5, rows)
    logits = 50 * nn.functional.one_hot(labels, K).double()
    loss = head(logits=logits, labels=labels, stages=stages)
    assert math.isfinite(loss.item())
    assert loss > 0
