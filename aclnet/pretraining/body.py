"""What changes of clips need to know of the joints, as tensors on the clips' device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from aclnet.skeleton import Layout

LIMBS = ("right_arm", "left_arm", "right_leg", "left_leg")

PARTS = ("trunk", *LIMBS)
"""The five body parts, in the order of the masks' and draws' part numbers."""


@dataclass(frozen=True)
class Body:
    """A layout's joints as tensors.

    Attributes:
        dims: coordinates a joint, 2 or 3; a further channel of a clip is the confidence.
        centre: the root joint.
        mirror: (V,) int64, each joint's mirror image.
        parents: (V,) int64, each joint's parent, the root's own.
        ancestors: (D, V) int64; row d has the joint 2^d steps towards the root, or the root.
        parts: (5, V) bool, the joints of each of `PARTS`; every joint is in exactly one.
    """

    dims: int
    centre: int
    mirror: Tensor
    parents: Tensor
    ancestors: Tensor
    parts: Tensor

    def bones(self, clips: Tensor) -> Tensor:
        """Each joint minus its parent, 0 at the root: (..., V, C)."""
        return clips - clips.index_select(-2, self.parents)

    def chain(self, bones: Tensor, root: Tensor) -> Tensor:
        """Joints from bones, added up from the root outward; the inverse of `bones`.

        Args:
            bones: (..., V, C), 0 at the root.
            root: (..., C), the root's place.

        Returns:
            (..., V, C).
        """
        # After d rounds a joint has the sum of 2^d bones above it. Not a matrix product, which
        # autocast or TF32 would round.
        joints = bones
        for above in self.ancestors:
            joints = joints + joints.index_select(-2, above)
        return root.unsqueeze(-2) + joints

    def seen(self, clips: Tensor) -> Tensor:
        """Which joints were found: bool (N, M, T, V).

        By the confidence; without one every joint of a person who is in the frame, since a joint
        at the origin may be the centre of a centred body.
        """
        if clips.shape[-1] > self.dims:
            return clips[..., self.dims] > 0
        there = (clips != 0).any(dim=-1).any(dim=-1, keepdim=True)
        return there.expand(clips.shape[:-1])

    def replace(self, clips: Tensor, coordinates: Tensor) -> Tensor:
        """The clips (N, M, T, V, C) with other coordinates (N, M, T, V, dims)."""
        if clips.shape[-1] == self.dims:
            return coordinates
        return torch.cat([coordinates, clips[..., self.dims :]], dim=-1)

    def replace_seen(self, clips: Tensor, coordinates: Tensor) -> Tensor:
        """As `replace`, but joints that were not found stay at 0."""
        return self.replace(clips, coordinates * self.seen(clips).unsqueeze(-1))


@lru_cache(maxsize=16)
def body_of(layout: Layout, dims: int, device: torch.device) -> Body:
    """A layout's joints as tensors, made once a device.

    A joint that is in none of the limbs belongs to the trunk, whatever the layout calls its part;
    the parts of the shipped layouts are these five.

    Args:
        layout: with the four limbs among its parts.
        dims: coordinates a joint, 2 or 3.
        device: the clips'.

    Raises:
        ValueError: the layout does not define a limb, or has a joint in two.
    """
    parents = torch.tensor(layout.parents)
    ancestors = [parents]
    while bool((ancestors[-1] != layout.centre_index).any()):
        ancestors.append(ancestors[-1][ancestors[-1]])
    return Body(
        dims=dims,
        centre=layout.centre_index,
        mirror=torch.tensor(layout.mirror_index).to(device),
        parents=parents.to(device),
        ancestors=torch.stack(ancestors[:-1] or ancestors).to(device),
        parts=_parts(layout).to(device),
    )


def _parts(layout: Layout) -> Tensor:
    parts = torch.zeros(len(PARTS), layout.joint_count, dtype=torch.bool)
    for row, limb in enumerate(LIMBS, start=1):
        if limb not in layout.parts:
            raise ValueError(
                f"layout {layout.name} has no part {limb}, and pre-training by body parts needs "
                "the four limbs: name it in the layout's file"
            )
        parts[row, layout.part_index(limb)] = True
    for joint, count in zip(layout.joints, parts.sum(dim=0).tolist(), strict=True):
        if count > 1:
            raise ValueError(
                f"layout {layout.name} has joint {joint} in {count} limbs, and pre-training by "
                "body parts needs it in one: correct parts in the layout's file"
            )
    parts[0] = ~parts.any(dim=0)
    return parts
