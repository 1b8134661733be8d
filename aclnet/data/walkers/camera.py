"""What a ring of cameras and an imperfect pose estimator record of the walkers.

Cameras stand around the middle of the walk at one distance and height and look at it. View 0 is
the camera walked towards, 90 sees the left side (the walker crosses the picture from right to
left), 180 is walked away from, as in CASIA-B. Perspective is exact, so a person grows or shrinks
during a walk in all views but 90.

The estimator errs for reasons: an image has finite sharpness, and a hip is a vaguer thing than a
nose; a joint that is hidden, veiled or on a face turned away is guessed; where the two legs or arms
cross, it takes one for the other for some frames. Confidence falls for the same reasons.

Arrays are (S, K, F, V, ...): walks, views, frames, joints.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.walkers.settings import WalkerSettings
from aclnet.data.walkers.traits import wander

Float32 = npt.NDArray[np.float32]

PARTS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
JOINTS = ("nose", *(f"{side}_{part}" for part in PARTS for side in ("left", "right")))
"""Those of the layout coco17, in its order."""
_COLUMN = {name: column for column, name in enumerate(JOINTS)}
AIM_HEIGHT = 0.9  # the cameras look at a point this high over the middle of the walk, metres
TRUNK_DEPTH = 0.11  # half the depth of a chest, metres
LIMB = 0.06  # half the thickness of a leg, metres
PULL = 0.25  # how far a hidden joint is guessed towards what hides it
# How sharply a joint can be located at all, in units of the noise setting: a hip is a region.
VAGUENESS = {
    "nose": 0.6,
    "eye": 0.6,
    "ear": 0.7,
    "shoulder": 0.9,
    "elbow": 1.0,
    "wrist": 1.1,
    "hip": 1.3,
    "knee": 1.0,
    "ankle": 1.1,
}
AIM_ERROR = 0.013  # shares of the picture's width
BLINDNESS = 1.6  # a hidden joint's error grows by so many times the error of a seen one
CROSSING = 0.15  # metres within which two limbs may be taken for each other
SWAP_RATE = 0.25  # share of frames, where they cover each other fully


class Scene(NamedTuple):
    """What stands before the cameras: world positions in metres, and what hides what.

    ``joints`` (S, F, V, 3) in the order of ``JOINTS``; ``bag`` (S, F, 3) with ``bag_radius`` (S,);
    ``veil`` (S, V), how badly clothes let a joint be seen.
    """

    joints: Float32
    bag: Float32
    bag_radius: Float32
    veil: Float32


def film(scene: Scene, settings: WalkerSettings, generator: np.random.Generator) -> Float32:
    """Film every walk with every camera and estimate its pose.

    Args:
        scene: S walks.
        settings: those of the K cameras and the noise.
        generator: random numbers of this person's recordings.

    Returns:
        (S, K, F, V, 3): x and y in pixels (y down), confidence 0..1.
    """
    points = project(scene.joints, settings)
    bag = project(scene.bag[:, :, None], settings)[..., 0, :]
    left, right = (points[..., _COLUMN[name], :] for name in _pairs("hip"))
    metre = np.float32(focal_length(settings)) / (0.5 * (left + right))[..., 2]
    hidden, guess = hide(points, bag, scene.bag_radius, metre)
    hidden = np.maximum(hidden, scene.veil[:, None, None])
    hidden = np.maximum(hidden, _turned_away(scene.joints, settings))
    # The camera's aim in pixels: no two recordings have it mounted alike.
    aim = generator.standard_normal((*points.shape[:2], 1, 1, 2), dtype=np.float32)
    flat = guess + aim * np.float32(AIM_ERROR * settings.image_size[0])
    crossed = _swap(flat, hidden, metre, generator)
    error, strain = _errors(hidden, generator)
    pixels = flat + error * (settings.noise * 1.7 * metre)[..., None, None]
    belief = _confidence(hidden, strain, crossed, generator)
    return _frame(pixels, belief, settings.image_size)


def _swap(
    flat: Float32, hidden: Float32, metre: Float32, generator: np.random.Generator
) -> Float32:
    """Exchange left and right, in place, for some frames where two limbs cover each other.

    Returns (S, K, F, V), 1 where a joint has the other side's place.
    """
    from scipy.special import ndtr

    crossed = np.zeros(flat.shape[:-1], dtype=np.float32)
    for outer, end in (("knee", "ankle"), ("elbow", "wrist")):
        columns = [_COLUMN[name] for name in _pairs(outer, end)]
        left, right = columns[::2], columns[1::2]
        gap = np.sum((flat[..., left, :] - flat[..., right, :]) ** 2, axis=(-2, -1))
        near = np.exp(-gap / (2.0 * (CROSSING * metre) ** 2))
        doubt = hidden[..., left + right].max(axis=-1)
        mood = ndtr(wander(generator, near.shape, 4.0))
        taken = mood < SWAP_RATE * near * doubt
        both = flat[..., left + right, :]
        flat[..., left + right, :] = np.where(
            taken[..., None, None], flat[..., right + left, :], both
        )
        crossed[..., left + right] = taken[..., None]
    return crossed


def _errors(hidden: Float32, generator: np.random.Generator) -> tuple[Float32, Float32]:
    """Errors of the estimator in units of the noise setting: (S, K, F, V, 2) and their size.

    One part lasts for a few frames, one is new in each frame, and one is constant in a recording:
    an estimator is wrong about the same clothes in the same way.
    """
    shape = (*hidden.shape, 2)
    error = 0.8 * wander(generator, shape, 3.0, axis=2)
    error += 0.6 * generator.standard_normal(shape, dtype=np.float32)
    habit = (*shape[:2], 1, *shape[3:])
    error += 0.7 * generator.standard_normal(habit, dtype=np.float32)
    strain = np.hypot(error[..., 0], error[..., 1])
    vague = np.array([VAGUENESS[name.split("_")[-1]] for name in JOINTS], dtype=np.float32)
    error *= (vague * (1.0 + BLINDNESS * hidden))[..., None]
    return error, strain


def _confidence(
    hidden: Float32, strain: Float32, crossed: Float32, generator: np.random.Generator
) -> Float32:
    """Confidence (S, K, F, V): less for the hidden, the crossed and the badly placed."""
    belief = 0.93 - 0.50 * hidden - 0.03 * strain - 0.12 * crossed
    belief += 0.025 * generator.standard_normal(belief.shape, dtype=np.float32)
    belief += 0.02 * generator.standard_normal((*belief.shape[:2], 1, 1), dtype=np.float32)
    clipped: Float32 = np.clip(belief, 0.05, 1.0)
    return clipped


def _frame(pixels: Float32, belief: Float32, image_size: tuple[int, int]) -> Float32:
    """Join pixels and confidence; joints outside the image stay at its edge, less sure."""
    edge = np.array(image_size, dtype=np.float32) - 1.0
    inside = np.clip(pixels, 0.0, edge)
    outside = np.any(inside != pixels, axis=-1)
    belief = np.where(outside, 0.3 * belief, belief)
    return np.concatenate([inside, belief[..., None]], axis=-1, dtype=np.float32)


def focal_length(settings: WalkerSettings) -> float:
    """The focal length of the cameras in pixels."""
    half_angle = np.deg2rad(0.5 * settings.field_of_view)
    return 0.5 * settings.image_size[0] / float(np.tan(half_angle))


def project(points: Float32, settings: WalkerSettings) -> Float32:
    """Perspective projection into K cameras.

    Args:
        points: world positions (S, F, V, 3) in metres; all before the cameras.
        settings: those of the cameras.

    Returns:
        (S, K, F, V, 3): x and y in pixels and the distance along the optical axis in metres.
    """
    place = _places(settings)
    ahead = np.array([0.0, 0.0, AIM_HEIGHT]) - place
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    right = np.cross(ahead, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    axes = np.stack([right, np.cross(ahead, right), ahead], axis=-1)  # (K, world, camera)
    offset = (place[:, None] @ axes).astype(np.float32)
    walks, frames, joints, _ = points.shape
    seen: Float32 = points.reshape(walks, 1, frames * joints, 3) @ axes.astype(np.float32) - offset
    centre = 0.5 * np.array(settings.image_size, dtype=np.float32)
    seen[..., :2] *= np.float32(focal_length(settings)) / seen[..., 2:]
    seen[..., :2] += centre
    return seen.reshape(walks, len(settings.views), frames, joints, 3)


def _places(settings: WalkerSettings) -> npt.NDArray[np.float64]:
    """Where the cameras stand, (K, 3) in metres."""
    angle = np.deg2rad(np.asarray(settings.views, dtype=np.float64))
    up = np.full_like(angle, settings.camera_height)
    distance = settings.camera_distance
    return np.stack([distance * np.cos(angle), distance * np.sin(angle), up], axis=-1)


def hide(
    points: Float32, bag: Float32, bag_radius: Float32, metre: Float32
) -> tuple[Float32, Float32]:
    """How far each joint is hidden by trunk, other leg or bag, and where it is then guessed.

    Args:
        points: joints in the pictures with depth, (S, K, F, V, 3) from ``project``.
        bag: the bag likewise, (S, K, F, 3).
        bag_radius: (S,) in metres, 0 where there is no bag.
        metre: pixels of a metre at the walker, (S, K, F).

    Returns:
        hidden (S, K, F, V) from 0 to 1, and guessed places (S, K, F, V, 2) in pixels.
    """

    def part(*names: str) -> Float32:
        return points[..., [_COLUMN[name] for name in names], :]

    hidden = np.zeros(points.shape[:-1], dtype=np.float32)
    guess = points[..., :2].copy()

    def cover(names: list[str], start: Float32, end: Float32, radius: Float32) -> None:
        places = [_COLUMN[name] for name in names]
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


def _turned_away(joints: Float32, settings: WalkerSettings) -> Float32:
    """How far the points of a face look away from the camera.

    Returns (S, K, F, V) from 0 to 1; 0 for all joints that are not in the face.
    """
    nose, left, right = (joints[..., _COLUMN[name], :] for name in ("nose", *_pairs("ear")))
    centre = 0.5 * (left + right)
    ahead = _unit(nose - centre)
    across = _unit(left - right)
    camera = _unit(_places(settings).astype(np.float32)[:, None] - centre[:, None])
    frontal = np.sum(camera * ahead[:, None], axis=-1)
    lateral = np.sum(camera * across[:, None], axis=-1)
    facing = {
        "nose": frontal,
        "left_eye": 0.82 * frontal + 0.57 * lateral,
        "right_eye": 0.82 * frontal - 0.57 * lateral,
        "left_ear": lateral,
        "right_ear": -lateral,
    }
    away = np.zeros((*frontal.shape, len(JOINTS)), dtype=np.float32)
    for name, cosine in facing.items():
        away[..., _COLUMN[name]] = _soft(-(cosine + 0.1) / 0.15)
    return away


def _unit(vectors: Float32) -> Float32:
    """Vectors of length one."""
    unit: Float32 = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
