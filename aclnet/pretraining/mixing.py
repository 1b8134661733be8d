"""Mixing clips of a batch (ActCLR, stage 2): body parts for some frames, or all of two clips.

What was drawn (`Mix`) is apart from its application, and is drawn for the whole batch, as
published; tensors have an entry a clip all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.clips.resampling import take_frames
from aclnet.pretraining.body import Body
from aclnet.pretraining.transfer import draw_partners
from aclnet.pretraining.views.batch import per_clip
from aclnet.pretraining.views.settings import MixSettings

MIXUP, RESIZE, CUT = 0, 1, 2
"""Kinds of mixing: the weighted mean of two clips; the partner's parts at twice the speed from its
first frames; the partner's parts in the same frames."""

_TEMPERATURE = 0.1
_FLOOR = 1e-5


@dataclass(frozen=True)
class Mix:
    """What is mixed into each clip.

    Attributes:
        kind: (N,) int64, one of `MIXUP`, `RESIZE`, `CUT`.
        partner: (N,) int64, the row of each clip's partner.
        joints: (N, V) bool, which come from the partner; unused in mixup.
        start: (N,) int64, first frame.
        length: (N,) int64, frames.
        share: (N,) of the partner in mixup, 0 to 1.
    """

    kind: Tensor
    partner: Tensor
    joints: Tensor
    start: Tensor
    length: Tensor
    share: Tensor

    def apply(self, clips: Tensor) -> Tensor:
        """The mixed clips; those given stay as they are.

        Args:
            clips: (N, M, T, V, C).

        Returns:
            (N, M, T, V, C).
        """
        T = clips.shape[2]
        others = clips[self.partner]
        frames = torch.arange(T, device=clips.device)
        fast = (2 * (frames - self.start[:, None])).clamp(0, T - 1)
        fast = torch.where((self.kind == RESIZE)[:, None], fast, frames)
        pasted = self._frames(frames)[:, :, None] & self.joints[:, None]
        cut = torch.where(pasted[:, None, ..., None], take_frames(others, fast), clips)
        mean = torch.lerp(clips, others, per_clip(self.share.to(clips.dtype)))
        return torch.where(per_clip(self.kind == MIXUP), mean, cut)

    def regions(self, clip_frames: int, map_frames: int) -> tuple[Tensor, Tensor]:
        """Which share of a feature map each clip gave away, and which it got from its partner.

        Entry t' of the map stands for frame t' * stride of the clip, the stride being the nearest
        whole number to T / T'. A partner's parts at twice the speed come from anywhere in it: its
        region are those joints at all times. In mixup both regions are the partner's share.

        Args:
            clip_frames: T.
            map_frames: T'.

        Returns:
            What each clip gave away, and what of the partner it got: each (N, T', V), 0 to 1.
        """
        stride = max(round(clip_frames / map_frames), 1)
        frames = torch.arange(map_frames, device=self.kind.device) * stride
        pasted = self._frames(frames.clamp(max=clip_frames - 1))
        everywhere = pasted | (self.kind == RESIZE)[:, None]
        mixup = (self.kind == MIXUP)[:, None, None]
        given, got = (
            torch.where(mixup, self.share[:, None, None], self.joints[:, None] & times[:, :, None])
            for times in (pasted, everywhere)
        )
        return given, got

    def _frames(self, frames: Tensor) -> Tensor:
        """Which frames (T,) are the partner's: bool (N, T)."""
        start = self.start[:, None]
        return (frames >= start) & (frames < start + self.length[:, None])


def is_late(settings: MixSettings, epoch: int, epochs: int) -> bool:
    """Whether the second branch mixes less from this epoch (1-based) on.

    >>> is_late(MixSettings(), 199, 350), is_late(MixSettings(), 200, 350)
    (False, True)
    """
    return epoch >= round(settings.late_from * epochs)


def draw_mix(
    clips: Tensor,
    body: Body,
    settings: MixSettings,
    generator: torch.Generator,
    *,
    late: bool = False,
) -> Mix:
    """Draw how a batch is mixed: half by cut, a quarter by resize, a quarter by mixup.

    Args:
        clips: (N, M, T, V, C).
        body: the joints.
        settings: how much is mixed.
        generator: on the clips' device.
        late: use the settings' `late_parts` and `late_units`.
    """
    N, _, T, _, _ = clips.shape
    parts, lengths = (
        (settings.late_parts, settings.late_units) if late else (settings.parts, settings.units)
    )
    device, unit = generator.device, settings.unit_frames
    units = max(T // unit, 1)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device, dtype=torch.float64)

    partner = draw_partners(N, generator)
    count = torch.randint(parts[0], parts[1] + 1, (1,), generator=generator, device=device)
    order = uniform(len(body.parts)).argsort()
    joints = (body.parts[order] & (torch.arange(len(order), device=device) < count)[:, None]).any(0)
    length = torch.randint(lengths[0], lengths[1] + 1, (1,), generator=generator, device=device)
    length = length.clamp(max=units)
    start = (uniform(1) * (units + 1 - length)).long()
    choice = uniform(1)
    kind = (choice > 0.25).long() + (choice > 0.5).long()
    share = uniform(1).to(clips.dtype)
    return Mix(
        kind.expand(N),
        partner,
        joints.expand(N, -1),
        (unit * start).expand(N),
        (unit * length).expand(N),
        share.expand(N),
    )


def key_weights(mask: Tensor, mix: Mix, clip_frames: int) -> tuple[Tensor, Tensor]:
    """How much of a mixed clip's content is the partner's and how much its own.

    A clip's entries count by exp(mask / 0.1), so that its actionlet decides: of the partner those
    that it gave, of the clip those that were not covered; means over the persons, and together 1.

    Args:
        mask: (N, M, T', V) actionlet of the unmixed clips, 0 to 1.
        mix: how they were mixed.
        clip_frames: T of the clips.

    Returns:
        The partner's weight and the clip's own, each (N,).
    """
    weight = (mask / _TEMPERATURE).exp()
    given, got = (region.unsqueeze(1) for region in mix.regions(clip_frames, mask.shape[2]))
    kept = (weight * (1 - given)).sum(dim=(2, 3)) / (weight.sum(dim=(2, 3)) + _FLOOR)
    # The published code adds the floor once here and to every entry there.
    floored = (weight + _FLOOR).sum(dim=(2, 3))[mix.partner]
    taken = (weight[mix.partner] * got).sum(dim=(2, 3)) / floored
    own, other = kept.mean(dim=1), taken.mean(dim=1)
    return other / (own + other), own / (own + other)


def upscale(mask: Tensor, clip_frames: int, joint_count: int) -> Tensor:
    """A mask of a feature map (N, M, T', V') at a clip's size (N, M, T, V), bilinearly."""
    size = (clip_frames, joint_count)
    return functional.interpolate(mask, size, mode="bilinear", align_corners=True)


def blend(inside: Tensor, outside: Tensor, mask: Tensor) -> Tensor:
    """One clip where the mask is 1 and another where it is 0.

    Args:
        inside: (N, M, T, V, C).
        outside: (N, M, T, V, C).
        mask: (N, M, T', V') of the feature map, 0 to 1.

    Returns:
        (N, M, T, V, C).
    """
    share = upscale(mask, inside.shape[2], inside.shape[3]).to(inside.dtype).unsqueeze(-1)
    return torch.lerp(outside, inside, share)
