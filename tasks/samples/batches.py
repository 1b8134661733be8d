"""Training batches: the clips of a step, as a pure function of epoch and step."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.sampling import Places
from aclnet.clips.settings import ClipSettings, Rows
from aclnet.data.store import Store
from aclnet.seeding import derive_seed
from aclnet.training.batches import Batch
from aclnet.training.samplers import Sampler, rank_slice


class ClipSource:
    """Training batches: random clips of a store's samples, a pure function of epoch and step.

    With body variants every sample counts once per variant: number `row * count + variant` of the
    sampler is the recording of that row with the variant's body, and its own class.

    Args:
        store: the N training samples.
        labels: (N,) class of each sample, before variants.
        sampler: draws the numbers of each global batch, 0..N * variants - 1.
        clip_input: clip length, frame step and variants.
        seed: determines the windows together with epoch and step, for any number of ranks.
        windows: of each sample in a clip, one after the other on the axis of frames.

    Raises:
        ValueError: as `picture_widths`.
    """

    def __init__(
        self,
        store: Store,
        labels: Rows,
        sampler: Sampler,
        clip_input: ClipInput,
        seed: int,
        windows: int = 1,
    ) -> None:
        self.store = store
        self.labels = clip_input.bodies.expand(labels)
        self.sampler = sampler
        self.clip_input = clip_input
        self.seed = seed
        self.windows = windows
        self._names = store.index["sample"].to_numpy()
        self._widths = picture_widths(store, clip_input.settings)
        self._epoch = -1
        self._batches: list[Rows] = []

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""
        return self.sampler.steps_per_epoch

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        """This rank's share of a step's global batch; clips as stored, with variants applied."""
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self.sampler.batches(epoch)
        numbers = self._batches[step]
        rows, variant = np.divmod(numbers, self.clip_input.bodies.count)
        # Windows are drawn for the global batch, so that they do not depend on the number of ranks.
        generator = np.random.default_rng(derive_seed("windows", self.seed, epoch, step))
        lengths = self.store.lengths[rows]
        drawn = [self.clip_input.training_frames(lengths, generator) for _ in range(self.windows)]
        frames = cast("Rows | Places", np.concatenate(drawn, axis=1))
        mine = rank_slice(np.arange(len(rows)), rank, world, self.sampler.samples_per_identity)
        clips = self.clip_input.stored(self.store, rows[mine], frames[mine])
        return Batch(
            clips=self.clip_input.bodies.apply(clips, torch.from_numpy(variant[mine])),
            labels=torch.from_numpy(self.labels[numbers[mine]]),
            samples=self._names[rows[mine]].tolist(),
            widths=None if self._widths is None else self._widths[torch.from_numpy(rows[mine])],
        )


def picture_widths(store: Store, clip: ClipSettings) -> Tensor | None:
    """Widths of the videos, if the training mirrors pictures.

    Args:
        store: N samples.
        clip: clip settings.

    Returns:
        float32 (N,) pixels; None if `augment.image_flip` is 0.

    Raises:
        ValueError: the coordinates are not positions in a picture, or a width is unknown.
    """
    if clip.augment.image_flip == 0:
        return None
    info, where = store.info, f"data set {store.info.name}"
    mirrors, remedy = "clip.augment.image_flip mirrors pictures", "set it to 0"
    if info.dims != 2 or info.unit != "pixel":
        raise ValueError(
            f"{where}: {mirrors}, but the joints are {info.dims}-D in {info.unit}: {remedy}"
        )
    if info.settings.get("prepare") == "main_person":
        raise ValueError(
            f"{where}: {mirrors}, but the recordings are centred on the main person: {remedy}, or "
            "convert the data without that (data.prepare=none)"
        )
    widths = store.image_width
    unknown = np.flatnonzero(np.isnan(widths))
    if len(unknown):
        raise ValueError(
            f"{where}: {mirrors}, but the width of {len(unknown)} of {len(store)} videos is "
            f"unknown, the first of sample {store.index['sample'].iat[unknown[0]]!r}: {remedy}, or "
            "convert the data with `aclnet-task data convert --image-size WIDTHxHEIGHT`"
        )
    return torch.from_numpy(widths)
