"""What an imperfect pose estimator makes of what the cameras see.

It errs for reasons: an image has finite sharpness, and a hip is a vaguer thing than a nose; a
joint that is hidden, veiled or on a face turned away is guessed; where the two legs or arms cross
it takes one for the other for some frames. Confidence falls with the same reasons. Arrays are
(S, K, F, V, ...): walks, views, frames, joints.
"""

from __future__ import annotations

import numpy as np

from aclnet.data.walkers.camera import Float32, Rig, Scene, hide, project, turned_away
from aclnet.data.walkers.traits import wander

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


def film(scene: Scene, rig: Rig, noise: float, generator: np.random.Generator) -> Float32:
    """Film every walk with every camera and estimate its pose.

    Args:
        scene: S walks.
        rig: K cameras.
        noise: standard deviation of a well seen joint, as a share of the height in the picture
            of a person of 1.7 metres.
        generator: random numbers of this person's recordings.

    Returns:
        (S, K, F, V, 3): x and y in pixels (y down), confidence 0..1.
    """
    index = {name: place for place, name in enumerate(scene.names)}
    points = project(scene.joints, rig)
    bag = project(scene.bag[:, :, None], rig)[..., 0, :]
    middle = 0.5 * (points[..., index["left_hip"], :] + points[..., index["right_hip"], :])
    metre = np.float32(rig.focal) / middle[..., 2]
    hidden, guess = hide(points, bag, scene.bag_radius, metre, index)
    hidden = np.maximum(hidden, scene.veil[:, None, None])
    hidden = np.maximum(hidden, turned_away(scene, rig, index))
    flat = guess + _aim(points.shape[:2], rig, generator)
    crossed = _swap(flat, hidden, metre, index, generator)
    error, strain = _errors(hidden, scene.names, generator)
    pixels = flat + error * (noise * 1.7 * metre)[..., None, None]
    belief = _confidence(hidden, strain, crossed, generator)
    return _frame(pixels, belief, rig.image_size)


def _aim(shape: tuple[int, int], rig: Rig, generator: np.random.Generator) -> Float32:
    """Where a camera points today, (S, K, 1, 1, 2) in pixels: nobody mounts it twice alike."""
    return generator.standard_normal((*shape, 1, 1, 2), dtype=np.float32) * np.float32(
        AIM_ERROR * rig.image_size[0]
    )


def _swap(
    flat: Float32,
    hidden: Float32,
    metre: Float32,
    index: dict[str, int],
    generator: np.random.Generator,
) -> Float32:
    """Exchange left and right, in place, for some frames where two limbs cover each other.

    Returns:
        (S, K, F, V), 1 where a joint carries the other side's place.
    """
    from scipy.special import ndtr

    crossed = np.zeros(flat.shape[:-1], dtype=np.float32)
    for outer, end in (("knee", "ankle"), ("elbow", "wrist")):
        left = [index[f"left_{outer}"], index[f"left_{end}"]]
        right = [index[f"right_{outer}"], index[f"right_{end}"]]
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


def _errors(
    hidden: Float32, names: tuple[str, ...], generator: np.random.Generator
) -> tuple[Float32, Float32]:
    """Errors of the estimator in units of the noise setting: (S, K, F, V, 2) and their size.

    A part lasts for a few frames, a part is new in each, and a part is the same through one
    recording: an estimator is wrong about the same clothes in the same way.
    """
    shape = (*hidden.shape, 2)
    error = 0.8 * wander(generator, shape, 3.0, axis=2)
    error += 0.6 * generator.standard_normal(shape, dtype=np.float32)
    habit = (*shape[:2], 1, *shape[3:])
    error += 0.7 * generator.standard_normal(habit, dtype=np.float32)
    strain = np.hypot(error[..., 0], error[..., 1])
    vague = np.array([VAGUENESS[name.split("_")[-1]] for name in names], dtype=np.float32)
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
    """Join pixels and confidence; what is outside the picture sticks to its edge, unsure."""
    edge = np.array(image_size, dtype=np.float32) - 1.0
    inside = np.clip(pixels, 0.0, edge)
    outside = np.any(inside != pixels, axis=-1)
    belief = np.where(outside, 0.3 * belief, belief)
    return np.concatenate([inside, belief[..., None]], axis=-1, dtype=np.float32)
