"""Batched transforms of clips: normalisation, and the augmentations of training.

All of them take and return clips (N, M, T, V, C) whose first `dims` channels are coordinates; a
further channel is the detector's confidence and is left alone. A joint that a detector did not find
(2-D, confidence 0) stays at zero, as "missing" must not become a place in the room. Randomness
comes from the generator that is passed in, drawn for the whole batch at once.

Reading order of the body: `normalise` (no randomness, train and test alike), then `augment`
(training only, in normalised units), then `aclnet.streams`.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from aclnet.skeleton import Layout

_TINY = 1e-6


class NormaliseSettings(BaseModel):
    """How clips are freed from camera and place.

    Attributes:
        centre: subtract the hips' midpoint of every frame, of the clip's first seen frame, or not.
        scale: divide by the clip's median torso length (hips to shoulders), or not. Pixels need
            it: without it an embedding depends on the camera's resolution. Metres do not, and
            would lose the body's height, which is an identity cue.
        heading: 3-D only. Turn the body about the vertical until its left-right line lies along x:
            per frame (smoothed) or once a clip; or not.
        heading_smooth_frames: moving average over that line, in frames.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    centre: Literal["frame", "clip", "none"] = "frame"
    scale: Literal["torso", "none"] = "torso"
    heading: Literal["frame", "clip", "none"] = "none"
    heading_smooth_frames: int = Field(default=15, ge=1)


