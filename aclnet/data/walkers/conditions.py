"""Effects of a bag and a coat on a walker and on the cameras' view.

Both have two kinds of effects, and no others. They change how the person moves (a bound arm, a
lean away from the load, stiffer arms), by changing traits before the joints are computed; and they
change what the cameras see (a bag hides the joints behind it; a coat shows its outline instead of
the joints). How much harder bg and cl are than nm follows from that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.walkers.body import SIDE
from aclnet.data.walkers.traits import Array, wander

Mask = npt.NDArray[np.bool_]

# A coat's grip on the joints: outward and upward shift in coat thicknesses, share of the joint's
# own motion that only shows smoothed, wobble of the cloth in metres (of a coat 35 mm thick), and
# how badly the joint is seen. The grip on knees grows with the coat's length.
COAT_GRIP: dict[str, tuple[float, float, float, float, float]] = {
    "shoulder": (0.70, 0.45, 0.30, 0.016, 0.40),
    "elbow": (0.90, 0.00, 0.50, 0.020, 0.50),
    "wrist": (0.20, -0.50, 0.25, 0.013, 0.30),
    "hip": (0.90, -1.30, 0.80, 0.025, 0.75),
    "knee": (0.40, -0.60, 0.60, 0.026, 0.70),
}


class Bag(NamedTuple):
    """Bags of S walks: ``carried`` (S,), ``side`` (S, 2) one-hot, ``strap`` (S,) or in the hand."""

    carried: Mask
    side: Array
    strap: Mask
    radius: Array


class Coat(NamedTuple):
    """Coats of S walks: ``worn`` (S,), ``thickness`` (S,) in metres, ``length`` (S,) 0..1."""

    worn: Mask
    thickness: Array
    length: Array


def draw_bag(generator: np.random.Generator, carried: Mask) -> Bag:
    """Draw a bag for every walk; only those of ``carried`` are used.

    Args:
        generator: random numbers of this person's conditions.
        carried: (S,) which walks have a bag.
    """
    takes = len(carried)
    side = np.eye(2)[generator.integers(0, 2, takes)]
    strap = generator.random(takes) < 0.4
    return Bag(carried, side, strap, generator.uniform(0.14, 0.20, takes))


def draw_coat(generator: np.random.Generator, worn: Mask) -> Coat:
    """Draw a new coat for every walk; only those of ``worn`` are used.

    Args:
        generator: random numbers of this person's conditions.
        worn: (S,) which walks have a coat. Length 0 is a jacket, 1 reaches the knees.
    """
    takes = len(worn)
    return Coat(worn, generator.uniform(0.02, 0.06, takes), generator.random(takes))


def carry_bag(walk: dict[str, Array], bag: Bag, generator: np.random.Generator) -> dict[str, Array]:
    """Bind one arm: it holds the strap at the chest or hangs with the bag; the trunk leans away.

    Args:
        walk: traits from ``draw_takes``.
        bag: the bags of these walks.
        generator: random numbers of this person's conditions.

    Returns:
        the changed traits; walks without a bag are as they were.
    """
    takes = len(bag.carried)
    bound = bag.side * bag.carried[:, None]
    changed = dict(walk)
    for name, held in _hold(walk, bag.strap[:, None], generator).items():
        changed[name] = walk[name] + bound * (held - walk[name])
    lean = generator.uniform(0.5, 3.0, (takes, 1))
    away = -(bound @ SIDE)  # leaning is positive to the left
    changed["trunk_roll"] = walk["trunk_roll"] + away * lean
    load = bag.carried[:, None] * generator.uniform(0.5, 1.0, (takes, 1))
    changed["trunk_twist"] = walk["trunk_twist"] * (1.0 - 0.25 * load)
    changed["trunk_pitch"] = walk["trunk_pitch"] + 1.0 * load
    changed["pace"] = walk["pace"] * (1.0 - 0.03 * load)
    return changed


def _hold(walk: dict[str, Array], strap: Mask, generator: np.random.Generator) -> dict[str, Array]:
    """Traits of an arm that holds a strap at the chest, or else hangs with a bag in its hand."""
    shape = strap.shape
    bend = np.where(strap, 80.0, 10.0)
    give = np.where(strap, 10.0, 4.0) * generator.uniform(-1.0, 1.0, shape)
    return {
        "arm_swing": walk["arm_swing"] * generator.uniform(0.15, 0.45, shape),
        "elbow_swing": walk["elbow_swing"] * 0.2,
        "arm_offset": np.where(strap, 8.0, 0.0) + generator.normal(0.0, 4.0, shape),
        "elbow_offset": bend + give,
        "arm_carry": walk["arm_carry"] + generator.uniform(1.0, 5.0, shape),
        "forearm_turn": np.where(strap, 40.0, 10.0) + generator.normal(0.0, 5.0, shape),
        "shoulder_drop": walk["shoulder_drop"] - np.where(strap, 0.007, -0.004),
    }


def wear_coat(walk: dict[str, Array], coat: Coat) -> dict[str, Array]:
    """Stiffen the arms and hold them off the body; a long coat shortens the stride a little.

    Args:
        walk: traits from ``draw_takes``.
        coat: the coats of these walks.

    Returns:
        the changed traits; walks without a coat are as they were.
    """
    thick = (coat.worn * coat.thickness / 0.05)[:, None]
    long = (coat.worn * coat.length)[:, None]
    changed = dict(walk)
    changed["arm_swing"] = walk["arm_swing"] * (1.0 - 0.45 * thick)
    changed["elbow_swing"] = walk["elbow_swing"] * (1.0 - 0.45 * thick)
    changed["trunk_twist"] = walk["trunk_twist"] * (1.0 - 0.30 * thick)
    changed["arm_carry"] = walk["arm_carry"] + 5.0 * thick
    changed["hip_swing"] = walk["hip_swing"] * (1.0 - 0.06 * long)
    changed["knee_swing"] = walk["knee_swing"] * (1.0 - 0.06 * long)
    return changed


def place_bag(joints: dict[str, Array], bag: Bag) -> tuple[Array, Array]:
    """The place of the bag: at the hip under its strap, or below the hand that carries it.

    Args:
        joints: from ``walk_joints``, each (S, F, 3).
        bag: the bags of these walks.

    Returns:
        its centre (S, F, 3) in metres, and its radius (S,), 0 without a bag.
    """
    sides = bag.side[:, :, None, None]
    hip = np.stack([joints["left_hip"], joints["right_hip"]], axis=1)
    wrist = np.stack([joints["left_wrist"], joints["right_wrist"]], axis=1)
    outward = _outward(joints)
    at_hip = hip + 0.14 * outward - np.array([0.03, 0.0, 0.04])
    in_hand = wrist - np.array([0.0, 0.0, 0.27])
    middle = np.where(bag.strap[:, None, None, None], at_hip, in_hand)
    return np.sum(sides * middle, axis=1), bag.carried * bag.radius


def show_outline(
    joints: dict[str, Array], coat: Coat, generator: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The apparent joints under a coat: its outline, which follows the body slowly.

    Args:
        joints: from ``walk_joints``, each (S, F, 3).
        coat: the coats of these walks.
        generator: random numbers of this person's conditions, for the moving cloth.

    Returns:
        the apparent joints, each (S, F, 3), and how badly each is seen, (S,) from 0 to 1.
    """
    pelvis = 0.5 * (joints["left_hip"] + joints["right_hip"])
    outward = _outward(joints)
    worn = coat.worn[:, None, None]
    apparent = dict(joints)
    veil: dict[str, Array] = {}
    for part, (out, up, slow, wobble, unseen) in COAT_GRIP.items():
        reach = coat.length if part == "knee" else np.ones_like(coat.length)
        bulk = (coat.thickness * reach)[:, None, None]
        for side, word in enumerate(("left", "right")):
            points = joints[f"{word}_{part}"]
            about = points - pelvis
            lagging = about + (slow * reach)[:, None, None] * (_smooth(about) - about)
            lagging = lagging + bulk * out * outward[:, side]
            lagging[..., 2] += bulk[..., 0] * up
            size = wobble * (coat.thickness / 0.035) * reach
            lagging += size[:, None, None] * wander(generator, points.shape, 12.0, axis=1)
            apparent[f"{word}_{part}"] = np.where(worn, pelvis + lagging, points)
            veil[f"{word}_{part}"] = unseen * reach * coat.worn
    return apparent, veil


def _outward(joints: dict[str, Array]) -> Array:
    """Unit vectors to the left and to the right across the hips, (S, 2, F, 3)."""
    across = joints["left_hip"] - joints["right_hip"]
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    return np.stack([across, -across], axis=1)


def _smooth(points: Array, width: int = 13) -> Array:
    """Running mean over ``width`` frames (about half a stride at 25 frames per second)."""
    padded = np.pad(points, ((0, 0), (width // 2 + 1, width // 2), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=1)
    return (total[:, width:] - total[:, :-width]) / width
