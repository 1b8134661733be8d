"""Random changes of training clips, drawn for a whole batch at once from a generator."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from aclnet.clips.blocks import by_blocks
from aclnet.clips.joints import keep_missing, present
from aclnet.clips.settings import AugmentSettings
from aclnet.clips.transforms import exchange_people, exchange_sides, mirror
from aclnet.skeleton import Layout

LIMBS = ("left_arm", "left_leg", "right_arm", "right_leg")
"""The parts that `drop_part` chooses from, in the release's order."""


def augment(
    clips: Tensor,
    layout: Layout,
    dims: int,
    settings: AugmentSettings,
    generator: torch.Generator,
    widths: Tensor | None = None,
    *,
    between_people: bool = False,
) -> Tensor:
    """Random changes, drawn independently for every clip of the batch.

    Except for noise in points and for running backwards a change is the same in all frames of a
    clip, so that clips and the frames that follow them can be changed alike, joined along the
    frames.

    Args:
        clips: (N, M, T, V, C), normalised.
        layout: joint layout.
        dims: 2 or 3.
        settings: the changes and their strengths.
        generator: on the clips' device.
        widths: (N,) of the videos in pixels, NaN where unknown; only `image_flip` needs them.
        between_people: which mirror image, see `aclnet.clips.transforms.mirror`.

    Returns:
        (N, M, T, V, C).

    Raises:
        ValueError: `image_flip` with 3-D joints or without the videos' widths (on a GPU only where
            there are none at all, since the host would wait for their numbers in every step), or
            `drop_part` with a layout that does not define the limbs.
    """
    if settings.image_flip > 0:
        clips = _flip_some(clips, layout, dims, settings.image_flip, generator, widths)
    if settings.mirror > 0:
        chosen = _chosen(clips, settings.mirror, generator)
        clips = torch.where(chosen, mirror(clips, layout, between_people=between_people), clips)
    clips = _change_body(clips, dims, settings, generator)
    return _change_release(clips, layout, dims, settings, generator)


def exchange_some(clips: Tensor, settings: AugmentSettings, generator: torch.Generator) -> Tensor:
    """People in the reverse order in some clips, as stored: how they are turned depends on it.

    Args:
        clips: (N, M, T, V, C) as stored.
        settings: how often.
        generator: on the clips' device.

    Returns:
        (N, M, T, V, C).
    """
    if settings.exchange_people == 0:
        return clips
    chosen = _chosen(clips, settings.exchange_people, generator)
    return torch.where(chosen, exchange_people(clips), clips)


def _change_body(
    clips: Tensor, dims: int, settings: AugmentSettings, generator: torch.Generator
) -> Tensor:
    """Time, size, noise and missing joints."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=clips.device, dtype=clips.dtype)

    N, M, T, V, _ = clips.shape
    if settings.reverse > 0:
        chosen = _chosen(clips, settings.reverse, generator)
        clips = torch.where(chosen, clips.flip(2), clips)
    if max(settings.scale, settings.joint_noise, settings.point_noise) > 0:
        coordinates, seen = clips[..., :dims], present(clips, dims)
        if settings.scale > 0:
            coordinates = coordinates * (settings.scale * normal(N, 1, 1, 1, 1)).exp()
        if settings.joint_noise > 0:
            coordinates = coordinates + settings.joint_noise * normal(N, M, 1, V, dims)
        if settings.point_noise > 0:
            coordinates = coordinates + settings.point_noise * normal(N, M, T, V, dims)
        clips = keep_missing(clips, coordinates, seen, dims)
    if settings.drop_joints > 0:
        kept = _uniform(clips, generator, N, 1, 1, V, 1) >= settings.drop_joints
        clips = clips * kept
    return clips


def _change_release(
    clips: Tensor, layout: Layout, dims: int, settings: AugmentSettings, generator: torch.Generator
) -> Tensor:
    """The release's changes of 3-D clips; drawn last, so that they do not alter other draws."""
    N = len(clips)
    if settings.rotate > 0:
        angles = settings.rotate * (2 * _uniform(clips, generator, N, 3) - 1)
        clips = rotate(clips, angles, dims)
    if settings.exchange_sides > 0:
        chosen = _chosen(clips, settings.exchange_sides, generator)
        clips = torch.where(chosen, exchange_sides(clips, layout), clips)
    if settings.drop_part > 0:
        whole = _uniform(clips, generator, N) >= settings.drop_part
        part = (_uniform(clips, generator, N) * len(LIMBS)).long()
        kept = limb_masks(layout, clips.device)[part] | whole[:, None]
        clips = clips * kept[:, None, None, :, None]
    return clips


