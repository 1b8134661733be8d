"""Random changes of training clips, drawn for a whole batch at once from a generator."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from aclnet.config import Settings
from aclnet.skeleton import Layout
from aclnet.transforms import keep_missing, mirror, present


class AugmentSettings(Settings):
    """Random changes of training clips; lengths in normalised units (torso lengths, or metres).

    GaitGraph (Teepe et al. 2021) mirrors about the body without exchanging left and right, and adds
    noise in pixels. Here the mirror image is a whole one (sides exchanged) and noise is in units of
    the body, so that both mean the same for every camera.

    Attributes:
        mirror: probability of the mirror image.
        reverse: probability of time running backwards.
        joint_noise: standard deviation of an offset a joint, constant over the clip.
        point_noise: standard deviation of noise a joint and frame.
        scale: standard deviation of the logarithm of the change of size; for small ones, of the
            relative change.
        drop_joints: share of joints set to zero for a whole clip.
    """

    mirror: float = Field(default=0.5, ge=0, le=1)
    reverse: float = Field(default=0.0, ge=0, le=1)
    joint_noise: float = Field(default=0.0, ge=0)
    point_noise: float = Field(default=0.0, ge=0)
    scale: float = Field(default=0.0, ge=0)
    drop_joints: float = Field(default=0.0, ge=0, lt=1)


def augment(
    clips: Tensor,
    layout: Layout,
    dims: int,
    settings: AugmentSettings,
    generator: torch.Generator,
) -> Tensor:
    """Random changes, drawn independently for every clip of the batch.

    Args:
        clips: (N, M, T, V, C), normalised.
        layout: joint layout.
        dims: 2 or 3.
        settings: which changes, how strong.
        generator: on the clips' device.

    Returns:
        (N, M, T, V, C).
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=clips.device, dtype=clips.dtype)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=clips.device, dtype=clips.dtype)

    N, M, T, V, _ = clips.shape
    if settings.mirror > 0:
        chosen = (uniform(N) < settings.mirror)[:, None, None, None, None]
        clips = torch.where(chosen, mirror(clips, layout), clips)
    if settings.reverse > 0:
        chosen = (uniform(N) < settings.reverse)[:, None, None, None, None]
        clips = torch.where(chosen, clips.flip(2), clips)
    coordinates, seen = clips[..., :dims], present(clips, dims)
    if settings.scale > 0:
        coordinates = coordinates * (settings.scale * normal(N, 1, 1, 1, 1)).exp()
    if settings.joint_noise > 0:
        coordinates = coordinates + settings.joint_noise * normal(N, M, 1, V, dims)
    if settings.point_noise > 0:
        coordinates = coordinates + settings.point_noise * normal(N, M, T, V, dims)
    clips = keep_missing(clips, coordinates, seen, dims)
    if settings.drop_joints > 0:
        kept = uniform(N, 1, 1, V, 1) >= settings.drop_joints
        clips = clips * kept
    return clips
