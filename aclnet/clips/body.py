"""One body for everybody: what is left of a clip when nobody's bone lengths are."""

from __future__ import annotations

import torch
from torch import Tensor

from aclnet.clips.joints import index_tensor, keep_missing, midpoint, present
from aclnet.clips.settings import Scale
from aclnet.skeleton import Layout

_TINY = 1e-6
_BONE = {"none": 0.25, "torso": 0.5}
"""Length of the common body's bones by `scale`: about an adult's mean, in metres and torsos."""


def common_body(clips: Tensor, layout: Layout, dims: int, scale: Scale) -> Tensor:
    """Give everybody one body: every bone keeps its direction and gets the same length.

    The root stays where it is, and joints follow along the layout's tree. In 3-D that is done in
    every frame, and nothing of a bone's length is left. A picture shows a bone shorter where it
    points at the camera, which is posture: in 2-D each bone is divided by its root mean square
    length over the clip, and what it is longer or shorter than that in a frame stays.

    A joint whose parent was not found hangs from the nearest joint above it that was; if there is
    none, from the mean of the found ones. Angles stay, also those within the pelvis and the
    shoulders, which are partly build.

    Args:
        clips: (N, M, T, V, C).
        layout: the tree of bones.
        dims: 2 or 3.
        scale: "torso" if the clips are in torso lengths, "none" if in metres.

    Returns:
        (N, M, T, V, C).
    """
    seen = present(clips, dims)
    middle, _ = midpoint(clips, seen, None, dims)
    root = torch.arange(layout.joint_count, device=clips.device) == layout.centre_index
    points = torch.where((root & ~seen).unsqueeze(-1), middle.unsqueeze(-2), clips[..., :dims])
    known, parents = seen | root, layout.parents
    jumps = [tuple(parents.tolist())]  # to the parent, from there two further, then four, ...
    while len(set(jumps[-1])) > 1:
        jumps.append(tuple(jumps[-1][joint] for joint in jumps[-1]))
    for jump in jumps:
        above = index_tensor(jump, clips.device)
        points = torch.where(known.unsqueeze(-1), points, points.index_select(3, above))
        known = known | known.index_select(3, above)
    bones = points - points.index_select(3, index_tensor(jumps[0], clips.device))
    length = bones.norm(dim=-1, keepdim=True)
    if dims == 2:
        there = seen.unsqueeze(-1).to(clips.dtype)
        count = there.sum(dim=2, keepdim=True).clamp(min=1)
        length = ((length.square() * there).sum(dim=2, keepdim=True) / count).sqrt()
    path = bones * (_BONE[scale] / length.clamp(min=_TINY))
    for jump in jumps:
        path = path + path.index_select(3, index_tensor(jump, clips.device))
    start = points[..., layout.centre_index, None, :]
    return keep_missing(clips, start + path, seen, dims)
