"""The published preparation of Kinect clips: centred, of one length, turned to the front."""

from __future__ import annotations

import torch
from torch import Tensor

from aclnet.clips.resampling import resample
from aclnet.clips.transforms import turn
from aclnet.skeleton import Layout

_FLOOR = 1e-4


def valid_frames(clips: Tensor) -> Tensor:
    """In how many frames the first person is seen: (N,) int64, at least 1.

    Args:
        clips: (N, M, T, V, C), padded with zero frames at the end.
    """
    there = (clips[:, 0] != 0).flatten(2).any(dim=2)
    return there.sum(dim=1).clamp(min=1)


def prepare(clips: Tensor, lengths: Tensor, layout: Layout, frame_count: int) -> Tensor:
    """Subtract the centre joint, resize the valid frames, and turn the shoulders along x.

    Args:
        clips: (N, M, T, V, 3) metres, y up.
        lengths: (N,) int64 valid frames, see `valid_frames`.
        layout: with shoulders of both sides.
        frame_count: T'; published 50.

    Returns:
        (N, M, T', V, 3).

    Raises:
        ValueError: the clips are not 3-D or have a confidence, or the layout has no shoulders.
    """
    if clips.shape[-1] != 3:
        raise ValueError(
            "the preparation turns a body about the vertical and needs 3-D joints without a "
            f"confidence channel; these have {clips.shape[-1]} channels"
        )
    clips = clips - clips[..., layout.centre_index, None, :]
    clips = resample(clips, lengths, torch.full_like(lengths, frame_count), frame_count)
    return turn(clips, shoulder_line(clips, layout))


def shoulder_line(clips: Tensor, layout: Layout) -> Tensor:
    """The direction on the ground that becomes +x, such that the shoulders lie along it.

    Its angle is the shoulder line's; its sense is that of the line's sum over the clip. So a body
    that turns past the depth axis within a clip is turned the wrong way in some frames, as in the
    published code; `aclnet.clips.transforms.heading` has no such fault.

    Returns:
        (N, M, T, 2): x and z.
    """
    line = (
        clips[..., layout.index("right_shoulder"), :] - clips[..., layout.index("left_shoulder"), :]
    )
    x, z = line[..., 0], line[..., 2]
    cos = x / (torch.hypot(x, z) + _FLOOR)
    sin = (1 - cos.square()).clamp(min=0).sqrt()
    behind = z.sum(dim=2, keepdim=True) >= 0
    return torch.stack([cos, torch.where(behind, sin, -sin)], dim=-1)
