"""Training batches: which clips a step sees, as a pure function of epoch and step."""

from __future__ import annotations

import numpy as np
import torch

from aclnet.batches import Batch
from aclnet.data.store import Store
from aclnet.samplers import Sampler, rank_slice
from aclnet.seeding import derive_seed
from tasks.clips import ClipInput, Rows


class ClipSource:
    """Training batches: random clips of a store's samples, a pure function of epoch and step.

    Every sample stands for as many as there are bodies: number `row * count + variant` of
    the sampler is the row's recording with that variant's body, and its class likewise.

    Args:
        store: the N training samples.
        labels: (N,) class of each sample, before variants.
        sampler: chooses the numbers of each global batch, 0..N * variants - 1.
        clip_input: clip length, frame step and variants.
        seed: with epoch and step it determines the windows, whatever the number of ranks.
    """

    def __init__(
        self, store: Store, labels: Rows, sampler: Sampler, clip_input: ClipInput, seed: int
    ) -> None:
        self.store = store
        self.labels = clip_input.bodies.expand(labels)
        self.sampler = sampler
        self.clip_input = clip_input
        self.seed = seed
        self._names = store.index["sample"].to_numpy()
        self._epoch = -1
        self._batches: list[Rows] = []

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch."""
        return self.sampler.steps_per_epoch

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        """This rank's share of the global batch of a step; clips as stored, variants applied."""
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self.sampler.batches(epoch)
        numbers = self._batches[step]
        rows, variant = np.divmod(numbers, self.clip_input.bodies.count)
        # Windows are drawn for the global batch, so that one rank and several see the same clips.
        generator = np.random.default_rng(derive_seed("windows", self.seed, epoch, step))
        frames = self.clip_input.training_frames(self.store.lengths[rows], generator)
        mine = rank_slice(np.arange(len(rows)), rank, world, self.sampler.samples_per_identity)
        clips = self.clip_input.stored(self.store, rows[mine], frames[mine])
        return Batch(
            clips=self.clip_input.bodies.apply(clips, torch.from_numpy(variant[mine])),
            labels=torch.from_numpy(self.labels[numbers[mine]]),
            samples=self._names[rows[mine]].tolist(),
        )
