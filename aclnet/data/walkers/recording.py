"""One synthetic person, made and recorded: every walk, by every camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.walkers.body import walk_joints
from aclnet.data.walkers.camera import Rig, Scene
from aclnet.data.walkers.conditions import (
    Bag,
    Coat,
    carry_bag,
    draw_bag,
    draw_coat,
    place_bag,
    show_outline,
    wear_coat,
)
from aclnet.data.walkers.estimator import film
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.data.walkers.traits import Array, draw_person, draw_takes
from aclnet.skeleton import load_layout


class Recordings(NamedTuple):
    """All recordings of one person: S walks seen by K cameras.

    ``frames`` (S, K, F, V, 3) float32: pixels and confidence; of recording s, k the frames
    ``starts[s, k]`` to ``starts[s, k] + lengths[s, k]`` are in the data set. ``joints``
    (S, F, V, 3) float32 are the true joints in metres, without bag, coat or estimator.
    """

    frames: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    joints: npt.NDArray[np.float32]


def record_person(settings: WalkerSettings, number: int) -> Recordings:
    """Make one person and record all their walks with all cameras.

    Args:
        settings: what the walkers are.
        number: which person, from 1.

    Raises:
        ValueError: ``number`` is less than 1.
    """
    if number < 1:
        raise ValueError(f"people are numbered from 1, got person {number}")
    root = np.random.SeedSequence([settings.seed, number])
    body, walks, causes, cameras, cuts = (np.random.default_rng(s) for s in root.spawn(5))
    conditions = np.array([condition for condition, _ in settings.takes])
    longest = settings.frames[1]
    bag = draw_bag(causes, conditions == "bg")
    coat = draw_coat(causes, conditions == "cl")
    person = draw_person(body, settings.identity_spread)
    walk = draw_takes(walks, person, len(conditions), settings.take_spread)
    walk = wear_coat(carry_bag(walk, bag, causes), coat)
    joints = _take_lane(walk_joints(walk, longest, settings.fps, walks), walks)
    names = load_layout("coco17").joints
    scene = _dress(joints, names, bag, coat, causes)
    frames = film(scene, _rig(settings), settings.noise, cameras)
    lengths = cuts.integers(settings.frames[0], longest + 1, frames.shape[:2])
    starts = cuts.integers(0, longest - lengths + 1)
    return Recordings(frames, starts, lengths, _stack(joints, names))


def _dress(
    joints: dict[str, Array],
    names: tuple[str, ...],
    bag: Bag,
    coat: Coat,
    generator: np.random.Generator,
) -> Scene:
    """What can be seen of the walks: outlines for joints under a coat, and the bag."""
    apparent, veil = show_outline(joints, coat, generator)
    middle, radius = place_bag(joints, bag)
    veiled = np.zeros((len(radius), len(names)), dtype=np.float32)
    for name, level in veil.items():
        veiled[:, names.index(name)] = level
    return Scene(
        names,
        _stack(apparent, names),
        middle.astype(np.float32),
        radius.astype(np.float32),
        veiled,
    )


def _stack(joints: dict[str, Array], names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Joints by name as one array (S, F, V, 3)."""
    return np.stack([joints[name] for name in names], axis=2, dtype=np.float32)


def _rig(settings: WalkerSettings) -> Rig:
    return Rig(
        settings.views,
        settings.camera_distance,
        settings.camera_height,
        settings.field_of_view,
        settings.image_size,
    )


def _take_lane(joints: dict[str, Array], generator: np.random.Generator) -> dict[str, Array]:
    """Nobody walks the same line twice: shift each walk along and across, and turn it a little."""
    takes = len(joints["nose"])
    angle = np.deg2rad(generator.normal(0.0, 2.0, takes))
    along = generator.normal(0.0, 0.15, takes)
    across = generator.normal(0.0, 0.20, takes)
    cosine, sine, zero = np.cos(angle), np.sin(angle), np.zeros(takes)
    # Rows are multiplied from the left: x' = x cos - y sin, y' = x sin + y cos.
    turn = np.array([[cosine, sine, zero], [-sine, cosine, zero], [zero, zero, zero + 1.0]])
    turn = np.moveaxis(turn, -1, 0)
    shift = np.stack([along, across, zero], axis=-1)[:, None]
    return {name: points @ turn + shift for name, points in joints.items()}
