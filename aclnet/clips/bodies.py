"""Body variants: a recording made larger, smaller or mirrored trains as another person.

A data set of a few dozen people teaches a network little about how bodies differ. Showing each
person in several sizes and as the mirror image, and calling each of these a person of its own,
multiplies the identities that the classifier and the contrastive terms must tell apart, and makes
size and side matter to them. Classes are numbered person * count + variant. At test nothing is
changed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aclnet.clips.settings import BodySettings
from aclnet.clips.transforms import mirror
from aclnet.skeleton import Layout

Labels = npt.NDArray[np.int64]


class BodyVariants:
    """The bodies of `BodySettings` for one joint layout.

    Args:
        settings: sizes and mirror image.
        layout: V joints.
        dims: coordinates a joint, 2 or 3.
    """

    def __init__(self, settings: BodySettings, layout: Layout, dims: int) -> None:
        self.layout = layout
        self.dims = dims
        self.mirrored = settings.mirrored
        self.count = len(settings.sizes) * (2 if settings.mirrored else 1)
        self._sizes = torch.tensor(settings.sizes)
        self._as_recorded = settings == BodySettings()

    def expand(self, labels: Labels) -> Labels:
        """Classes of all variants of all samples: (N,) to (N * count,), a sample's side by side.

        >>> from aclnet.skeleton import load_layout
        >>> bodies = BodyVariants(BodySettings(mirrored=True), load_layout("coco17"), dims=2)
        >>> bodies.expand(np.array([0, 2])).tolist()
        [0, 1, 4, 5]
        """
        return (labels[:, None] * self.count + np.arange(self.count)[None]).reshape(-1)

    def apply(self, clips: Tensor, variant: Tensor) -> Tensor:
        """Give each clip another body.

        Coordinates grow about the camera's origin, so the place in the room changes too; clips are
        centred later (`aclnet.clips.transforms.normalise`). A missing joint, at zero, stays at
        zero.

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
