"""A ring of cameras: where a walker's joints fall in the pictures, and what hides them.

Cameras stand round the middle of the walk at one distance and height and look at it. View 0 is
the camera walked towards, 90 sees the left side (the walker crosses the picture from right to
left), 180 is walked away from, as in CASIA-B. Perspective is exact, so a person grows or shrinks
during a walk in all views but 90. Arrays are (S, K, F, V, ...): walks, views, frames, joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

AIM_HEIGHT = 0.9  # the cameras look at a point this high over the middle of the walk, metres
TRUNK_DEPTH = 0.11  # half the depth of a chest, metres
LIMB = 0.06  # half the thickness of a leg, metres
PULL = 0.25  # how far a hidden joint is guessed towards what hides it


class Rig(NamedTuple):
    """Cameras round a walk: ``views`` in degrees, metres, the picture in pixels."""

    views: Sequence[int]
    distance: float
    height: float
    field_of_view: float
    image_size: tuple[int, int]

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return 0.5 * self.image_size[0] / float(np.tan(np.deg2rad(0.5 * self.field_of_view)))


class Scene(NamedTuple):
    """What stands before the cameras: world positions in metres, and what hides what.

    ``joints`` (S, F, V, 3) in the order of ``names``; ``bag`` (S, F, 3) with ``bag_radius`` (S,);
    ``veil`` (S, V), how badly clothes let a joint be seen.
    """

    names: tuple[str, ...]
    joints: Float32
    bag: Float32
    bag_radius: Float32
    veil: Float32


def project(points: Float32, rig: Rig) -> Float32:
    """Perspective projection into K cameras.

    Args:
        points: world positions (S, F, V, 3) in metres; all before the cameras.
        rig: the cameras.

    Returns:
        (S, K, F, V, 3): x and y in pixels and the distance along the optical axis in metres.
    """
    place = _places(rig)
    ahead = np.array([0.0, 0.0, AIM_HEIGHT]) - place
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    right = np.cross(ahead, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.stack([right, np.cross(ahead, right), ahead], axis=-1)  # (K, world, camera)
    offset = (place[:, None] @ axes).astype(np.float32)
    walks, frames, joints, _ = points.shape
    seen: Float32 = points.reshape(walks, 1, frames * joints, 3) @ axes.astype(np.float32) - offset
    width, height = rig.image_size
    centre = np.array([0.5 * width, 0.5 * height], dtype=np.float32)
    seen[..., :2] *= np.float32(rig.focal) / seen[..., 2:]
    seen[..., :2] += centre
    return seen.reshape(walks, len(rig.views), frames, joints, 3)


def _places(rig: Rig) -> npt.NDArray[np.float64]:
    """Where the cameras stand, (K, 3) in metres."""
    angle = np.deg2rad(np.asarray(rig.views, dtype=np.float64))
    up = np.full_like(angle, rig.height)
    return np.stack([rig.distance * np.cos(angle), rig.distance * np.sin(angle), up], axis=-1)


def hide(
    points: Float32, bag: Float32, bag_radius: Float32, metre: Float32, index: dict[str, int]
) -> tuple[Float32, Float32]:
    """How far each joint is hidden by trunk, other leg or bag, and where it is then guessed.

    Args:
        points: joints in the pictures with depth, (S, K, F, V, 3) from ``project``.
        bag: the bag likewise, (S, K, F, 3).
        bag_radius: (S,) in metres, 0 where there is no bag.
        metre: pixels of a metre at the walker, (S, K, F).
        index: place of each joint's name.

    Returns:
        hidden (S, K, F, V) from 0 to 1, and guessed places (S, K, F, V, 2) in pixels.
    """

    def part(*names: str) -> Float32:
        return points[..., [index[name] for name in names], :]

    hidden = np.zeros(points.shape[:-1], dtype=np.float32)
    guess = points[..., :2].copy()

    def cover(names: list[str], start: Float32, end: Float32, radius: Float32) -> None:
        places = [index[name] for name in names]
        level, nearest = _behind(points[..., places, :], start, end, radius, metre[..., None])
        stronger = level > hidden[..., places]
        hidden[..., places] = np.where(stronger, level, hidden[..., places])
        pulled = guess[..., places, :] + PULL * level[..., None] * (nearest - guess[..., places, :])
        guess[..., places, :] = np.where(stronger[..., None], pulled, guess[..., places, :])

    shoulders, hips = part("left_shoulder", "right_shoulder"), part("left_hip", "right_hip")
    across = 0.42 * np.abs(np.diff(shoulders[..., 0], axis=-1))
    trunk = np.hypot(across, 0.8 * TRUNK_DEPTH * metre[..., None])
    upper = shoulders.mean(axis=-2, keepdims=True)
    lower = hips.mean(axis=-2, keepdims=True)
    cover(_pairs("shoulder", "elbow", "wrist", "hip"), upper, lower, trunk)
    limb = np.float32(LIMB) * metre[..., None]
    for side, other in (("left", "right"), ("right", "left")):
        below = [f"{side}_knee", f"{side}_ankle"]
        hip, knee, ankle = (part(f"{other}_{name}") for name in ("hip", "knee", "ankle"))
        cover(below, hip, knee, limb)
        cover(below, knee, ankle, limb)
    if bag_radius.any():
        ball = bag[..., None, :]
        # Walks without a bag get a radius that nothing is within.
        radius = np.where(bag_radius > 0.0, bag_radius, np.float32(-1.0))
        size = (radius[:, None, None] * metre)[..., None]
        cover(_pairs("elbow", "wrist", "hip", "knee"), ball, ball, size)
    return hidden, guess


def _pairs(*parts: str) -> list[str]:
    """Left and right of each part."""
    return [f"{side}_{part}" for part in parts for side in ("left", "right")]


def _behind(
    points: Float32, start: Float32, end: Float32, radius: Float32, metre: Float32
) -> tuple[Float32, Float32]:
    """How far points are behind a thick line, 0..1, and its nearest point in the picture."""
    line = end - start
    flat = line[..., :2]
    length = np.sum(flat * flat, axis=-1)
    along = np.sum((points[..., :2] - start[..., :2]) * flat, axis=-1)
    along = np.clip(along / np.maximum(length, np.float32(1e-6)), 0.0, 1.0)
    nearest = start + along[..., None] * line
    apart = points - nearest
    inside = _soft((radius - np.hypot(apart[..., 0], apart[..., 1])) / (0.025 * metre))
    farther = _soft((apart[..., 2] - 0.05) / 0.03)
    return inside * farther, nearest[..., :2]


def _soft(value: Float32) -> Float32:
    """The logistic step, safe at both ends."""
    step: Float32 = 0.5 + 0.5 * np.tanh(0.5 * value)
    return step


def turned_away(scene: Scene, rig: Rig, index: dict[str, int]) -> Float32:
    """How far the points of a face look away from the camera.

    Args:
        scene: S walks.
        rig: K cameras.
        index: place of each joint's name.

    Returns:
        (S, K, F, V) from 0 to 1; 0 for all that is not in the face.
    """
    left, right = scene.joints[..., index["left_ear"], :], scene.joints[..., index["right_ear"], :]
    centre = 0.5 * (left + right)
    ahead = _unit(scene.joints[..., index["nose"], :] - centre)
    across = _unit(left - right)
    camera = _unit(_places(rig).astype(np.float32)[:, None] - centre[:, None])
    frontal = np.sum(camera * ahead[:, None], axis=-1)
    lateral = np.sum(camera * across[:, None], axis=-1)
    facing = {
        "nose": frontal,
        "left_eye": 0.82 * frontal + 0.57 * lateral,
        "right_eye": 0.82 * frontal - 0.57 * lateral,
        "left_ear": lateral,
        "right_ear": -lateral,
    }
    away = np.zeros((*frontal.shape, len(index)), dtype=np.float32)
    for name, cosine in facing.items():
        away[..., index[name]] = _soft(-(cosine + 0.1) / 0.15)
    return away


def _unit(vectors: Float32) -> Float32:
    """Vectors of length one."""
    unit: Float32 = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
