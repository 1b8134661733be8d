"""A body seen coarser than its joints: ten parts, five limbs, and the graphs of all three levels.

The skeleton graphs of the re-identification papers of Rao et al. (MG-SCR 2021, SM-SGE 2021,
SPC-MGR 2022, TranSG 2023): a part or limb is the mean of its joints, and each level has its own
graph. Joints are found by name, so that any order of them will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.skeleton.layout import IndexArray, Layout

Frames = npt.NDArray[np.floating[Any]]
Matrix = npt.NDArray[np.float64]

PARTS = (
    "left_upper_leg",
    "left_lower_leg",
    "right_upper_leg",
    "right_lower_leg",
    "torso",
    "head",
    "left_upper_arm",
    "left_lower_arm",
    "right_upper_arm",
    "right_lower_arm",
)
LIMBS = ("left_leg", "right_leg", "torso", "left_arm", "right_arm")

# The arms hang on the head part, which on a Kinect's skeleton holds the neck.
_PART_EDGES = ((0, 1), (0, 4), (2, 3), (2, 4), (4, 5), (5, 6), (5, 8), (6, 7), (8, 9))
_LIMB_EDGES = ((0, 2), (1, 2), (2, 3), (2, 4))

_WITH_FEET: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "upper_leg": ("hip", "knee"),
        "lower_leg": ("ankle", "foot"),
        "torso": ("hip_centre", "spine_base", "spine", "spine_mid"),
        "head": ("shoulder_centre", "spine_shoulder", "neck", "head"),
        "upper_arm": ("shoulder", "elbow"),
        "lower_arm": ("wrist", "hand", "hand_tip", "thumb"),
    }
)
_WITHOUT_FEET: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "upper_leg": ("hip",),
        "lower_leg": ("knee", "ankle"),
        "torso": ("neck",),
        "head": ("nose",),
        "upper_arm": ("shoulder",),
        "lower_arm": ("elbow", "wrist"),
    }
)
_LIMB_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "left_leg": ("left_upper_leg", "left_lower_leg"),
        "right_leg": ("right_upper_leg", "right_lower_leg"),
        "torso": ("torso", "head"),
        "left_arm": ("left_upper_arm", "left_lower_arm"),
        "right_arm": ("right_upper_arm", "right_lower_arm"),
    }
)
# The papers' Kinect v2 graph; our layout of it has the bones that NTU's users know.
_FINGERS: Mapping[str, str] = MappingProxyType({"hand_tip": "hand", "thumb": "wrist"})


def centred_on_first(frames: Frames) -> Frames:
    """Every frame moved so that its first joint lies at the origin, as the released code does.

    In the released files the first joint is the hip on a Kinect's skeleton, but the nose on
    CASIA-B's (openpose14) and the head on KGBD's (kgbd20).

    Args:
        frames: (..., V, C), coordinates only, joints in the files' order.

    Returns:
        (..., V, C) of the same type.
    """
    return frames - frames[..., :1, :]


def part_joints(layout: Layout) -> dict[str, IndexArray]:
    """The columns of each of the ten parts (`PARTS`, in this order).

    A layout with feet is divided as the papers divide a Kinect's skeleton, one without as they
    divide CASIA-B's 14 joints.

    The released KGBD code sorts the file's joints so that the right side stands where a Kinect's
    left one does; names are not mistaken, so there its left parts are our right ones.

    Raises:
        ValueError: a part has no joint in this layout.
    """
    joints = _WITHOUT_FEET if layout.find("left_foot") is None else _WITH_FEET
    found = {}
    for part in PARTS:
        side, _, kind = part.partition("_")
        names = [f"{side}_{joint}" for joint in joints[kind]] if kind else joints[part]
        columns = {column for name in names if (column := layout.find(name)) is not None}
        if not columns:
            raise ValueError(
                f"layout {layout.name} has no joint of the part {part} (none of "
                f"{', '.join(names)}); map the recordings to a layout that has one, such as "
                "kinect20 or openpose14"
            )
        found[part] = np.array(sorted(columns), dtype=np.int64)
    return found


def limb_joints(layout: Layout) -> dict[str, IndexArray]:
    """The columns of each of the five limbs (`LIMBS`, in this order), the torso being one.

    Raises:
        ValueError: see `part_joints`.
    """
    parts = part_joints(layout)
    return {limb: np.concatenate([parts[part] for part in _LIMB_PARTS[limb]]) for limb in LIMBS}


def part_means(frames: Frames, layout: Layout) -> Frames:
    """The mean of each part's joints.

    Args:
        frames: (..., V, C).
        layout: the V joints.

    Returns:
        (..., 10, C) of the same type, in the order of `PARTS`.

    Raises:
        ValueError: see `part_joints`, or the frames have other joints.
    """
    return _means(frames, part_joints(layout), layout)


def limb_means(frames: Frames, layout: Layout) -> Frames:
    """The mean of each limb's joints, every joint weighing the same.

    Args:
        frames: (..., V, C).
        layout: the V joints.

    Returns:
        (..., 5, C) of the same type, in the order of `LIMBS`.

    Raises:
        ValueError: see `part_joints`, or the frames have other joints.
    """
    return _means(frames, limb_joints(layout), layout)


def joint_adjacency(layout: Layout) -> Matrix:
    """The papers' graph of the joints: the layout's bones, a finger's on the hand or the wrist.

    Returns:
        float64 (V, V) of 0 and 1, symmetric, its diagonal 0.
    """
    edges = []
    for child, parent in layout.bones:
        side, _, kind = child.partition("_")
        hangs_on = f"{side}_{_FINGERS[kind]}" if kind in _FINGERS else parent
        edges.append((layout.index(child), layout.index(hangs_on)))
    return _adjacency(layout.joint_count, edges)


def part_adjacency() -> Matrix:
    """The graph of the ten parts: float64 (10, 10) of 0 and 1, symmetric, its diagonal 0."""
    return _adjacency(len(PARTS), _PART_EDGES)


def limb_adjacency() -> Matrix:
    """The graph of the five limbs: float64 (5, 5) of 0 and 1, symmetric, its diagonal 0."""
    return _adjacency(len(LIMBS), _LIMB_EDGES)


def _means(frames: Frames, groups: Mapping[str, IndexArray], layout: Layout) -> Frames:
    if frames.shape[-2] != layout.joint_count:
        raise ValueError(
            f"frames of shape {frames.shape} have {frames.shape[-2]} joints, layout "
            f"{layout.name} has {layout.joint_count}; give the layout of these frames"
        )
    return np.stack([frames[..., group, :].mean(axis=-2) for group in groups.values()], axis=-2)


def _adjacency(count: int, edges: Iterable[tuple[int, int]]) -> Matrix:
    adjacency = np.zeros((count, count))
    for a, b in edges:
        adjacency[a, b] = adjacency[b, a] = 1.0
    return adjacency
