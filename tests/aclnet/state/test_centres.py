from __future__ import annotations

import torch

from aclnet.state.centres import ClassCentres, class_means, moved_centres


def test_means_and_present_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 5, (20,), generator=generator)
    chosen = torch.rand(20, generator=generator) > 0.4
    means, present = class_means(rows, labels, chosen, 6)
    for i in range(6):
        of_class = [row for row, y, c in zip(rows, labels, chosen, strict=True) if c and y == i]
        assert bool(present[i]) == bool(of_class)
        expected = torch.stack(of_class).mean(dim=0) if of_class else torch.zeros(3).double()
        torch.testing.assert_close(means[i], expected)


def test_only_chosen_rows_get_a_gradient() -> None:
    rows = torch.ones(3, 2, requires_grad=True)
    means, _ = class_means(rows, torch.tensor([0, 0, 1]), torch.tensor([True, False, True]), 2)
    torch.autograd.backward(means.sum())
    assert rows.grad is not None
    assert rows.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]


def test_absent_stay_fresh_start_and_the_others_move() -> None:
    centres = torch.tensor([[10.0], [10.0], [10.0]])
    moved = moved_centres(
        centres,
        means=torch.tensor([[0.0], [2.0], [2.0]]),
        present=torch.tensor([False, True, True]),
        fresh=torch.tensor([True, True, False]),
        momentum=0.75,
    )
    assert moved.tolist() == [[10.0], [2.0], [8.0]]


def test_store_cuts_the_gradient_and_remembers_who_was_seen() -> None:
    state = ClassCentres(3, 1)
    state.store(torch.ones(3, 1, requires_grad=True), torch.tensor([True, False, False]))
    state.store(torch.ones(3, 1), torch.tensor([False, False, True]))
    assert state.seen.tolist() == [True, False, True]
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
