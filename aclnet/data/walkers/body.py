"""How a synthetic walker moves: joint angles over the gait cycle, turned into joints in space.

The legs carry the pelvis (``legs``), the trunk leans and twists against it, an arm swings
with the leg of the other side, and the head rides on a neck that leans forward.

World axes in metres: x forward, y to the walker's left, z up. Arrays are (S, 2, F): walks, sides
(left, right), frames.
"""

from __future__ import annotations

import numpy as np

from aclnet.data.walkers.legs import (
    ANKLE_HEIGHT,
    SIDE,
    add_waves,
    carry_body,
    hang_limb,
    move_hips,
    move_legs,
)
from aclnet.data.walkers.traits import Array, wander


def walk_joints(
    walk: dict[str, Array], frames: int, fps: float, generator: np.random.Generator
) -> dict[str, Array]:
    """Joints of S walks in space.

    Args:
        walk: traits from ``draw_takes`` after the conditions have changed them: (S, 1) each,
            those of the arms (S, 2), curve shapes (S, 1, 2, harmonics).
        frames: number of frames F.
        fps: frames a second.
        generator: for the starting phase and the stride-to-stride changes.

    Returns:
        COCO-17 joints by name, each (S, F, 3) in metres; the ground is z = 0 and the middle
        frame's pelvis is at x = 0.
    """
    phase = _phase(walk, frames, fps, generator)
    size = np.ones((len(phase), 2, frames))  # no two strides are quite alike
    size += 0.02 * wander(generator, size.shape, 12.0)
    pelvis = np.zeros((*phase.shape, 3))
    pelvis[..., 1] = np.sin(phase) * walk["sway"]
    pelvis[..., 1] += 0.01 * wander(generator, phase.shape, 25.0)
    hips: Array = pelvis[:, None] + move_hips(walk, phase)
    knee, ankle, soles = move_legs(walk, phase, size, hips)
    nose, upper = _upper_body(walk, phase, size, pelvis)
    root = carry_body(soles, fps)
    joints = {"nose": nose}
    for part, points in {**upper, "hip": hips, "knee": knee, "ankle": ankle}.items():
        joints[f"left_{part}"], joints[f"right_{part}"] = points[:, 0], points[:, 1]
    return {name: points + root for name, points in joints.items()}


def _phase(
    walk: dict[str, Array], frames: int, fps: float, generator: np.random.Generator
) -> Array:
    """Gait phase of the left leg in radians, (S, F); 0 where the left foot touches down."""
    leg = (walk["thigh"] + walk["shank"] + ANKLE_HEIGHT) * walk["height"]
    frequency = 0.92 * np.sqrt(0.90 / leg) * walk["cadence"] * np.sqrt(walk["pace"])
    start = generator.uniform(0.0, 2.0 * np.pi, (len(leg), 1))
    seconds = np.arange(frames) / fps
    drift = np.deg2rad(3.0) * wander(generator, (len(leg), frames), 20.0)
    return np.asarray(start + 2.0 * np.pi * frequency * seconds + drift)


def _upright(pitch: Array, roll: Array) -> Array:
    """Unit vector that points up, leaned forward by ``pitch`` and to the left by ``roll``."""
    return np.stack(
        [np.sin(pitch) * np.cos(roll), np.sin(roll), np.cos(pitch) * np.cos(roll)], axis=-1
    )


