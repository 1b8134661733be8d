"""From store to network: which clips train, how they are prepared, how they are embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional

from aclnet.augmentation import AugmentSettings, augment
from aclnet.batches import Batch
from aclnet.bodies import BodySettings, BodyVariants
from aclnet.config import Settings
from aclnet.data.store import Store
from aclnet.data.windows import centre_windows, random_windows, sliding_windows
from aclnet.models import SkeletonNetwork
from aclnet.samplers import Sampler, rank_slice
from aclnet.seeding import derive_seed
from aclnet.skeleton import Layout
from aclnet.streams import make_streams, stream_channels
from aclnet.transforms import NormaliseSettings, mirror, normalise

Rows = npt.NDArray[np.int64]


class ClipSettings(Settings):
    """How long a clip is and what the network sees of it.

    Attributes:
        frames: T, frames in a clip.
        step: distance of consecutive frames in the recording; 2 halves the frame rate.
        streams: what is shown, side by side on the channel axis (`aclnet.streams.STREAMS`).
        normalise: what is done to free clips from camera and place.
        augment: random changes of training clips.
        bodies: changed bodies that train as people of their own. Several sizes need
            `normalise.scale: none`, mirrored bodies `augment.mirror: 0`.
    """

    frames: int = Field(default=60, ge=1)
    step: int = Field(default=1, ge=1)
    streams: tuple[Literal["j", "b", "k", "jm", "bm", "km", "l"], ...] = Field(
        default=("j", "b", "jm"), min_length=1
    )
    normalise: NormaliseSettings = NormaliseSettings()
    augment: AugmentSettings = AugmentSettings()
    bodies: BodySettings = BodySettings()

    @field_validator("bodies")
    @classmethod
    def _told_apart(cls, bodies: BodySettings, info: ValidationInfo) -> BodySettings:
        # A field that is not allowed itself is not among the data.
        normalise, augment = info.data.get("normalise"), info.data.get("augment")
        if normalise is not None and normalise.scale == "torso" and len(bodies.sizes) > 1:
            raise ValueError(
                "people of several sizes cannot be told apart when all are scaled to one torso "
                "length: set normalise.scale to none, or give one size"
            )
        if augment is not None and augment.mirror > 0 and bodies.mirrored:
            raise ValueError(
                "a person and the mirror image cannot be told apart when clips are mirrored at "
                "random: set augment.mirror to 0, or mirrored to false"
            )
        return bodies


class EmbedSettings(Settings):
    """How a recording of any length becomes one embedding.

    Attributes:
        windows: "all": every window, `stride` frames apart, unit embeddings averaged; "centre": the
            middle window alone, as GaitGraph does.
        stride: frames between windows.
        mirror: average with the mirror image. GaitGraph's test-time flip reverses an axis of
            length 1 and changes nothing; this one does.
        feature: "embedding" after the network's neck, or "pooled" before it.
        batch_size: clips embedded at once.
    """

    windows: Literal["all", "centre"] = "all"
    stride: int = Field(default=30, ge=1)
    mirror: bool = True
    feature: Literal["embedding", "pooled"] = "embedding"
    batch_size: int = Field(default=256, ge=1)


class ClipInput:
    """Turns stored clips into what the network sees; one object for training and test.

    Args:
        settings: clip settings.
        layout: the store's joint layout.
        channels: the store's channel names, coordinates first.
    """

    def __init__(self, settings: ClipSettings, layout: Layout, channels: tuple[str, ...]) -> None:
        self.settings = settings
        self.layout = layout
        self.dims = sum(channel in ("x", "y", "z") for channel in channels)
        self.channels = stream_channels(settings.streams, len(channels))
        self.bodies = BodyVariants(settings.bodies, layout, self.dims)

    def prepare(self, clips: Tensor) -> Tensor:
        """Stored clips (N, M, T, V, C) to network input (N, M, T, V, channels), no randomness."""
        return self._streams(normalise(clips, self.layout, self.dims, self.settings.normalise))

    def prepare_mirrored(self, clips: Tensor) -> Tensor:
        """As `prepare`, of the mirror image."""
        clips = normalise(clips, self.layout, self.dims, self.settings.normalise)
        return self._streams(mirror(clips, self.layout))

    def augmented(self, clips: Tensor, generator: torch.Generator) -> Tensor:
        """As `prepare`, with the random changes of training."""
        clips = normalise(clips, self.layout, self.dims, self.settings.normalise)
        clips = augment(clips, self.layout, self.dims, self.settings.augment, generator)
        return self._streams(clips)

    def _streams(self, clips: Tensor) -> Tensor:
        return make_streams(clips, self.layout, self.settings.streams, self.dims)


class ClipSource:
    """Training batches: random windows of a store's samples, a pure function of epoch and step.

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
        clip = self.clip_input.settings
        frames = random_windows(self.store.lengths[rows], clip.frames, generator, clip.step)
        mine = rank_slice(np.arange(len(rows)), rank, world, self.sampler.samples_per_identity)
        clips = torch.from_numpy(self.store.gather(rows[mine], frames[mine]))
        return Batch(
            clips=self.clip_input.bodies.apply(clips, torch.from_numpy(variant[mine])),
            labels=torch.from_numpy(self.labels[numbers[mine]]),
            samples=self._names[rows[mine]].tolist(),
        )


@torch.no_grad()
def embed(
    network: SkeletonNetwork,
    store: Store,
    clip_input: ClipInput,
    settings: EmbedSettings,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """One unit-length embedding a sample: the mean over its windows' unit embeddings, normalised.

    Args:
        network: put into evaluation mode for the call and given back as it was.
        store: the samples to embed.
        clip_input: prepares clips as in training.
        settings: windows, mirror image, feature.
        progress: called with windows done and windows in all.

    Returns:
        (N, D) float32.

    Raises:
        ValueError: there is no sample.
    """
    if not len(store):
        raise ValueError(f"there is nothing to embed: {store.info.name} holds no sample")
    clip = clip_input.settings
    if settings.windows == "centre":
        owner = np.arange(len(store), dtype=np.int64)
        frames = centre_windows(store.lengths, clip.frames, clip.step)
    else:
        owner, frames = sliding_windows(store.lengths, clip.frames, settings.stride, clip.step)
    device = next(network.parameters()).device
    sums = torch.zeros(len(store), network.classifier.in_features)
    with _evaluating(network):
        for first in range(0, len(owner), settings.batch_size):
            part = slice(first, first + settings.batch_size)
            clips = torch.from_numpy(store.gather(owner[part], frames[part])).to(device)
            vectors = _unit_feature(network, clip_input.prepare(clips), settings.feature)
            if settings.mirror:
                mirrored = clip_input.prepare_mirrored(clips)
                vectors = vectors + _unit_feature(network, mirrored, settings.feature)
            # Added up on the CPU, where the order of the sum does not change from run to run.
            sums.index_add_(0, torch.from_numpy(owner[part]), vectors.cpu())
            if progress is not None:
                progress(min(first + settings.batch_size, len(owner)), len(owner))
    return functional.normalize(sums, dim=1).numpy()


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every module is in its own mode again, after an error too."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _unit_feature(network: SkeletonNetwork, clips: Tensor, feature: str) -> Tensor:
    output = network(clips)
    vectors = output.embedding if feature == "embedding" else output.pooled
    return functional.normalize(vectors.float(), dim=1)


__all__ = [
    "ClipInput",
    "ClipSettings",
    "ClipSource",
    "EmbedSettings",
    "embed",
]
