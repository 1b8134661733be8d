"""How people differ: the table from which every synthetic walker is drawn.

One row a trait, with three numbers: the mean over people, the standard deviation between people
and the standard deviation between two walks of one person. The size of the identity signal is
in this table and nowhere else. Means and spreads are rounded by hand from textbook values of adult
level walking and claim no precision: segment lengths as shares of body height after Drillis and
Contini (1966), as printed in Winter, "Biomechanics and Motor Control of Human Movement", changed
where a key point is not the anatomist's landmark (shoulders and hips are marked nearer to each
other); gait after the normal ranges in Perry, "Gait Analysis". Angles are in degrees, lengths in
shares of body height or in metres, phases in degrees of the gait cycle. Bodies, cloth and pose
estimators share one drift from frame to frame (``wander``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SHAPE_HARMONICS = 3


class Trait(NamedTuple):
    """A property of a walker: ``mean``, sd between ``people``, sd between ``takes`` of one."""

    mean: float
    people: float
    takes: float = 0.0


BODY: Mapping[str, Trait] = MappingProxyType(
    {
        "height": Trait(1.69, 0.085),  # metres, women and men together
        "thigh": Trait(0.245, 0.009),  # from here: shares of the height
        "shank": Trait(0.246, 0.009),
        "trunk": Trait(0.288, 0.011),
        "neck": Trait(0.118, 0.007),  # shoulder line to ear level
        "upper_arm": Trait(0.172, 0.008),
        "forearm": Trait(0.148, 0.007),
        "hip_width": Trait(0.108, 0.009),  # between the hip joints
        "shoulder_width": Trait(0.205, 0.014),  # between the shoulder joints
        "head_width": Trait(0.089, 0.004),
        "foot": Trait(0.152, 0.006),
        "shoulder_drop": Trait(0.0, 0.006, 0.001),  # sloping or raised shoulders
        "shoulder_forward": Trait(0.0, 0.010, 0.002),  # rounded shoulders
    }
)

GAIT: Mapping[str, Trait] = MappingProxyType(
    {
        "pace": Trait(1.0, 0.0, 0.035),  # a little faster or slower in each walk
        "cadence": Trait(1.0, 0.07, 0.015),  # of what the leg's length suggests
        "hip_swing": Trait(1.0, 0.10, 0.025),  # of the normal thigh excursion: sets the stride
        "hip_offset": Trait(0.0, 2.2, 0.5),
        "knee_swing": Trait(1.0, 0.09, 0.025),
        "knee_offset": Trait(2.0, 2.5, 0.6),
        "heel_rise": Trait(1.0, 0.12, 0.03),
        "leg_asymmetry": Trait(0.0, 0.035, 0.01),
        "leg_phase": Trait(0.0, 3.5, 1.0),
        "step_width": Trait(0.095, 0.033, 0.007),  # metres between the ankles' lines
        "circumduction": Trait(0.012, 0.012, 0.003),  # metres that a swinging foot goes outward
        "toe_out": Trait(7.0, 4.5, 1.0),
        "pelvis_turn": Trait(5.0, 2.2, 0.5),
        "pelvis_list": Trait(3.5, 1.5, 0.4),
        "sway": Trait(0.020, 0.008, 0.002),  # metres to each side
        "trunk_pitch": Trait(3.0, 3.0, 0.7),
        "trunk_nod": Trait(1.2, 0.6, 0.2),
        "trunk_roll": Trait(0.0, 1.1, 0.3),
        "trunk_rock": Trait(1.8, 1.2, 0.3),
        "trunk_twist": Trait(5.5, 2.5, 0.6),
        "trunk_phase": Trait(0.0, 18.0, 4.0),
        "neck_pitch": Trait(14.0, 6.0, 1.2),
        "head_pitch": Trait(0.0, 6.0, 1.8),
        "head_turn": Trait(0.0, 2.0, 2.0),
        "arm_swing": Trait(17.0, 7.0, 1.6),
        "arm_asymmetry": Trait(0.0, 0.22, 0.05),
        "arm_offset": Trait(-3.0, 5.0, 1.0),
        "arm_phase": Trait(0.0, 15.0, 3.5),
        "arm_carry": Trait(8.0, 3.5, 0.8),
        "elbow_offset": Trait(22.0, 9.0, 1.8),
        "elbow_swing": Trait(11.0, 5.5, 1.2),
        "elbow_phase": Trait(-15.0, 15.0, 4.0),
        "forearm_turn": Trait(15.0, 10.0, 2.0),  # how far a bent forearm points inward
    }
)

SHAPES: Mapping[str, Trait] = MappingProxyType(
    {
        # The personal shape of a curve: cosine and sine of harmonics 1..3, in degrees.
        "hip_shape": Trait(0.0, 1.3, 0.35),
        "knee_shape": Trait(0.0, 1.8, 0.45),
        "foot_shape": Trait(0.0, 1.8, 0.5),
        "arm_shape": Trait(0.0, 1.2, 0.4),
    }
)

# Drawn once a person, then kept for each side: a bag or a habit changes one arm alone.
SIDED = (
    "shoulder_drop",
    "arm_swing",
    "arm_offset",
    "arm_phase",
    "arm_carry",
    "elbow_offset",
    "elbow_swing",
    "elbow_phase",
    "forearm_turn",
)

# What anatomy allows, where a normal draw could go past it.
FLOORS: Mapping[str, float] = MappingProxyType(
    {
        "arm_swing": 2.0,
        "elbow_offset": 4.0,
        "elbow_swing": 0.5,
        "arm_carry": 1.0,
        "step_width": 0.02,
        "knee_offset": -2.0,
    }
)


def draw_person(
    generator: np.random.Generator, spread: float = 1.0
) -> tuple[dict[str, float], Array]:
    """Draw one person from the table.

    Normal deviates are clipped at 2.2 standard deviations, which keeps bodies plausible.

    Args:
        generator: the person's own random numbers.
        spread: factor on the standard deviation between people (1: as in the table).

    Returns:
        the traits by name, and the curve shapes of shape (curves, 2, ``SHAPE_HARMONICS``).
    """
    table = {**BODY, **GAIT}
    deviates = np.clip(generator.standard_normal(len(table)), -2.2, 2.2) * spread
    traits = {
        name: trait.mean + trait.people * float(deviate)
        for (name, trait), deviate in zip(table.items(), deviates, strict=True)
    }
    sizes = np.array([trait.people for trait in SHAPES.values()])[:, None, None]
    shapes = generator.standard_normal((len(SHAPES), 2, SHAPE_HARMONICS))
    decay = 1.0 / np.arange(1, SHAPE_HARMONICS + 1)
    return traits, np.clip(shapes, -2.2, 2.2) * sizes * decay * spread


def draw_takes(
    generator: np.random.Generator,
    person: tuple[dict[str, float], Array],
    takes: int,
    spread: float = 1.0,
) -> dict[str, Array]:
    """Vary a person from walk to walk.

    Args:
        generator: random numbers of this person's walks.
        person: the result of ``draw_person``.
        takes: number of walks S.
        spread: factor on the standard deviation between walks.

    Returns:
        each trait as (S, 1), those of the arms as (S, 2) for left and right, each curve shape
        as (S, 1, 2, ``SHAPE_HARMONICS``).
    """
    traits, shapes = person
    table = {**BODY, **GAIT}
    deviates = np.clip(generator.standard_normal((takes, len(table))), -2.2, 2.2) * spread
    walk: dict[str, Array] = {}
    for column, (name, trait) in enumerate(table.items()):
        values = traits[name] + trait.takes * deviates[:, column, None]
        walk[name] = np.maximum(values, FLOORS.get(name, -np.inf))
    for name in SIDED:
        walk[name] = np.repeat(walk[name], 2, axis=1)
    walk["arm_swing"] *= 1.0 + walk["arm_asymmetry"] * np.array([0.5, -0.5])
    decay = 1.0 / np.arange(1, SHAPE_HARMONICS + 1)
    change = generator.standard_normal((len(SHAPES), takes, 2, SHAPE_HARMONICS)) * decay * spread
    for row, (name, trait) in enumerate(SHAPES.items()):
        walk[name] = (shapes[row] + trait.takes * change[row])[:, None]
    return walk


def wander(
    generator: np.random.Generator, shape: tuple[int, ...], memory: float, axis: int = -1
) -> npt.NDArray[np.float32]:
    """Stationary noise of unit variance that remembers itself for about ``memory`` frames.

    A first-order autoregression along ``axis``; ``memory`` is its time constant in frames.
    """
    keep = np.float32(np.exp(-1.0 / memory))
    frames = shape[axis]
    rest = tuple(np.delete(np.array(shape), axis))
    noise = generator.standard_normal((frames, *rest), dtype=np.float32)
    noise[1:] *= np.sqrt(1.0 - keep * keep)
    for frame in range(1, frames):  # each frame needs the one before it
        noise[frame] += keep * noise[frame - 1]
    return np.moveaxis(noise, 0, axis)
