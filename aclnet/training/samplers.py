"""Which rows of a store make up each batch: pure functions of (seed, epoch).

Batches are global: every rank computes the same list and takes its share by `rank_slice`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aclnet.seeding import derive_seed

Rows = npt.NDArray[np.int64]


class Sampler(Protocol):
    """Row numbers of each batch of an epoch."""

    samples_per_identity: int
    """Rows of one identity that are adjacent in a batch (1: no grouping)."""
    steps_per_epoch: int
    """Number of batches in every epoch."""

    def batches(self, epoch: int) -> list[Rows]:
        """Row numbers of every batch of an epoch."""


class ShuffleSampler:
    """Every row once an epoch, in a new random order each epoch.

    Args:
        count: number of rows.
        batch_size: rows in a global batch.
        seed: the run's seed.
        drop_last: leave out the last batch if it is smaller than the others.

    Raises:
        ValueError: `count` or `batch_size` below 1, or no batch is left.
    """

    samples_per_identity = 1

    def __init__(self, count: int, batch_size: int, seed: int, drop_last: bool = False) -> None:
        if count < 1 or batch_size < 1:
            raise ValueError(
                f"expected at least one sample and a batch size of at least 1, got {count} samples "
                f"and batch size {batch_size}"
            )
        if drop_last and count < batch_size:
            raise ValueError(
                f"{count} samples make no full batch of {batch_size}: lower the batch size or keep "
                "the last batch (drop_last: false)"
            )
        self._count, self._batch_size, self._seed = count, batch_size, seed
        self.steps_per_epoch = count // batch_size if drop_last else -(-count // batch_size)

    def batches(self, epoch: int) -> list[Rows]:
        """Row numbers of every batch of an epoch: (batch_size,) int64 each, the last maybe less.

        >>> [len(batch) for batch in ShuffleSampler(10, 4, seed=0).batches(epoch=1)]
        [4, 4, 2]
        """
        order = np.random.default_rng(derive_seed("shuffle", self._seed, epoch)).permutation(
            self._count
        )
        starts = range(0, self.steps_per_epoch * self._batch_size, self._batch_size)
        return [order[start : start + self._batch_size] for start in starts]


class IdentitySampler:
    """Batches of P identities with K samples each, an identity's samples adjacent.

    Identities come in rounds, each a new random order of all, so at any moment of an epoch their
    numbers of visits differ by at most one, and no identity occurs twice in a batch. The samples of
    an identity come in rounds in the same way: none is drawn a second time in an epoch before all
    the others were. An identity with fewer than K samples repeats them as evenly as possible.

    Args:
        identity_index: (N,) identity of each row, as any integers.
        identities_per_batch: P.
        samples_per_identity: K.
        seed: the run's seed.
        steps_per_epoch: batches in an epoch; by default enough for N rows and for every identity
            once.

    Raises:
        ValueError: no rows, P, K or the steps below 1, or P above the number of identities.
    """

    def __init__(
        self,
        identity_index: npt.ArrayLike,
        identities_per_batch: int,
        samples_per_identity: int,
        seed: int,
        steps_per_epoch: int | None = None,
    ) -> None:
        identities = np.asarray(identity_index)
        if identities.ndim != 1 or not identities.size:
            raise ValueError(
                f"expected one identity for each of at least one sample, got shape "
                f"{identities.shape}"
            )
        if min(identities_per_batch, samples_per_identity) < 1:
            raise ValueError(
                "expected at least one identity in a batch and one sample of each, got "
                f"P = {identities_per_batch} and K = {samples_per_identity}"
            )
        if steps_per_epoch is not None and steps_per_epoch < 1:
            raise ValueError(f"steps_per_epoch must be at least 1, got {steps_per_epoch}")
        names, index = np.unique(identities, return_inverse=True)
        if identities_per_batch > len(names):
            raise ValueError(
                f"a batch of {identities_per_batch} identities cannot be drawn from "
                f"{len(names)}: set identities_per_batch to {len(names)} or less"
            )
        order = np.argsort(index, kind="stable")
        self._rows = np.split(order, np.cumsum(np.bincount(index))[:-1])
        self._identities_per_batch = identities_per_batch
        self.samples_per_identity = samples_per_identity
        self._seed = seed
        by_rows = -(-len(identities) // (identities_per_batch * samples_per_identity))
        by_identities = -(-len(names) // identities_per_batch)
        self.steps_per_epoch = steps_per_epoch or max(by_rows, by_identities)

    def batches(self, epoch: int) -> list[Rows]:
        """Row numbers of every batch of an epoch: (P * K,) int64 each.

        >>> sampler = IdentitySampler([7, 7, 9, 9, 9, 8], 2, 3, seed=0)
        >>> [batch.shape for batch in sampler.batches(epoch=1)]
        [(6,), (6,)]
        """
        generator = np.random.default_rng(derive_seed("identities", self._seed, epoch))
        everyone = np.arange(len(self._rows))
        rounds = _distinct_groups(everyone, self._identities_per_batch, generator)
        chosen = np.stack([next(rounds) for _ in range(self.steps_per_epoch)])
        drawn = np.empty((chosen.size, self.samples_per_identity), dtype=np.int64)
        for identity in np.unique(chosen):
            visits = np.flatnonzero(chosen.ravel() == identity)
            groups = _distinct_groups(self._rows[identity], self.samples_per_identity, generator)
            drawn[visits] = [next(groups) for _ in visits]
        return list(drawn.reshape(self.steps_per_epoch, -1))


def rank_slice(batch: Rows, rank: int, world: int, samples_per_identity: int = 1) -> Rows:
    """A rank's contiguous share of a global batch, never splitting an identity.

    Shares differ by at most one identity; lower ranks have the larger ones.

    Args:
        batch: (B,) row numbers, the same on every rank.
        rank: 0 .. world - 1.
        world: number of ranks.
        samples_per_identity: rows that stay together (the sampler's attribute of that name).

    Returns:
        A view of the share; empty where there are fewer identities than ranks.

    Raises:
        ValueError: rank outside 0 .. world - 1.

    >>> [rank_slice(np.arange(10), rank, 3, samples_per_identity=2).tolist() for rank in range(3)]
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """
    if not 0 <= rank < world:
        raise ValueError(f"expected a rank in 0 .. {world - 1}, got {rank}")
    groups = -(-len(batch) // samples_per_identity)
    share, larger = divmod(groups, world)
    start = rank * share + min(rank, larger)
    stop = start + share + (rank < larger)
    return batch[start * samples_per_identity : stop * samples_per_identity]


def _distinct_groups(pool: Rows, size: int, generator: np.random.Generator) -> Iterator[Rows]:
    """Endless groups of `size`, cut from successive random orders of the pool.

    No member occurs twice in a group if the pool has at least `size` of them; those of a smaller
    pool occur in a group equally often, give or take one.
    """
    whole, rest = divmod(size, len(pool))
    queue = np.empty(0, dtype=np.int64)
    while True:
        if len(queue) < rest:
            fresh = generator.permutation(pool)
            # Where orders meet, members already in the group go to the end of the next order.
            repeated = np.isin(fresh, queue)
            queue = np.concatenate([queue, fresh[~repeated], fresh[repeated]])
        group = np.concatenate([np.tile(pool, whole), queue[:rest]])
        # Shuffled, so that the members vary between ranks and micro-batches.
        yield generator.permutation(group) if whole else group
        queue = queue[rest:]
