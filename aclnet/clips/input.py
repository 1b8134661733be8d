"""The network's input: frames of a recording, prepared and turned into streams."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from aclnet.clips.augmentation import augment, exchange_some
from aclnet.clips.blocks import by_blocks
from aclnet.clips.completion import Distances
from aclnet.clips.sampling import Places
from aclnet.clips.settings import BodySettings, ClipSettings, Rows
from aclnet.clips.stored import StoredClips
from aclnet.clips.streams import make_streams
from aclnet.clips.transforms import mirror, normalise
from aclnet.data.store import Store
from aclnet.skeleton import Layout


def to_device(clips: Tensor, device: torch.device) -> Tensor:
    """Copy clips to a device; a GPU is not waited for, so that it works meanwhile."""
    if device.type == "cuda":  # page-locked memory, from which it copies by itself
        clips = clips.pin_memory()
    return clips.to(device, non_blocking=True)


class ClipInput(StoredClips):
    """Turns recordings into the network's input; one object for training and test.

    All of it is float32. (The released code centres half-precision files in half precision in the
    test, and in double precision in training.)

    Args:
        settings: clip settings.
        layout: the store's joint layout.
        channels: the store's channel names, coordinates first.
        distances: of the training people's joints; needed to estimate missing ones.

    Attributes:
        bodies: the bodies that each person is shown with in training.
    """

    def __init__(
        self,
        settings: ClipSettings,
        layout: Layout,
        channels: tuple[str, ...],
        distances: Distances | None = None,
    ) -> None:
        super().__init__(settings, layout, channels, distances)
        self.bodies = BodyVariants(settings.bodies, layout, self.dims)

    def stored(self, store: Store, rows: Rows, frames: Rows | Places) -> Tensor:
        """Frames of a store (see `taken`), for `prepare` and `augmented`."""
        return torch.from_numpy(self.taken(store, rows, frames))

    def prepare(self, clips: Tensor, mirrored: Tensor | bool = False) -> Tensor:
        """Clips of `stored` or `for_network` as the network's input, no randomness.

        Args:
            clips: N clips.
            mirrored: of which the mirror image is taken, bool (N,); or whether of all.

        Returns:
            (N, M, T, V, channels); K clips of each recording that are joined are N.
        """
        several = clips.ndim == 6
        parts = clips.shape[2] if several else 1
        clips = self.normalised(clips.flatten(2, 3) if several else clips)
        if isinstance(mirrored, Tensor):
            chosen = mirrored[:, None, None, None, None]
            clips = torch.where(chosen, self._mirror(clips), clips)
        elif mirrored:
            clips = self._mirror(clips)
        clips = self.streams(clips)
        if self.settings.motion == "joined":
            N, M, _, V, C = clips.shape
            clips = clips.reshape(N, M, parts, -1, V, C).transpose(1, 2).flatten(0, 1)
        return clips

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        """As `prepare`, with the random changes of training.

        Args:
            clips: from `stored`.
            generator: on the clips' device.
            widths: (N,) of the videos in pixels; only `augment.image_flip` needs them.
        """
        changes = self.settings.augment
        clips = self.normalised(exchange_some(clips, changes, generator))
        between = self._between_people
        clips = augment(
            clips, self.layout, self.dims, changes, generator, widths, between_people=between
        )
        return self.streams(clips)

    def normalised(self, clips: Tensor) -> Tensor:
        """Stored clips independent of camera and place, before their streams are made."""
        return normalise(clips, self.layout, self.dims, self.settings.normalise)

    def streams(self, clips: Tensor) -> Tensor:
        """The streams of normalised clips: the network's input."""
        if self.settings.streams == ("j",):
            return clips
        return by_blocks(self._streams, clips)

    @property
    def _between_people(self) -> bool:
        return self.settings.normalise.heading == "people"

    def _mirror(self, clips: Tensor) -> Tensor:
        return mirror(clips, self.layout, between_people=self._between_people)

    def _streams(self, clips: Tensor) -> Tensor:
        following = None
        if self.follows:
            length = clips.shape[2] // 2
            clips, following = clips[:, :, :length], clips[:, :, length:]
        return make_streams(
            clips,
            self.layout,
            self.settings.streams,
            self.dims,
            confidence=self.settings.confidence,
            following=following,
            jumps=self.settings.missing == "zero",
        )


class BodyVariants:
    """The bodies of `BodySettings` for one joint layout, as training data.

    A data set of a few dozen people teaches a network little about how bodies differ. Showing each
    person in several sizes and mirrored, as people of their own, multiplies the identities that the
    classifier and the contrastive terms must tell apart. Classes are numbered person * count +
    variant. In tests nothing is changed.

    Args:
        settings: sizes and mirror image.
        layout: V joints.
        dims: coordinates a joint, 2 or 3.
    """

    def __init__(self, settings: BodySettings, layout: Layout, dims: int) -> None:
        self.layout = layout
        self.dims = dims
        self.mirrored = settings.mirrored
        self.count = settings.count
        self._sizes = torch.tensor(settings.sizes)
        self._as_recorded = settings == BodySettings()

    def expand(self, labels: Rows) -> Rows:
        """Classes of all variants of all samples: (N,) to (N * count,), sample by sample.

        >>> from aclnet.skeleton import load_layout
        >>> bodies = BodyVariants(BodySettings(mirrored=True), load_layout("coco17"), dims=2)
        >>> bodies.expand(np.array([0, 2])).tolist()
        [0, 1, 4, 5]
        """
        return (labels[:, None] * self.count + np.arange(self.count)[None]).reshape(-1)

    def apply(self, clips: Tensor, variant: Tensor) -> Tensor:
        """Give each clip another body.

        Coordinates are scaled about the camera's origin, so the place in the room changes too;
        clips are centred later (`aclnet.clips.transforms.normalise`). Missing joints stay at zero.

        Args:
            clips: (N, M, T, V, C) as stored.
            variant: (N,) int64 in 0..count-1.

        Returns:
            (N, M, T, V, C).
        """
        if self._as_recorded:
            return clips
        sizes = len(self._sizes)
        factor = self._sizes[variant % sizes].to(clips)[:, None, None, None, None]
        coordinates = clips[..., : self.dims] * factor
        clips = torch.cat([coordinates, clips[..., self.dims :]], dim=-1)
        if not self.mirrored:
            return clips
        turned = (variant >= sizes)[:, None, None, None, None].to(clips.device)
        return torch.where(turned, mirror(clips, self.layout), clips)
