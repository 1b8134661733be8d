"""Changes of a clip in time, alike for all its joints; as in `aclnet.pretraining.views.spatial`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.clips.resampling import resample, take_frames
from aclnet.pretraining.body import Body
from aclnet.pretraining.views.batch import Batch, per_clip
from aclnet.pretraining.views.settings import ChangeSettings

BLUR_TAPS = 15


@dataclass(frozen=True)
class Crop:
    """As many frames as before, cut out of a clip that its mirror image in time prolongs.

    Attributes:
        start: (N,) int64 first frame of the prolonged clip, `padding` leaving the clip as it is.
        padding: frames added at both ends.
    """

    start: Tensor
    padding: int

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> Crop:
        """Any start, equally likely."""
        padding = int(settings.crop * batch.shape[2] + 1e-9)
        return cls(batch.whole(0, 2 * padding), padding)

    def apply(self, clips: Tensor, body: Body) -> Tensor:  # noqa: ARG002
        """(N, M, T, V, C)."""
        T = clips.shape[2]
        place = torch.arange(T, device=clips.device) + self.start[:, None] - self.padding
        place = torch.where(place < 0, -1 - place, place)
        return take_frames(clips, torch.where(place < T, place, 2 * T - 1 - place))


@dataclass(frozen=True)
class Blur:
    """Sum of 15 neighbouring frames by the bell curve's values, which do not add up to 1.

    A clip grows by their sum, up to five-fold, as in the published code. Beyond the clip's ends
    there are zeros, and so there are where a joint was not found.

    Attributes:
        deviation: (N,) frames.
        chosen: (N,) bool.
    """

    deviation: Tensor
    chosen: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> Blur:
        """Which clips, and a uniform deviation."""
        deviation = batch.uniform(*settings.blur_frames)
        return cls(deviation, batch.chosen(settings.probability))

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        T, reach = clips.shape[2], BLUR_TAPS // 2
        step = torch.arange(-reach, reach + 1, device=clips.device, dtype=clips.dtype)
        taps = (-(step**2) / (2 * self.deviation[:, None] ** 2)).exp()
        joints = clips[..., : body.dims]
        padded = functional.pad(joints, (0, 0, 0, 0, reach, reach))
        # Not a convolution, which TF32 would round.
        made = torch.zeros_like(joints)
        for tap in range(BLUR_TAPS):
            made += padded[:, :, tap : tap + T] * per_clip(taps[:, tap])
        return torch.where(per_clip(self.chosen), body.replace_seen(clips, made), clips)


@dataclass(frozen=True)
class Reverse:
    """Time runs backwards; no published view does so.

    Attributes:
        chosen: (N,) bool.
    """

    chosen: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> Reverse:
        """Which clips."""
        return cls(batch.chosen(settings.probability))

    def apply(self, clips: Tensor, body: Body) -> Tensor:  # noqa: ARG002
        """(N, M, T, V, C)."""
        return torch.where(per_clip(self.chosen), clips.flip(2), clips)


@dataclass(frozen=True)
class RescaleTime:
    """Slower or faster; what becomes longer is cut off, what becomes shorter ends with zeros.

    Attributes:
        frames: (N,) int64, the new length.
        chosen: (N,) bool.
    """

    frames: Tensor
    chosen: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> RescaleTime:
        """Which clips, and a uniform factor, rounded down to whole frames."""
        chosen = batch.chosen(settings.probability)
        frames = (batch.shape[2] * batch.uniform(*settings.time_factors)).long().clamp(min=1)
        return cls(frames, chosen)

    def apply(self, clips: Tensor, body: Body) -> Tensor:  # noqa: ARG002
        """(N, M, T, V, C)."""
        T = clips.shape[2]
        changed = resample(clips, torch.full_like(self.frames, T), self.frames, T)
        return torch.where(per_clip(self.chosen), changed, clips)