class AugmentSettings(BaseModel):
    """Random changes of training clips; lengths in normalised units (torso lengths, or metres).

    GaitGraph (Teepe et al. 2021) mirrors about the body without exchanging left and right, and adds
    noise in pixels. Here the mirror image is a whole one (sides exchanged) and noise is in units of
    the body, so that both mean the same for every camera.

    Attributes:
        mirror: probability of the mirror image.
        reverse: probability of time running backwards.
        joint_noise: standard deviation of an offset a joint, constant over the clip.
        point_noise: standard deviation of noise a joint and frame.
        scale: standard deviation of the relative change of size.
        drop_joints: share of joints set to zero for a whole clip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mirror: float = Field(default=0.5, ge=0, le=1)
    reverse: float = Field(default=0.0, ge=0, le=1)
    joint_noise: float = Field(default=0.0, ge=0)
    point_noise: float = Field(default=0.0, ge=0)
    scale: float = Field(default=0.0, ge=0)
    drop_joints: float = Field(default=0.0, ge=0, lt=1)


def present(clips: Tensor, dims: int) -> Tensor:
    """Which joints were found: confidence above 0, or (without one) any coordinate not 0.

    Returns:
        bool (N, M, T, V).
    """
    if clips.shape[-1] > dims:
        return clips[..., dims] > 0
    return (clips != 0).any(dim=-1)


def _midpoint(clips: Tensor, seen: Tensor, joints: list[int], dims: int) -> tuple[Tensor, Tensor]:
    """Mean of the seen ones of some joints: (N, M, T, dims), and whether any was seen (N, M, T)."""
    weight = seen[..., joints].to(clips.dtype).unsqueeze(-1)
    count = weight.sum(dim=-2)
    total = (clips[..., joints, :dims] * weight).sum(dim=-2)
    return total / count.clamp(min=1), count.squeeze(-1) > 0


def _sides(layout: Layout, name: str) -> list[int]:
    return [layout.index(f"left_{name}"), layout.index(f"right_{name}")]


def _keep_missing(clips: Tensor, coordinates: Tensor, seen: Tensor, dims: int) -> Tensor:
    coordinates = coordinates * seen.unsqueeze(-1)
    return torch.cat([coordinates, clips[..., dims:]], dim=-1)


def centre(clips: Tensor, layout: Layout, dims: int, per: str) -> Tensor:
    """Put the hips' midpoint at the origin, in every frame or in the first frame that shows it.

    Frames without hips are moved by the mean of the frames with them.

    Args:
        clips: (N, M, T, V, C).
        layout: needs left_hip and right_hip.
        dims: coordinates a joint.
        per: "frame" or "clip". A clip is centred on the first person, so that two people keep
            their distance; a frame on each person's own hips.

    Returns:
        (N, M, T, V, C).

    Raises:
        ValueError: if the layout has no hips.
    """
    seen = present(clips, dims)
    hips, known = _midpoint(clips, seen, _sides(layout, "hip"), dims)
    weight = known.to(clips.dtype).unsqueeze(-1)
    mean = (hips * weight).sum(dim=2, keepdim=True) / weight.sum(dim=2, keepdim=True).clamp(min=1)
    if per == "clip":
        first = known.to(torch.int64).argmax(dim=2)[..., None, None]
        origin = hips.gather(2, first.expand(-1, -1, 1, dims))[:, :1]
    else:
        origin = torch.where(known.unsqueeze(-1), hips, mean)
    return _keep_missing(clips, clips[..., :dims] - origin.unsqueeze(-2), seen, dims)


def scale_by_torso(clips: Tensor, layout: Layout, dims: int) -> Tensor:
    """Divide by the clip's median torso length, the distance of hips' and shoulders' midpoints.

    The median over the frames of all persons that show both ends; a clip that never does is left as
    it is. In oblique views a walker's size changes: what remains of it is kept, it is gait.

    Returns:
        (N, M, T, V, C), one torso length = 1.
    """
    seen = present(clips, dims)
    hips, hips_known = _midpoint(clips, seen, _sides(layout, "hip"), dims)
    shoulders, shoulders_known = _midpoint(clips, seen, _sides(layout, "shoulder"), dims)
    length = (hips - shoulders).norm(dim=-1)
    length = torch.where(hips_known & shoulders_known & (length > _TINY), length, torch.nan)
    median = length.flatten(1).nanmedian(dim=1).values
    median = torch.where(median.isnan(), torch.ones_like(median), median)
    scaled = clips[..., :dims] / median[:, None, None, None, None]
    return torch.cat([scaled, clips[..., dims:]], dim=-1)


def heading(clips: Tensor, layout: Layout, per: str, smooth_frames: int) -> Tensor:
    """The body's left-right direction on the ground, a unit vector a frame.

    The sum of the hip line and the shoulder line seen from above; their noise is averaged out over
    `smooth_frames`, or over the clip.

    Args:
        clips: (N, M, T, V, 3), y up.
        layout: needs hips and shoulders of both sides.
        per: "frame" or "clip".
        smooth_frames: length of the moving average.

    Returns:
        (N, M, T, 2): x and z of the direction from right to left.
    """
    left = [layout.index("left_hip"), layout.index("left_shoulder")]
    right = [layout.index("right_hip"), layout.index("right_shoulder")]
    line = (clips[..., left, :] - clips[..., right, :]).sum(dim=-2)[..., [0, 2]]
    line = line / line.norm(dim=-1, keepdim=True).clamp(min=_TINY)
    if per == "clip":
        line = line.mean(dim=2, keepdim=True).expand_as(line)
    elif smooth_frames > 1:
        N, M, T, _ = line.shape
        rows = line.permute(0, 1, 3, 2).reshape(N * M, 2, T)
        before = (smooth_frames - 1) // 2
        rows = functional.pad(rows, (before, smooth_frames - 1 - before), mode="replicate")
        rows = functional.avg_pool1d(rows, smooth_frames, stride=1)
        line = rows.reshape(N, M, 2, T).permute(0, 1, 3, 2)
    length = line.norm(dim=-1, keepdim=True)
    ahead = torch.tensor([1.0, 0.0], dtype=line.dtype, device=line.device).expand_as(line)
    return torch.where(length > _TINY, line / length.clamp(min=_TINY), ahead)


def turn(clips: Tensor, direction: Tensor) -> Tensor:
    """Rotate about the vertical (y) so that `direction` comes to lie along +x.

    Args:
        clips: (N, M, T, V, 3), y up.
        direction: (N, M, T, 2) unit vectors (x, z).

    Returns:
        (N, M, T, V, 3); heights and lengths unchanged.
    """
    cos, sin = direction[..., 0, None], direction[..., 1, None]
    x, y, z = clips.unbind(dim=-1)
    return torch.stack([x * cos + z * sin, y, z * cos - x * sin], dim=-1)


def normalise(clips: Tensor, layout: Layout, dims: int, settings: NormaliseSettings) -> Tensor:
    """Free clips from camera and place: centre, turn, scale, as set.

    Args:
        clips: (N, M, T, V, C) as stored (pixels or metres).
        layout: joint layout, with hips and shoulders of both sides.
        dims: 2 or 3.
        settings: what to do.

    Returns:
        (N, M, T, V, C).

    Raises:
        ValueError: if heading alignment is asked of 2-D joints.
    """
    if settings.heading != "none" and (dims != 3 or clips.shape[-1] != dims):
        raise ValueError(
            "normalise.heading turns a body about the vertical and needs 3-D joints without a "
            f"confidence channel; these have {dims} coordinates and {clips.shape[-1]} channels: "
            "set normalise.heading=none"
        )
    if settings.centre != "none":
        clips = centre(clips, layout, dims, settings.centre)
    if settings.heading != "none":
        lines = heading(clips, layout, settings.heading, settings.heading_smooth_frames)
        clips = turn(clips, lines)
    return scale_by_torso(clips, layout, dims) if settings.scale == "torso" else clips


def mirror(clips: Tensor, layout: Layout) -> Tensor:
    """The mirror image: x changes sign, left and right joints change places.

    Meant for centred clips, where x = 0 is the body's middle. It is its own inverse.

    Returns:
        (N, M, T, V, C).
    """
    swapped = clips[:, :, :, torch.tensor(layout.mirror_index, device=clips.device)]
    return torch.cat([-swapped[..., :1], swapped[..., 1:]], dim=-1)


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
        coordinates = coordinates * (1 + settings.scale * normal(N, 1, 1, 1, 1))
    if settings.joint_noise > 0:
        coordinates = coordinates + settings.joint_noise * normal(N, M, 1, V, dims)
    if settings.point_noise > 0:
        coordinates = coordinates + settings.point_noise * normal(N, M, T, V, dims)
    clips = _keep_missing(clips, coordinates, seen, dims)
    if settings.drop_joints > 0:
        kept = uniform(N, 1, 1, V, 1) >= settings.drop_joints
        clips = clips * kept
    return clips
