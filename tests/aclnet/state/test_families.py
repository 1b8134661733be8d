from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch import Tensor

from aclnet.state import families
from aclnet.state.families import MotionFamilies, nearest_classes
from aclnet.state.variant import Variant

VARIANTS: tuple[Variant, ...] = ("paper", "released")


def _counts(class_count: int, seed: int, top: int = 4) -> Tensor:
    """Few different counts, so that many are tied and many are zero."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, top, (class_count, class_count), generator=generator)
    return (counts - 1).clamp(min=0).fill_diagonal_(0)


def _plain_lists(counts: Tensor, neighbours: int, variant: Variant) -> list[list[int]]:
    lists = []
    for i, row in enumerate(counts.tolist()):
        order = sorted(range(len(row)), key=lambda j: (-row[j], j))
        if variant == "paper":
            order = [j for j in order if j != i and row[j] > 0]
        lists.append(order[:neighbours])
    return lists


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("class_count", [2, 3, 9, 10, 11, 40])
def test_nearest_classes_in_order(class_count: int, variant: Variant) -> None:
    counts = _counts(class_count, seed=class_count)
    lists = nearest_classes(counts, 10, variant)
    expected = _plain_lists(counts, 10, variant)
    found = [[j for j in row if j < class_count] for row in lists.tolist()]
    assert found == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_context_a_family_is_the_neighbours(variant: Variant) -> None:
    state = MotionFamilies(12, 3, 0, variant, context=False)
    state.rebuild(_counts(12, seed=3), 1)
    found = [row.nonzero()[:, 0].tolist() for row in state.members]
    assert found == [sorted(row) for row in _plain_lists(_counts(12, seed=3), 3, variant)]


@pytest.mark.parametrize("overlap", range(11))
def test_a_weight_at_the_threshold_is_never_a_matter_of_rounding(overlap: int) -> None:
    """Eq. 5 and 6 in fractions, for every list length from 0 to K."""
    counts = torch.zeros(24, 24, dtype=torch.int64)
    for i in range(24):
        for step in range(1, 1 + i % 11):
            counts[i, (i + 2 * step) % 24] = step
    state = MotionFamilies(24, 10, overlap, "paper")
    state.rebuild(counts, 1)
    lists = _plain_lists(counts, 10, "paper")
    for i in range(24):
        for j in range(24):
            common = len(set(lists[i]) & set(lists[j]))
            weight = Fraction(int(j in lists[i]), 2) + Fraction(common, max(1, len(lists[i])))
            assert bool(state.members[i, j]) == (i != j and weight > Fraction(overlap, 10))


@settings(deadline=None, max_examples=150)
@given(
    class_count=st.integers(2, 70),
    neighbours=st.integers(1, 14),
    overlap=st.integers(0, 14),
    confused=st.integers(0, 70),
    variant=st.sampled_from(VARIANTS),
    seed=st.integers(0, 99),
)
def test_equals_the_dense_form(
    class_count: int, neighbours: int, overlap: int, confused: int, variant: Variant, seed: int
) -> None:
    """Every count sorted, every pair of classes compared; a class may be taken for itself."""
    generator = torch.Generator().manual_seed(seed)
    near = torch.rand(class_count, class_count, generator=generator).argsort(dim=1)
    counts = torch.randint(0, 6, (class_count, class_count), generator=generator) * (
        near < confused
    )
    lists = torch.zeros(class_count, class_count, dtype=torch.int64)
    for i, row in enumerate(_plain_lists(counts, neighbours, variant)):
        lists[i, row] = 1
    shared, sizes = lists @ lists.t(), lists.sum(dim=1, keepdim=True)
    expected = neighbours * (sizes * lists + 2 * shared) > 2 * overlap * sizes
    if variant == "released":
        expected = lists.bool() | (shared > overlap)
    itself = torch.eye(class_count, dtype=torch.bool)
    state = MotionFamilies(class_count, neighbours, overlap, variant)
    state.rebuild(counts, 1)
    assert torch.equal(state.members, torch.where(itself, lists.bool(), expected))


@pytest.mark.parametrize("variant", VARIANTS)
def test_blocks_of_rows_give_what_one_block_gives(
    monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    counts = _counts(37, seed=3)
    whole, parts = (MotionFamilies(37, 10, 4, variant) for _ in range(2))
    whole.rebuild(counts, 1)
    monkeypatch.setattr(families, "BLOCK_BYTES", 37 * 5)  # seven blocks of 5 rows, one of 2
    parts.rebuild(counts, 1)
    torch.testing.assert_close(parts.state_dict(), whole.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_thousands_of_identities(variant: Variant) -> None:
    """3,000 classes against a sparse product."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(3000, 3000, dtype=torch.int64)
    steps = 1 + torch.rand(3000, 24, generator=generator).argsort(dim=1)[:, :14]
    near = (torch.arange(3000)[:, None] + steps) % 3000
    counts.scatter_(1, near, torch.randint(1, 50, (3000, 14), generator=generator))
    state = MotionFamilies(3000, 10, 4, variant)
    state.rebuild(counts, 7)
    listed = sparse.csr_array(
        (
            torch.ones(30000, dtype=torch.int32).numpy(),
            state.nearest.reshape(-1).numpy(),
            torch.arange(0, 30001, 10).numpy(),
        ),
        shape=(3000, 3000),
    )
    direct = torch.from_numpy(listed.toarray()).bool()
    shared = torch.from_numpy((listed @ listed.T).toarray())
    expected = (direct | (shared > 4)).fill_diagonal_(False)
    assert state.members.any(dim=1).all()
    assert torch.equal(state.members, expected)
    assert int(state.built_epoch) == 7


def test_released_lists_may_hold_the_class_itself() -> None:
    """A class never confused lists the lowest indices, so class 0 finds itself."""
    state = MotionFamilies(30, 10, 4, "released")
    state.rebuild(torch.zeros(30, 30, dtype=torch.int64), 1)
    assert state.nearest[0].tolist() == list(range(10))
    assert state.members[0, 0]
    assert not state.members[20, 20]
    assert state.members[20].nonzero()[:, 0].tolist() == [i for i in range(30) if i != 20]


def test_state_is_buffers_only() -> None:
    assert set(MotionFamilies(4, 10, 4, "paper").state_dict()) == {
        "nearest",
        "members",
        "built_epoch",
    }
