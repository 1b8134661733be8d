from __future__ import annotations

import pytest
import torch

from aclnet.state.confusion import ConfusionCounts
from aclnet.state.variant import Variant


def test_paper_counts_each_mistake_once() -> None:
    state = ConfusionCounts(3, "paper")
    state.add(torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 1, 1]))
    state.add(torch.tensor([0]), torch.tensor([1]))
    assert state.counts.tolist() == [[0, 2, 0], [0, 0, 0], [0, 2, 0]]


def test_released_adds_the_reverse_once_for_each_sample_of_the_class() -> None:
    """H += F + n[:, None] * F', with F the batch's mistakes and n its class sizes."""
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 7, (64,), generator=generator)
    predicted = torch.randint(0, 7, (64,), generator=generator)
    mistakes = torch.zeros(7, 7, dtype=torch.int64)
    for label, guess in zip(labels.tolist(), predicted.tolist(), strict=True):
        mistakes[label, guess] += int(label != guess)
    sizes = torch.bincount(labels, minlength=7)
    state = ConfusionCounts(7, "released")
    state.add(labels, predicted)
    assert torch.equal(state.counts, mistakes + sizes[:, None] * mistakes.t())


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_right_predictions_leave_no_trace(variant: Variant) -> None:
    state = ConfusionCounts(4, variant)
    state.add(torch.tensor([0, 1, 3]), torch.tensor([0, 1, 3]))
    assert not state.counts.any()
    assert set(state.state_dict()) == {"counts"}
