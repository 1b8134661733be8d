"""What the network sees of a recording: which frames, prepared how, as which streams."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from aclnet.clips.augmentation import augment
from aclnet.clips.bodies import BodyVariants
from aclnet.clips.sampling import stretched_frames, uniform_frames
from aclnet.clips.settings import ClipSettings, Rows
from aclnet.clips.streams import make_streams, stream_channels
from aclnet.clips.transforms import mirror, normalise
from aclnet.clips.windows import random_windows
from aclnet.data.store import Store
from aclnet.skeleton import Layout


class ClipInput:
    """Turns recordings into what the network sees; one object for training and test.

    Everything is float32 from the store to the network. (The released code centres half-precision
    files in half precision in the test, and in double precision in training.)

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

    def training_frames(self, lengths: Rows, generator: np.random.Generator) -> Rows:
        """Frame numbers (N, T) of a random clip of each recording of `lengths` (N,)."""
        settings = self.settings
        if settings.sampling == "window":
            return random_windows(lengths, settings.frames, generator, settings.step)
        share = generator.uniform(settings.least_share, 1, len(lengths))
        covered = np.maximum((share * lengths).astype(np.int64), 1)
        first = np.floor(generator.random(len(lengths)) * (lengths - covered + 1)).astype(np.int64)
        if settings.sampling == "uniform":
            return first[:, None] + uniform_frames(covered, settings.frames, generator)
        phase = generator.random((len(lengths), settings.frames))
        return first[:, None] + stretched_frames(covered, settings.frames, phase)

    def stored(self, store: Store, rows: Rows, frames: Rows) -> Tensor:
        """Frames of a store as `prepare` and `augmented` take them.

        Args:
            store: the recordings.
            rows: (N,) their rows.
            frames: (N, T) frame numbers.

        Returns:
            (N, M, T, V, C); with `motion: recording` (N, M, 2 T, V, C), each clip's frames and
            then the frames that follow each of them in the recording.
        """
        if self.settings.motion == "recording":
            following = np.minimum(frames + 1, store.lengths[rows][:, None] - 1)
            frames = np.concatenate([frames, following], axis=1)
        return torch.from_numpy(store.gather(rows, frames))

    def prepare(self, clips: Tensor, hidden: Rows | None = None) -> Tensor:
        """Stored clips to network input (N, M, T, V, channels), no randomness.

        Args:
            clips: from `stored`.
            hidden: joints set to zero, as where a detector did not see them.
        """
        if hidden is not None:
            clips = clips.clone()
            clips[..., hidden, :] = 0  # before anything is measured on them
        return self._streams(normalise(clips, self.layout, self.dims, self.settings.normalise))

    def prepare_mirrored(self, clips: Tensor) -> Tensor:
        """As `prepare`, of the mirror image."""
        clips = normalise(clips, self.layout, self.dims, self.settings.normalise)
        return self._streams(mirror(clips, self.layout))

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        """As `prepare`, with the random changes of training.

        Args:
            clips: from `stored`.
            generator: on the clips' device.
            widths: (N,) of their videos in pixels; only `augment.image_flip` needs them.
        """
        clips = normalise(clips, self.layout, self.dims, self.settings.normalise)
        clips = augment(clips, self.layout, self.dims, self.settings.augment, generator, widths)
        return self._streams(clips)

    def _streams(self, clips: Tensor) -> Tensor:
        following = None
        if self.settings.motion == "recording":
            clips, following = clips.chunk(2, dim=2)
        return make_streams(
            clips,
            self.layout,
            self.settings.streams,
            self.dims,
            confidence=self.settings.confidence,
            following=following,
        )
