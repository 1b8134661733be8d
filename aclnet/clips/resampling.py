"""Clips made longer or shorter by linear interpolation between frames."""

from __future__ import annotations

import torch
from torch import Tensor


def take_frames(clips: Tensor, frames: Tensor) -> Tensor:
    """Other frames of each clip.

    Args:
        clips: (N, M, T, V, C).
        frames: (N, T') int64 frame numbers.

    Returns:
        (N, M, T', V, C).
    """
    rows = torch.arange(len(clips), device=clips.device)[:, None]
    return clips.transpose(1, 2)[rows, frames].transpose(1, 2)


def resample(clips: Tensor, lengths: Tensor, new_lengths: Tensor, frame_count: int) -> Tensor:
    """Stretch or shrink each clip in time, linearly between frames.

    Frames are intervals whose middles are compared (half-pixel centres, `align_corners=False` of
    `torch.nn.functional.interpolate`); nothing is smoothed before a clip is shortened. Joints that
    a detector did not find count as being at the origin.

    Args:
        clips: (N, M, T, V, C).
        lengths: (N,) int64, how many of the first frames are used, from 1 to T.
        new_lengths: (N,) int64, how many frames they become, at least 1.
        frame_count: T'; longer ones are cut off, shorter ones followed by zeros.

    Returns:
        (N, M, T', V, C).
    """
    number = torch.arange(frame_count, device=clips.device, dtype=clips.dtype)
    ratio = lengths.to(clips.dtype) / new_lengths.to(clips.dtype)
    place = ((number + 0.5) * ratio[:, None] - 0.5).clamp(min=0)
    last = (lengths - 1)[:, None]
    before = torch.minimum(place.long(), last)
    after = torch.minimum(before + 1, last)
    weight = (place - before).clamp(max=1)[:, None, :, None, None]
    inside = (number < new_lengths[:, None])[:, None, :, None, None]
    return inside * torch.lerp(take_frames(clips, before), take_frames(clips, after), weight)