def _upper_body(
    walk: dict[str, Array], phase: Array, size: Array, pelvis: Array
) -> tuple[Array, dict[str, Array]]:
    """The nose (S, F, 3), and shoulders, elbows, wrists, eyes and ears, each (S, 2, F, 3)."""
    height = walk["height"]
    later = phase + np.deg2rad(walk["trunk_phase"])
    pitch = np.deg2rad(walk["trunk_pitch"] + walk["trunk_nod"] * np.cos(2.0 * later))
    roll = np.deg2rad(walk["trunk_roll"] + walk["trunk_rock"] * np.sin(later))
    twist = np.deg2rad(walk["trunk_twist"]) * np.cos(later)
    spine = _upright(pitch, roll)
    middle = pelvis + (walk["trunk"] * height)[..., None] * spine
    across = np.stack([-np.sin(twist), np.cos(twist) * np.cos(roll), -np.sin(roll)], axis=-1)
    half = (0.5 * walk["shoulder_width"] * height)[..., None]
    shoulder = middle[:, None] + SIDE[..., None] * (half * across)[:, None]
    shoulder[..., 0] += (walk["shoulder_forward"] * height)[:, None]
    shoulder[..., 2] -= (walk["shoulder_drop"] * height)[..., None]
    elbow, wrist = _arms(walk, phase, size, shoulder)
    nose, eye, ear = _head(walk, middle, pitch, roll, phase)
    return nose, {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "eye": eye, "ear": ear}


def _arms(
    walk: dict[str, Array], phase: Array, size: Array, shoulder: Array
) -> tuple[Array, Array]:
    """Elbows and wrists: an arm swings with the leg of the other side."""
    swing = phase[:, None] + np.pi * (SIDE > 0) + np.deg2rad(walk["arm_phase"])[..., None]
    amplitude = walk["arm_swing"][..., None] * size
    liveliness = np.clip(walk["arm_swing"] / 17.0, 0.0, 1.0)[..., None]
    angle = walk["arm_offset"][..., None] + amplitude * np.cos(swing)
    angle = np.deg2rad(angle + liveliness * add_waves(walk["arm_shape"], swing))
    bend = walk["elbow_offset"][..., None] + walk["elbow_swing"][..., None] * np.cos(
        swing + np.deg2rad(walk["elbow_phase"])[..., None]
    )
    bend = np.deg2rad(0.5 * (bend + np.sqrt(bend * bend + 9.0)))
    carry = np.deg2rad(walk["arm_carry"])[..., None]
    turn = np.deg2rad(walk["forearm_turn"])[..., None]
    upper = hang_limb(angle, SIDE * carry)
    ahead = np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)], axis=-1)
    inward = np.stack(np.broadcast_arrays(0.0 * SIDE, -SIDE, 0.0 * SIDE), axis=-1)
    toward = ahead * np.cos(turn)[..., None] + inward * np.sin(turn)[..., None]
    lower = upper * np.cos(bend)[..., None] + toward * np.sin(bend)[..., None]
    lower = lower / np.linalg.norm(lower, axis=-1, keepdims=True)
    height = walk["height"][..., None, None]
    elbow = shoulder + (walk["upper_arm"][..., None, None] * height) * upper
    return elbow, elbow + (walk["forearm"][..., None, None] * height) * lower


def _head(
    walk: dict[str, Array], middle: Array, pitch: Array, roll: Array, phase: Array
) -> tuple[Array, Array, Array]:
    """Nose (S, F, 3), eyes and ears (S, 2, F, 3): a rigid head on a neck that leans forward."""
    lean = np.deg2rad(walk["neck_pitch"]) + 0.5 * pitch
    neck = _upright(lean, 0.5 * roll)
    centre = middle + (walk["neck"] * walk["height"])[..., None] * neck
    up = np.deg2rad(walk["head_pitch"] + 1.0 * np.cos(2.0 * phase))
    turn = np.deg2rad(walk["head_turn"]) + np.zeros_like(up)
    ahead = np.stack([np.cos(up) * np.cos(turn), np.cos(up) * np.sin(turn), np.sin(up)], axis=-1)
    left = np.stack([-np.sin(turn), np.cos(turn), np.zeros_like(up)], axis=-1)
    above = np.cross(ahead, left)
    width = (walk["head_width"] * walk["height"])[..., None]
    nose = centre + width * (0.75 * ahead - 0.12 * above)
    eyes = (centre + width * (0.55 * ahead + 0.15 * above))[:, None]
    sideways = SIDE[..., None] * (width * left)[:, None]
    return nose, eyes + 0.21 * sideways, centre[:, None] + 0.5 * sideways
