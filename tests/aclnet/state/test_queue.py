from __future__ import annotations

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.state.queue import NO_LABEL, FeatureQueue


@settings(deadline=None, max_examples=150)
@given(size=st.integers(0, 9), batches=st.lists(st.integers(0, 25), max_size=12))
def test_holds_what_a_deque_would_hold(size: int, batches: list[int]) -> None:
    queue = FeatureQueue(size, 2)
    oracle: deque[int] = deque(maxlen=size)
    written = 0
    for rows in batches:
        before = list(oracle)
        labels = torch.arange(written, written + rows)
        remaining = queue.push(labels[:, None].float().expand(-1, 2), labels)
        oracle.extend(labels.tolist())
        written += rows
        kept = queue.labels.roll(-int(queue.cursor) if written >= size else 0).tolist()
        assert [label for label in kept if label != NO_LABEL] == list(oracle)
        labelled = queue.labels != NO_LABEL
        assert torch.equal(queue.features[labelled, 0], queue.labels[labelled].float())
        assert int(queue.fill) == len(oracle)
        assert bool(queue.full()) == (len(oracle) == size)
        older = [label for label in before if label in oracle]
        assert sorted(remaining[remaining != NO_LABEL].tolist()) == older


def test_survives_a_checkpoint_in_mid_ring() -> None:
    first = FeatureQueue(5, 1)
    for start in (0, 3, 6):
        first.push(torch.arange(start, start + 3)[:, None].float(), torch.arange(start, start + 3))
    second = FeatureQueue(5, 1)
    second.load_state_dict(first.state_dict())
    for queue in (first, second):
        queue.push(torch.tensor([[9.0], [10.0]]), torch.tensor([9, 10]))
    assert second.labels.roll(-int(second.cursor)).tolist() == [6, 7, 8, 9, 10]
    torch.testing.assert_close(second.state_dict(), first.state_dict())


def test_keeps_no_gradient() -> None:
    queue = FeatureQueue(4, 2)
    rows = torch.ones(3, 2, requires_grad=True)
    queue.push(rows * 2, torch.tensor([0, 1, 2]))
    assert not queue.features.requires_grad


@pytest.mark.parametrize("rows", [3, 9])
def test_writes_half_precision_rows_in_its_own_type(rows: int) -> None:
    queue = FeatureQueue(4, 2)
    queue.push(torch.ones(rows, 2, dtype=torch.bfloat16), torch.arange(rows))
    assert queue.features.dtype == torch.float32


def test_a_random_start_is_full_of_unit_rows() -> None:
    first, second = (
        FeatureQueue(6, 3, start="random", generator=torch.Generator().manual_seed(seed))
        for seed in (0, 1)
    )
    torch.testing.assert_close(first.features.norm(dim=1), torch.ones(6))
    assert not torch.equal(first.features, second.features)
    assert bool(first.full())


def test_rows_without_labels_take_their_slots_in_turn() -> None:
    queue = FeatureQueue(4, 1, start="random")
    queue.push(torch.arange(3.0)[:, None])
    queue.push(torch.arange(3.0, 6.0)[:, None])
    assert queue.features[:, 0].tolist() == [4, 5, 2, 3]
    assert queue.labels.tolist() == [NO_LABEL] * 4
