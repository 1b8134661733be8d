from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aclnet.state.centres import ClassCentres

MOMENTUM = 0.75


def _whole(
    state: ClassCentres, rows: Tensor, labels: Tensor, chosen: Tensor, start: bool
) -> Tensor:
    """Eq. 7 for all classes, with gradient to the rows."""
    moved = list(state.centres)
    for i in range(len(moved)):
        of_class = rows[chosen & (labels == i)]
        if len(of_class):
            mean = of_class.mean(dim=0)
            past = mean if start and not state.seen[i] else moved[i]
            moved[i] = MOMENTUM * past + (1 - MOMENTUM) * mean
    return torch.stack(moved)


@settings(deadline=None, max_examples=100)
@given(
    class_count=st.integers(2, 40),
    batches=st.lists(st.lists(st.integers(0, 39), min_size=1, max_size=60), min_size=1, max_size=4),
    start=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_a_step_over_all_classes(
    class_count: int, batches: list[list[int]], start: bool, seed: int
) -> None:
    """More classes than rows and fewer, absent ones, batches of one class, nothing chosen."""
    generator = torch.Generator().manual_seed(seed)
    state = ClassCentres(class_count, 3, random=not start, generator=generator).double()
    seen = set[int]()
    for batch in batches:
        labels = torch.tensor(batch) % class_count
        rows = torch.randn(len(batch), 3, generator=generator, dtype=torch.float64)
        chosen = torch.rand(len(batch), generator=generator) > 0.4
        rows.requires_grad_()
        expected = _whole(state, rows, labels, chosen, start)
        seen |= set(labels[chosen].tolist())
        classes, share = state.move(rows, labels, chosen, MOMENTUM, begin_at_mean=start)
        torch.testing.assert_close(state.centres, expected.detach())
        assert state.seen.nonzero()[:, 0].tolist() == sorted(seen)
        weight = torch.randn(class_count, 3, generator=generator, dtype=torch.float64)
        if not start and chosen.any():
            (gradient,) = torch.autograd.grad((expected * weight).sum(), rows)
            torch.testing.assert_close(share.t() @ weight[classes], gradient)


def test_absent_stay_fresh_start_and_the_others_move() -> None:
    state = ClassCentres(9, 1)
    state.centres.fill_(10)
    state.seen[2] = True
    labels = torch.tensor([1, 2, 2])
    rows = torch.tensor([[2.0], [1.0], [3.0]], requires_grad=True)
    everyone = torch.ones(3, dtype=torch.bool)
    state.move(rows, labels, everyone, MOMENTUM, begin_at_mean=True)
    assert state.centres[:, 0].tolist() == [10, 2, 8, *[10] * 6]
    assert state.seen.tolist() == [False, True, True, *[False] * 6]
    assert not state.centres.requires_grad
    assert set(state.state_dict()) == {"centres", "seen"}


def test_the_random_start_comes_from_the_generator() -> None:
    first, second = (
        ClassCentres(50, 40, random=True, generator=torch.Generator().manual_seed(5)).centres
        for _ in range(2)
    )
    assert torch.equal(first, second)
    assert abs(float(first.std()) - 1) < 0.1
    assert not ClassCentres(50, 40).centres.any()
