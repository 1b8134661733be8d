"""Changes of a clip's joints, alike in every frame but for noise.

Each class is what was drawn for a batch, a number or more a clip (`draw`), and what that does to
clips (`apply`); see `aclnet.pretraining.views.recipe.Change`. Joints that were not found, and
persons who are not in a frame, stay at 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aclnet.clips.augmentation import rotate
from aclnet.pretraining.body import Body
from aclnet.pretraining.views.batch import Batch, per_clip
from aclnet.pretraining.views.settings import ChangeSettings


@dataclass(frozen=True)
class Shear:
    """Slanted coordinates: x' = R x.

    Attributes:
        matrices: (N, dims, dims), ones on the diagonal.
        keep_centre: whether the centre joint stays where it is (stage 2) or not (stage 1). In
            clips that are centred on it, it stays either way.
    """

    matrices: Tensor
    keep_centre: bool = True

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings, keep_centre: bool = True) -> Shear:
        """Uniform off-diagonal entries."""
        one = torch.eye(batch.dims, dtype=batch.dtype, device=batch.generator.device)
        slant = batch.uniform(-settings.shear, settings.shear, batch.dims, batch.dims)
        return cls(torch.where(one > 0, one, slant), keep_centre)

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        # Not a matrix product, which autocast or TF32 would round.
        columns = self.matrices[:, None, None, None].unbind(dim=-1)
        made = clips[..., :1] * columns[0]
        for axis in range(1, body.dims):
            made += clips[..., axis : axis + 1] * columns[axis]
        if self.keep_centre:
            made[..., body.centre, :] = clips[..., body.centre, : body.dims]
        return body.replace(clips, made)


@dataclass(frozen=True)
class ExchangeSides:
    """Left joints in the places of the right ones and the reverse; nothing is mirrored.

    Attributes:
        chosen: (N,) bool.
    """

    chosen: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> ExchangeSides:
        """Which clips."""
        return cls(batch.chosen(settings.probability))

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        return torch.where(per_clip(self.chosen), clips.index_select(-2, body.mirror), clips)


@dataclass(frozen=True)
class Rotate:
    """Turned about the origin, about x, then y, then z; in 2-D about z alone.

    Attributes:
        angles: (N, 3) radians, in the sense of `aclnet.clips.augmentation.rotate`.
    """

    angles: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> Rotate:
        """A large angle about one axis, chosen uniformly, and small ones about the others."""
        number = torch.arange(3, device=batch.generator.device)
        main = batch.whole(0, 2) if batch.dims == 3 else batch.whole(2, 2)
        large = batch.uniform(0, math.radians(settings.rotate_degrees), 1)
        small = batch.uniform(0, math.radians(settings.tilt_degrees), 3)
        return cls(torch.where(number == main[:, None], large, small))

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        return rotate(clips, self.angles, body.dims)


@dataclass(frozen=True)
class Noise:
    """Noise of each joint in each frame.

    Attributes:
        values: (N, M, T, V, dims) to add, 0 for the clips that have none.
    """

    values: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings, strong: bool = False) -> Noise:
        """Normal noise for some of the clips, of the usual or the strong view's deviation."""
        deviation = settings.strong_noise if strong else settings.noise
        chosen = batch.chosen(settings.probability).to(batch.dtype)
        values = batch.normal(*batch.shape[1:4], batch.dims)
        return cls(values * per_clip(deviation * chosen))

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        return body.replace_seen(clips, clips[..., : body.dims] + self.values)


@dataclass(frozen=True)
class AxisMask:
    """One coordinate set to 0.

    Attributes:
        axis: (N,) int64, which one.
        chosen: (N,) bool.
    """

    axis: Tensor
    chosen: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> AxisMask:
        """Which clips, and a uniform axis."""
        return cls(batch.whole(0, batch.dims - 1), batch.chosen(settings.probability))

    def apply(self, clips: Tensor, body: Body) -> Tensor:  # noqa: ARG002
        """(N, M, T, V, C)."""
        number = torch.arange(clips.shape[-1], device=clips.device)
        gone = (number == self.axis[:, None]) & self.chosen[:, None]
        return clips * ~gone[:, None, None, None]


@dataclass(frozen=True)
class Drop:
    """Coordinates set to 0 here and there; no published view does so.

    Attributes:
        kept: (N, M, T, V, dims) bool.
    """

    kept: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> Drop:
        """Each coordinate of some of the clips by itself."""
        values = batch.uniform(0, 1, *batch.shape[1:4], batch.dims)
        return cls((values >= settings.drop) | ~per_clip(batch.chosen(settings.probability)))

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        return body.replace(clips, clips[..., : body.dims] * self.kept)


@dataclass(frozen=True)
class RescaleBones:
    """Bones of other lengths, added up from the centre joint, which stays where it is.

    A joint whose parent was not found is moved as if the parent were at the origin.

    Attributes:
        factors: (N, V) on the bone that ends at each joint; the root's is unused.
    """

    factors: Tensor

    @classmethod
    def draw(cls, batch: Batch, settings: ChangeSettings) -> RescaleBones:
        """A uniform factor a bone."""
        return cls(batch.uniform(0, settings.bone_factor, batch.shape[3]))

    def apply(self, clips: Tensor, body: Body) -> Tensor:
        """(N, M, T, V, C)."""
        joints = clips[..., : body.dims]
        bones = body.bones(joints) * self.factors[:, None, None, :, None]
        return body.replace_seen(clips, body.chain(bones, joints[..., body.centre, :]))
