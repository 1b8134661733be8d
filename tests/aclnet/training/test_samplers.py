from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.seeding import derive_seed
from aclnet.training.samplers import IdentitySampler, ShuffleSampler, rank_slice

EPOCHS = st.integers(0, 50)
SEEDS = st.integers(0, 2**32)


@st.composite
def identity_samplers(draw: st.DrawFn) -> tuple[np.ndarray, int, int, IdentitySampler]:
    """Identities of unlike sizes, named by any numbers, with a sampler over them."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    names = draw(
        st.lists(st.integers(-9, 99), min_size=len(sizes), max_size=len(sizes), unique=True)
    )
    rows = np.repeat(names, sizes)
    rows = np.random.default_rng(draw(SEEDS)).permutation(rows)
    people, each = draw(st.integers(1, len(sizes))), draw(st.integers(1, 6))
    steps = draw(st.one_of(st.none(), st.integers(1, 20)))
    sampler = IdentitySampler(rows, people, each, draw(SEEDS), steps_per_epoch=steps)
    return rows, people, each, sampler


@given(st.integers(1, 60), st.integers(1, 20), SEEDS, EPOCHS)
def test_shuffle_shows_every_row_once(count: int, size: int, seed: int, epoch: int) -> None:
    sampler = ShuffleSampler(count, size, seed)
    batches = sampler.batches(epoch)
    assert len(batches) == sampler.steps_per_epoch
    assert all(len(batch) == size for batch in batches[:-1])
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))


@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 19), SEEDS, EPOCHS)
def test_shuffle_drops_only_a_partial_last_batch(
    size: int, full: int, extra: int, seed: int, epoch: int
) -> None:
    count = size * full + extra % size
    kept = ShuffleSampler(count, size, seed, drop_last=True).batches(epoch)
    everything = ShuffleSampler(count, size, seed).batches(epoch)
    assert len(kept) == full
    for one, other in zip(kept, everything, strict=False):
        np.testing.assert_array_equal(one, other)


def test_shuffle_is_a_function_of_seed_and_epoch() -> None:
    first = ShuffleSampler(100, 100, seed=1)
    second = ShuffleSampler(100, 100, seed=1)
    first.batches(7)  # earlier calls leave no trace
    np.testing.assert_array_equal(first.batches(2)[0], second.batches(2)[0])
    assert not np.array_equal(first.batches(2)[0], first.batches(3)[0])
    assert not np.array_equal(first.batches(2)[0], ShuffleSampler(100, 100, seed=2).batches(2)[0])


@given(identity_samplers(), EPOCHS)
def test_identity_batches_hold_p_identities_of_k_samples(
    drawn: tuple[np.ndarray, int, int, IdentitySampler], epoch: int
) -> None:
    rows, people, each, sampler = drawn
    batches = sampler.batches(epoch)
    assert len(batches) == sampler.steps_per_epoch
    for batch in batches:
        assert batch.dtype == np.int64
        identities = rows[batch].reshape(people, each)
        assert (identities == identities[:, :1]).all()
        assert len(np.unique(identities[:, 0])) == people


@given(identity_samplers(), EPOCHS)
def test_identities_and_their_samples_are_visited_equally(
    drawn: tuple[np.ndarray, int, int, IdentitySampler], epoch: int
) -> None:
    rows, _, each, sampler = drawn
    batches = np.concatenate(sampler.batches(epoch))
    names, visits = np.unique(rows[batches], return_counts=True)
    visited = dict(zip(names, visits // each, strict=True))
    by_identity = [visited.get(name, 0) for name in np.unique(rows)]
    assert max(by_identity) - min(by_identity) <= 1
    for group in batches.reshape(-1, each):
        own = np.flatnonzero(rows == rows[group[0]])
        uses = np.bincount(group, minlength=len(rows))[own]
        assert uses.max() - uses.min() <= 1  # no repetition where K samples exist
    for name in np.unique(rows):
        uses = np.bincount(batches, minlength=len(rows))[rows == name]
        assert uses.max() - uses.min() <= 1


@given(identity_samplers(), EPOCHS)
def test_default_epoch_shows_every_identity_and_as_many_samples_as_there_are(
    drawn: tuple[np.ndarray, int, int, IdentitySampler], epoch: int
) -> None:
    rows, people, each, _ = drawn
    sampler = IdentitySampler(rows, people, each, seed=0)
    batches = np.concatenate(sampler.batches(epoch))
    assert set(rows[batches]) == set(rows)
    assert len(batches) >= len(rows)


@given(identity_samplers(), EPOCHS)
def test_identity_batches_are_a_function_of_epoch(
    drawn: tuple[np.ndarray, int, int, IdentitySampler], epoch: int
) -> None:
    sampler = drawn[3]
    once = sampler.batches(epoch)
    sampler.batches(epoch + 1)
    np.testing.assert_array_equal(np.stack(once), np.stack(sampler.batches(epoch)))


def test_identity_batches_change_with_seed_and_epoch() -> None:
    rows = np.arange(200) // 4
    one, other = IdentitySampler(rows, 10, 4, seed=0), IdentitySampler(rows, 10, 4, seed=1)
    assert not np.array_equal(one.batches(1)[0], one.batches(2)[0])
    assert not np.array_equal(one.batches(1)[0], other.batches(1)[0])


def test_batches_of_all_identities_are_not_always_in_one_order() -> None:
    sampler = IdentitySampler(np.arange(24) // 3, 8, 3, seed=0, steps_per_epoch=2)
    first, second = sampler.batches(1)
    assert sorted(first) == sorted(second) == list(range(24))
    assert not np.array_equal(first, second)


@given(st.integers(0, 40), st.integers(1, 5), st.integers(1, 7), st.integers(0, 4), st.booleans())
def test_rank_shares_make_up_the_batch(
    identities: int, each: int, world: int, extra: int, ragged: bool
) -> None:
    batch = np.arange(identities * each + (extra % each if ragged else 0))
    shares = [rank_slice(batch, rank, world, each) for rank in range(world)]
    np.testing.assert_array_equal(np.concatenate(shares), batch)
    sizes = [-(-len(share) // each) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)
    for share in shares:  # each begins at the first sample of an identity
        assert not len(share) or share[0] % each == 0


@pytest.mark.parametrize("rank", [-1, 2])
def test_rank_outside_the_world(rank: int) -> None:
    with pytest.raises(ValueError, match=r"rank in 0 \.\. 1"):
        rank_slice(np.arange(4), rank, 2)


@pytest.mark.parametrize(
    ("identities", "people", "each", "steps", "message"),
    [
        ([], 1, 1, None, "at least one sample"),
        ([[1, 2]], 1, 1, None, r"got shape \(1, 2\)"),
        ([1], 0, 1, None, "P = 0 and K = 1"),
        ([1], 1, 0, None, "P = 1 and K = 0"),
        ([1], 1, 1, 0, "steps_per_epoch must be at least 1"),
        ([0, 0, 1, 2], 8, 2, None, "8 identities cannot be drawn from 3"),
    ],
)
def test_identity_sampler_refuses(
    identities: list[int], people: int, each: int, steps: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        IdentitySampler(identities, people, each, seed=0, steps_per_epoch=steps)


@pytest.mark.parametrize(
    ("count", "size", "drop", "message"),
    [(0, 4, False, "got 0 samples"), (4, 0, False, "batch size 0"), (3, 4, True, "no full batch")],
)
def test_shuffle_sampler_refuses(count: int, size: int, drop: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShuffleSampler(count, size, seed=0, drop_last=drop)


def test_seeds_differ_by_purpose_and_position() -> None:
    seeds = {
        derive_seed(purpose, *numbers)
        for purpose in ("dropout", "augment")
        for numbers in ((0,), (0, 0), (0, 1), (1, 0), (1,), (2**40, 3))
    }
    assert len(seeds) == 12
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed("dropout", 3, 1, 4) == 2079586187054594062
