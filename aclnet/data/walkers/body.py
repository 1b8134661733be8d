"""How a synthetic walker moves: joint angles over the gait cycle, turned into joints in space.

The thigh, the knee and the foot follow mean curves of level walking: rounded by hand from the
phases and ranges that textbooks give (Perry, "Gait Analysis"; Winter, "Biomechanics and Motor
Control of Human Movement"), not measured data. The traits bend them to the person. The feet then
carry the pelvis: its height and its forward speed are those that hold the supporting foot on the
ground, so that stride, speed and bobbing come out of the angles and the legs' lengths, and feet
hardly slide. The trunk leans and twists against the pelvis, an arm swings with the leg of the other
side, and the head rides on a neck that leans forward.

World axes in metres: x forward, y to the walker's left, z up. Arrays are (S, 2, F): walks, sides
(left, right), frames; the phase is the left leg's, 0 where that foot touches down.
"""

from __future__ import annotations

import numpy as np

from aclnet.data.walkers.traits import Array, wander

SIDE = np.array([1.0, -1.0])[:, None]
ANKLE_HEIGHT = 0.039  # share of the body height
CLEARANCE = 0.06  # metres that a swinging foot counts as higher: toes are no support
# Degrees at every 5 % of the cycle, which begins when the foot of that side touches the ground.
THIGH = (23, 23, 21, 17, 12, 7, 2, -3, -9, -14, -18, -18, -13, -2, 9, 19, 26, 28, 27, 25)
KNEE = (5, 11, 16, 17, 14, 10, 8, 6, 5, 7, 12, 22, 38, 54, 62, 60, 51, 35, 16, 5)
FOOT = (19, 7, 0, 0, 0, 0, 0, -2, -6, -12, -22, -38, -55, -62, -51, -31, -11, 3, 13, 19)


def walk_joints(
    walk: dict[str, Array], frames: int, fps: float, generator: np.random.Generator
) -> dict[str, Array]:
    """Joints of S walks in space.

    Args:
        walk: traits from ``draw_takes``, changed by the conditions: (S, 1) each, those of the arms
            (S, 2), curve shapes (S, 1, 2, harmonics).
        frames: number of frames F.
        fps: frames per second.
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
    hips: Array = pelvis[:, None] + _move_hips(walk, phase)
    knee, ankle, soles = _move_legs(walk, phase, size, hips)
    nose, upper = _upper_body(walk, phase, size, pelvis)
    root = _carry_body(soles, fps)
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


def _move_hips(walk: dict[str, Array], phase: Array) -> Array:
    """Hip joints about the pelvis's centre, (S, 2, F, 3): the pelvis turns and lists."""
    turn = np.deg2rad(walk["pelvis_turn"]) * np.cos(phase)
    tilt = np.deg2rad(walk["pelvis_list"]) * np.sin(phase + 0.35)
    across = np.stack(
        [np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), np.sin(tilt)], axis=-1
    )
    half = 0.5 * walk["hip_width"] * walk["height"]
    return np.asarray(SIDE[..., None] * (half[..., None] * across)[:, None])


def _move_legs(
    walk: dict[str, Array], phase: Array, size: Array, hips: Array
) -> tuple[Array, Array, Array]:
    """Knees and ankles, (S, 2, F, 3) each, and the soles' ends (S, 4, F, 2) as x and z.

    ``phase`` is (S, F) in radians, ``size`` the stride-to-stride factor on the excursions,
    (S, 2, F), and ``hips`` the hip joints about the pelvis's line, (S, 2, F, 3).
    """
    side_phase = _side_phase(walk, phase)
    reach = walk["hip_swing"] * np.sqrt(walk["pace"])
    reach = reach[:, None] * (1.0 + 0.5 * SIDE * walk["leg_asymmetry"][:, None]) * size
    thigh = np.mean(THIGH) + walk["hip_offset"][:, None]
    thigh = np.deg2rad(thigh + reach * _curve(THIGH, side_phase, walk["hip_shape"]))
    bend = np.mean(KNEE) + walk["knee_offset"][:, None]
    bend = bend + walk["knee_swing"][:, None] * size * _curve(KNEE, side_phase, walk["knee_shape"])
    bend = np.deg2rad(0.5 * (bend + np.sqrt(bend * bend + 9.0)))  # no knee bends forward
    foot = np.mean(FOOT) + walk["heel_rise"][:, None] * _curve(FOOT, side_phase, walk["foot_shape"])
    height = walk["height"][:, None]
    upper, lower = walk["thigh"][:, None] * height, walk["shank"][:, None] * height
    # The ankle keeps to the line of its foot, the leg leans to reach it from the hip.
    swinging = np.clip(np.sin(side_phase + np.pi), 0.0, None)
    line = 0.5 * walk["step_width"][:, None] + walk["circumduction"][:, None] * swinging
    lean = np.arcsin(np.clip((SIDE * line - hips[..., 1]) / (upper + lower), -0.5, 0.5))
    knee = hips + upper[..., None] * _hang_limb(thigh, lean)
    ankle = knee + lower[..., None] * _hang_limb(thigh - bend, lean)
    knee = _turn_out(hips, knee, ankle, np.deg2rad(walk["toe_out"])[:, None])
    soles = _soles(ankle, np.deg2rad(foot), walk["foot"][:, None] * height, ANKLE_HEIGHT * height)
    soles[..., 1] += CLEARANCE * np.tile(_off_ground(side_phase), (1, 2, 1))
    return knee, ankle, soles


