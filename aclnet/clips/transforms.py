"""Batched normalisation of clips, and their mirror image; no randomness.

All functions take and return clips (N, M, T, V, C) whose first `dims` channels are coordinates; a
further channel is the detector's confidence and does not change. A joint that a detector did not
find (2-D, confidence 0) stays at zero, since "missing" must not become a place.

A clip passes `normalise`, the same for training and test; then, in training only,
`aclnet.clips.augmentation.augment`, in normalised units; then `aclnet.clips.streams`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from aclnet.clips.body import common_body
from aclnet.clips.joints import (
    at,
    index_tensor,
    keep_missing,
    midpoint,
    of_people,
    partners,
    present,
)
from aclnet.clips.settings import NormaliseSettings
from aclnet.skeleton import Layout

_TINY = 1e-6
_SHORT = 1e-4


def _sides(layout: Layout, name: str) -> list[int]:
    return [layout.index(f"left_{name}"), layout.index(f"right_{name}")]


def _first_person(values: Tensor, seen: Tensor) -> Tensor:
    """The values (N, M, ...) of the first person with a seen joint: (N, 1, ...)."""
    first = seen.flatten(2).any(dim=2).to(torch.int64).argmax(dim=1, keepdim=True)
    return of_people(values, first)


def centre_on_joint(clips: Tensor, layout: Layout, dims: int) -> Tensor:
    """Move the layout's centre joint to the origin, in every frame and for every person.

    Returns:
        (N, M, T, V, C).
    """
    origin = clips[..., layout.centre_index, None, :dims]
    return keep_missing(clips, clips[..., :dims] - origin, present(clips, dims), dims)


def centre(clips: Tensor, layout: Layout, dims: int, per: str) -> Tensor:
    """Move the hips' midpoint to the origin, in every frame or in the first that shows it.

    Frames without hips are moved by the mean of the frames with them; a person whose hips are never
    seen, by the mean of the seen joints.

    Args:
        clips: (N, M, T, V, C).
        layout: needs left_hip and right_hip.
        dims: coordinates a joint.
        per: "frame" or "clip". A clip is centred on the first person seen in it, so that two
            people keep their distance; a frame on each person's own hips.

    Returns:
        (N, M, T, V, C).

    Raises:
        ValueError: the layout has no hips.
    """
    seen = present(clips, dims)
    hips, known = _middles(clips, seen, layout, dims)
    if per == "clip":
        hips, known = _first_person(hips, seen), _first_person(known, seen)
        first = known.to(torch.int64).argmax(dim=2)[..., None, None]
        origin = hips.gather(2, first.expand(-1, -1, 1, dims))
    else:
        weight = known.to(clips.dtype).unsqueeze(-1)
        total = (hips * weight).sum(dim=2, keepdim=True)
        mean = total / weight.sum(dim=2, keepdim=True).clamp(min=1)
        origin = torch.where(known.unsqueeze(-1), hips, mean)
    return keep_missing(clips, clips[..., :dims] - origin.unsqueeze(-2), seen, dims)


def _middles(clips: Tensor, seen: Tensor, layout: Layout, dims: int) -> tuple[Tensor, Tensor]:
    """The hips' midpoint, or the body's of who never shows hips, and where it is known.

    Returns:
        (N, M, T, dims) and (N, M, T).
    """
    hips, known = midpoint(clips, seen, _sides(layout, "hip"), dims)
    body, found = midpoint(clips, seen, None, dims)
    never = ~known.any(dim=2, keepdim=True)
    return torch.where(never.unsqueeze(-1), body, hips), known | (never & found)


def centre_between_people(clips: Tensor, layout: Layout, dims: int) -> Tensor:
    """Move the mean of all people's hips, over the whole clip, to the origin.

    A person who never shows hips counts by the mean of the seen joints. Each person counts alike,
    however many frames show them.

    Returns:
        (N, M, T, V, C).
    """
    seen = present(clips, dims)
    hips, known = _middles(clips, seen, layout, dims)
    weight = known.to(clips.dtype).unsqueeze(-1)
    place = (hips * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1)  # (N, M, dims)
    there = known.any(dim=2).to(clips.dtype).unsqueeze(-1)
    origin = (place * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
    return keep_missing(clips, clips[..., :dims] - origin[:, None, None, None], seen, dims)


def scale_by_torso(clips: Tensor, layout: Layout, dims: int) -> Tensor:
    """Divide by the clip's median torso length, the distance of hips' and shoulders' midpoints.

    The median is over the frames of all persons that show both ends. A clip without such frames is
    divided by the median of its joints' root mean square distance from their mean, which for a
    standing body is about a torso's length. In oblique views a walker's size changes; that change
    is kept, as part of the gait.

    Returns:
        (N, M, T, V, C), one torso length = 1.
    """
    seen = present(clips, dims)
    hips, hips_known = midpoint(clips, seen, _sides(layout, "hip"), dims)
    shoulders, shoulders_known = midpoint(clips, seen, _sides(layout, "shoulder"), dims)
    length = (hips - shoulders).norm(dim=-1)
    length = torch.where(hips_known & shoulders_known & (length > _TINY), length, torch.nan)
    never = length.isnan().flatten(1).all(dim=1)[:, None, None]
    length = torch.where(never, _extent(clips, seen, dims), length)
    median = _nan_median(length.flatten(1))
    median = torch.where(median.isnan(), torch.ones_like(median), median)
    scaled = clips[..., :dims] / median[:, None, None, None, None]
    return keep_missing(clips, scaled, seen, dims)


def _nan_median(values: Tensor) -> Tensor:
    """The medians of rows without their NaN, as `torch.nanquantile`; NaN of rows of NaN alone.

    Not nanmedian, which is not deterministic on CUDA; nanquantile itself is not in ONNX.
    """
    missing = values.isnan()
    ordered = torch.where(missing, torch.inf, values).sort(dim=1).values
    count = (~missing).sum(dim=1, keepdim=True)
    low, high = ((count - 1).clamp(min=0) // 2, count // 2)
    median = torch.lerp(ordered.gather(1, low), ordered.gather(1, high), 0.5)
    return torch.where(count > 0, median, torch.nan).squeeze(1)


def _extent(clips: Tensor, seen: Tensor, dims: int) -> Tensor:
    """Root mean square distance of the seen joints from their mean; NaN below two: (N, M, T)."""
    middle, _ = midpoint(clips, seen, None, dims)
    square = (clips[..., :dims] - middle.unsqueeze(-2)).square().sum(dim=-1) * seen
    extent = (square.sum(dim=-1) / seen.sum(dim=-1).clamp(min=1)).sqrt()
    return torch.where(extent > _TINY, extent, torch.nan)


def heading(clips: Tensor, layout: Layout, per: str, smooth_frames: int) -> Tensor:
    """The body's left-right direction on the ground, a unit vector a frame.

    The sum of the hip line and the shoulder line from above, as far as both ends are seen, averaged
    over `smooth_frames`, or over the clip.

    Args:
        clips: (N, M, T, V, 3) with y up or down, or (N, M, T, V, 4) with a confidence.
        layout: needs hips and shoulders of both sides.
        per: "frame" or "clip".
        smooth_frames: length of the moving average.

    Returns:
        (N, M, T, 2): x and z of the direction from right to left.
    """
    left = [layout.index("left_hip"), layout.index("left_shoulder")]
    right = [layout.index("right_hip"), layout.index("right_shoulder")]
    seen = present(clips, 3)
    both = (at(seen, left) & at(seen, right)).unsqueeze(-1)
    line = ((at(clips, left) - at(clips, right)) * both).sum(dim=-2)[..., ::2]
    line = line.contiguous()  # the norm of strided numbers has other last bits
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
    ahead = torch.cat([torch.ones_like(length), torch.zeros_like(length)], dim=-1)
    return torch.where(length > _TINY, line / length.clamp(min=_TINY), ahead)


def shoulder_line(clips: Tensor, layout: Layout) -> Tensor:
    """The shoulders' direction on the ground in each frame, with one sense a clip.

    As in AimCLR and ActCLR, where it is the line's sum over the clip that tells left from right. So
    a body that turns past the depth axis within a clip is turned the wrong way in some frames;
    `heading` has no such fault.

    Args:
        clips: (N, M, T, V, 3), y up.
        layout: needs shoulders of both sides.

    Returns:
        (N, M, T, 2): x and z, for `turn`.
    """
    left, right = (clips[..., joint, :] for joint in _sides(layout, "shoulder"))
    x, _, z = (right - left).unbind(dim=-1)
    # ONNX has no hypot.
    exporting = torch.compiler.is_exporting()
    length = (x.square() + z.square()).sqrt() if exporting else torch.hypot(x, z)
    cos = x / (length + _SHORT)
    sin = (1 - cos.square()).clamp(min=0).sqrt()
    behind = z.sum(dim=2, keepdim=True) >= 0
    return torch.stack([cos, torch.where(behind, sin, -sin)], dim=-1)


def line_between_people(clips: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """The direction on the ground from the first person seen in a clip to the next.

    That of the mean way between their hips over the frames that show both.

    Args:
        clips: (N, M, T, V, 3) with y up or down, or (N, M, T, V, 4) with a confidence.
        layout: needs hips of both sides.

    Returns:
        (N, 2): x and z, a unit vector; and (N,) whether there is one.
    """
    seen = present(clips, 3)
    hips, known = _middles(clips, seen, layout, 3)
    people, found = partners(seen)
    ways = of_people(hips, people) - hips
    both = (of_people(known, people) & known & found.unsqueeze(-1)).unsqueeze(-1)
    way = _first_person((ways * both).sum(dim=2), seen)[:, 0, ::2].contiguous()
    length = way.norm(dim=-1, keepdim=True)
    return way / length.clamp(min=_TINY), (length > _TINY).squeeze(-1)


def turn(clips: Tensor, direction: Tensor) -> Tensor:
    """Rotate about the vertical (y) so that `direction` becomes +x.

    Args:
        clips: (N, M, T, V, 3), y up.
        direction: (N, M, T, 2) unit vectors (x, z); or (N, 1, T, 2) for all people together.

    Returns:
        (N, M, T, V, 3); heights and lengths unchanged.
    """
    cos, sin = direction[..., 0, None], direction[..., 1, None]
    x, y, z = clips.unbind(dim=-1)
    return torch.stack([x * cos + z * sin, y, z * cos - x * sin], dim=-1)


def normalise(clips: Tensor, layout: Layout, dims: int, settings: NormaliseSettings) -> Tensor:
    """Make clips independent of camera, place and, if so set, build: scale, body, centre, turn.

    Args:
        clips: (N, M, T, V, C) as stored (pixels or metres).
        layout: joint layout, with hips and shoulders of both sides.
        dims: 2 or 3.
        settings: the steps to take.

    Returns:
        (N, M, T, V, C).

    Raises:
        ValueError: `heading` is set for joints that are 2-D, or a common body for 2-D joints that
            are not scaled.
    """
    if settings.heading != "none" and dims != 3:
        raise ValueError(
            f"normalise.heading turns a body about the vertical and needs 3-D joints; these have "
            f"{dims} coordinates: set normalise.heading=none"
        )
    if settings.body == "common" and settings.scale == "none" and dims == 2:
        raise ValueError(
            "normalise.body common has bones of a quarter of a metre, and 2-D joints are in "
            "pixels: set normalise.scale=torso, or normalise.body=own"
        )
    # Scaled first: without a confidence, a joint moved to the origin looks like a missing one.
    if settings.scale == "torso":
        clips = scale_by_torso(clips, layout, dims)
    if settings.body == "common":
        clips = common_body(clips, layout, dims, settings.scale)
    if settings.centre == "joint":
        clips = centre_on_joint(clips, layout, dims)
    elif settings.centre == "people":
        clips = centre_between_people(clips, layout, dims)
    elif settings.centre != "none":
        clips = centre(clips, layout, dims, settings.centre)
    return clips if settings.heading == "none" else _turned(clips, layout, dims, settings)


def _turned(clips: Tensor, layout: Layout, dims: int, settings: NormaliseSettings) -> Tensor:
    """Each body turned by its heading, or all by the first one's or by the line between people."""
    if settings.heading == "shoulders":
        lines = shoulder_line(clips[..., :dims], layout)
    else:
        per = "clip" if settings.heading == "people" else settings.heading
        lines = heading(clips, layout, per, settings.heading_smooth_frames)
    if settings.keeps_distances:
        lines = _first_person(lines, present(clips, dims))
    if settings.heading == "people":
        between, known = line_between_people(clips, layout)
        lines = torch.where(known[:, None, None, None], between[:, None, None], lines)
    turned = turn(clips[..., :dims], lines)
    return torch.cat([turned, clips[..., dims:]], dim=-1)