def _flip_some(
    clips: Tensor,
    layout: Layout,
    dims: int,
    probability: float,
    generator: torch.Generator,
    widths: Tensor | None,
) -> Tensor:
    if dims != 2:
        raise ValueError(
            f"augment.image_flip mirrors 2-D images, but these joints have {dims} coordinates: set "
            "it to 0; augment.mirror makes the mirror image of a centred body"
        )
    unknown = len(clips) if widths is None else 0
    if widths is not None and widths.device.type == "cpu":
        unknown = int(widths.isnan().sum())
    if widths is None or unknown:
        raise ValueError(
            f"augment.image_flip needs the width of every video, and {unknown} of {len(clips)} "
            "clips have none: convert the data with the image size, or set it to 0"
        )
    chosen = _chosen(clips, probability, generator)
    return torch.where(chosen, image_flip(clips, layout, widths), clips)


def _uniform(clips: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, device=clips.device, dtype=clips.dtype)


def _chosen(clips: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Which clips are changed: bool (N, 1, 1, 1, 1)."""
    return (_uniform(clips, generator, len(clips)) < probability)[:, None, None, None, None]


def rotate(clips: Tensor, angles: Tensor, dims: int) -> Tensor:
    """Turn clips about the origin, R = Rz Ry Rx; in 2-D by the last angle alone.

    Args:
        clips: (N, M, T, V, C).
        angles: (N, 3) radians about x, y, z.
        dims: coordinates a joint.

    Returns:
        (N, M, T, V, C).
    """
    # The release's matrices turn in the opposite sense.
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), (-angles).sin().unbind(1)
    if dims == 3:
        rows = [
            [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
            [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
            [-sy, cy * sx, cy * cx],
        ]
    else:
        rows = [[cz, -sz], [sz, cz]]
    matrix = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

    def turn(clips: Tensor, matrix: Tensor) -> Tensor:
        # With the points as columns: the product of many rows with so small a matrix is slow.
        points = clips[..., :dims].flatten(1, 3).transpose(1, 2).contiguous()
        turned = (matrix @ points).transpose(1, 2).reshape(*clips.shape[:4], dims)
        return turned if dims == clips.shape[-1] else torch.cat([turned, clips[..., dims:]], dim=-1)

    return by_blocks(turn, clips, matrix.to(clips.dtype)).contiguous()


def image_flip(clips: Tensor, layout: Layout, widths: Tensor) -> Tensor:
    """Mirror the image: x becomes width - x, left and right joints change places.

    A coordinate of exactly 0 stays 0, as in PYSKL's Flip: the joint was not found.

    Args:
        clips: (N, M, T, V, C), the first channel x in pixels.
        layout: joint layout.
        widths: (N,) pixels.

    Returns:
        (N, M, T, V, C).
    """
    swapped = exchange_sides(clips, layout)
    x = swapped[..., :1]
    width = widths.to(clips.device, clips.dtype)[:, None, None, None, None]
    return torch.cat([torch.where(x != 0, width - x, x), swapped[..., 1:]], dim=-1)


@functools.lru_cache(maxsize=16)
def limb_masks(layout: Layout, device: torch.device | None = None) -> Tensor:
    """For each of `LIMBS` the joints that remain without it: bool (4, V); made once a device.

    Raises:
        ValueError: the layout does not define the joints of a limb.
    """
    kept = torch.ones(len(LIMBS), layout.joint_count, dtype=torch.bool)
    for row, limb in enumerate(LIMBS):
        if limb not in layout.parts:
            raise ValueError(
                f"layout {layout.name} has no part {limb}, which augment.drop_part needs: set it "
                "to 0, or name the part in the layout's file"
            )
        kept[row, [layout.index(joint) for joint in layout.parts[limb]]] = False
    return kept.to(device)