def _carry_body(soles: Array, fps: float, softness: float = 0.008, inertia: float = 0.4) -> Array:
    """Where the feet carry the pelvis: (S, F, 3), forward position, 0 and height.

    The lowest points of the soles are on the ground and at rest; a point that is within about
    ``softness`` metres of the lowest carries a share, so that the load passes smoothly. The body
    is heavy: it rounds off changes within a tenth of a second, and ``inertia`` (0 to 1) evens out
    that part of the changes of speed, for a few centimetres of slip.
    """
    lowest = soles[..., 1].min(axis=1, keepdims=True)
    share = np.exp((lowest - soles[..., 1]) / softness)
    share = share / share.sum(axis=1, keepdims=True)
    height = _round_off(-np.sum(share * soles[..., 1], axis=1), fps)
    between = 0.5 * (share[..., 1:] + share[..., :-1])
    steps = _round_off(-np.sum(between * np.diff(soles[..., 0], axis=-1), axis=1), fps)
    steps = inertia * steps.mean(axis=-1, keepdims=True) + (1.0 - inertia) * steps
    forward = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=-1)], axis=-1)
    forward -= forward[:, forward.shape[1] // 2, None]
    return np.stack([forward, np.zeros_like(forward), height], axis=-1)


def _curve(knots: tuple[int, ...], phase: Array, shape: Array, harmonics: int = 5) -> Array:
    """The swing of a curve about its mean, in degrees, with the person's own harmonics added."""
    at = 2.0 * np.pi * np.arange(len(knots)) / len(knots)
    order = np.arange(1, harmonics + 1)
    basis = np.concatenate([np.cos(np.outer(at, order)), np.sin(np.outer(at, order))], axis=1)
    weights = basis.T @ np.array(knots, dtype=np.float64) * (2.0 / len(knots))
    waves = np.zeros((len(phase), 1, 2, harmonics)) + weights.reshape(2, harmonics)
    waves[..., : shape.shape[-1]] += shape
    return _add_waves(waves, phase)


def _add_waves(waves: Array, phase: Array) -> Array:
    """Sum of ``waves`` (S, 1, 2, harmonics) at ``phase`` (S, 2, F)."""
    total = np.zeros_like(phase)
    for order in range(waves.shape[-1]):
        total += waves[..., 0, order, None] * np.cos((order + 1) * phase)
        total += waves[..., 1, order, None] * np.sin((order + 1) * phase)
    return total


def _side_phase(walk: dict[str, Array], phase: Array) -> Array:
    """(S, 2, F): each leg's own phase; the right one is half a cycle behind."""
    offset = np.pi * (SIDE < 0) + 0.5 * SIDE * np.deg2rad(walk["leg_phase"])[:, None]
    return np.asarray(phase[:, None] + offset)


def _hang_limb(angle: Array, lean: Array) -> Array:
    """Unit vector of a hanging limb swung forward by ``angle`` and sideways by ``lean``."""
    across = np.sin(lean) + 0.0 * angle
    return np.stack([np.sin(angle) * np.cos(lean), across, -np.cos(angle) * np.cos(lean)], axis=-1)


def _turn_out(hip: Array, knee: Array, ankle: Array, toe_out: Array) -> Array:
    """Turn the knee outward about the line from hip to ankle; both bones keep their lengths."""
    axis = ankle - hip
    axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    along = np.sum((knee - hip) * axis, axis=-1, keepdims=True) * axis
    off = knee - hip - along
    angle = toe_out[..., None]
    outward = -SIDE[..., None] * np.cross(axis, off)
    return np.asarray(hip + along + off * np.cos(angle) + outward * np.sin(angle))


def _off_ground(side_phase: Array) -> Array:
    """0 while a foot may bear weight (the first 62 % of its cycle), 1 in its swing, softly."""
    middle = 2.0 * np.pi * 0.31
    edge = np.cos(middle)
    step: Array = 1.0 / (1.0 + np.exp((np.cos(side_phase - middle) - edge) / 0.08))
    return step


def _soles(ankle: Array, pitch: Array, length: Array, height: Array) -> Array:
    """Heels and balls of both feet, (S, 4, F, 2): x and z about the pelvis."""
    points = []
    for ahead in (-0.25 * length, 0.50 * length):
        x = ankle[..., 0] + ahead * np.cos(pitch) + height * np.sin(pitch)
        z = ankle[..., 2] + ahead * np.sin(pitch) - height * np.cos(pitch)
        points.append(np.stack([x, z], axis=-1))
    return np.concatenate(points, axis=1)


def _round_off(course: Array, fps: float, seconds: float = 0.12) -> Array:
    """Smooth (S, F) by a triangle that reaches ``seconds`` to each side."""
    reach = max(1, round(seconds * fps))
    weights = 1.0 - np.abs(np.arange(1 - reach, reach)) / reach
    padded = np.pad(course, ((0, 0), (reach - 1, reach - 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach - 1, axis=1)
    return np.asarray(windows @ (weights / weights.sum()))


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
    angle = np.deg2rad(angle + liveliness * _add_waves(walk["arm_shape"], swing))
    bend = walk["elbow_offset"][..., None] + walk["elbow_swing"][..., None] * np.cos(
        swing + np.deg2rad(walk["elbow_phase"])[..., None]
    )
    bend = np.deg2rad(0.5 * (bend + np.sqrt(bend * bend + 9.0)))
    carry = np.deg2rad(walk["arm_carry"])[..., None]
    turn = np.deg2rad(walk["forearm_turn"])[..., None]
    upper = _hang_limb(angle, SIDE * carry)
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