def mirror(clips: Tensor, layout: Layout, *, between_people: bool = False) -> Tensor:
    """The mirror image: x changes sign, left and right joints change places.

    Meant for centred clips, where x = 0 is the body's middle; its own inverse.

    Args:
        clips: (N, M, T, V, C).
        layout: joint layout.
        between_people: the clips are turned by the line between two people (`heading: people`).
            Where there is one z changes sign, not x, so that the line still leads from the first
            person to the second: the image is what `normalise` makes of a mirrored recording.

    Returns:
        (N, M, T, V, C).
    """
    swapped = exchange_sides(clips, layout)
    swapped[..., 0].neg_()
    if not between_people:
        return swapped
    _, known = line_between_people(clips, layout)
    half = torch.where(known, -1.0, 1.0).to(clips.dtype)[:, None, None, None]
    x, y, z, *rest = swapped.unbind(dim=-1)
    return torch.stack([x * half, y, z * half, *rest], dim=-1)


def exchange_people(clips: Tensor) -> Tensor:
    """The people of each clip in the reverse order; clips that lack one stay as they are.

    Args:
        clips: (N, M, ...) as stored: an absent person is zero throughout.
    """
    all_seen = (clips != 0).flatten(2).any(dim=2).all(dim=1)
    return torch.where(all_seen.view(-1, *[1] * (clips.ndim - 1)), clips.flip(1), clips)


def exchange_sides(clips: Tensor, layout: Layout) -> Tensor:
    """Left joints in the places of the right ones and the reverse; nothing is mirrored."""
    return clips.index_select(3, index_tensor(tuple(layout.mirror_index.tolist()), clips.device))
