from __future__ import annotations

import numpy as np
import pytest

from aclnet.data.formats.mocap.kinematics import joint_places, longest_path, rotations


def turn(axis: str, degrees: float) -> np.ndarray:
    """The matrix of one turn, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    matrix[[i, j, i, j], [i, j, j, i]] = c, c, -s, s
    return matrix


@pytest.mark.parametrize("axes", ["ZYX", "XYZ", "ZXY", "XZ", "Y", ""])
def test_turns_are_multiplied_in_their_order(axes: str) -> None:
    angles = np.array([30.0, -70, 110])[: len(axes)]
    wanted = np.eye(3)
    for axis, degrees in zip(axes, angles, strict=True):
        wanted = wanted @ turn(axis, degrees)
    np.testing.assert_allclose(rotations(axes, angles[None])[0], wanted, atol=1e-12)


@pytest.mark.parametrize("own", [False, True])
def test_places_are_those_of_matrices_of_four(own: bool) -> None:
    random = np.random.default_rng(0)
    parents, offsets = [-1, 0, 1, 0, 3], random.normal(size=(5, 3))
    local = [rotations("ZYX", random.uniform(-180, 180, size=(1, 3))) for _ in parents]
    found = joint_places(parents, local, list(offsets), own=own)[0]
    wholes: list[np.ndarray] = []
    for joint, parent in enumerate(parents):
        move, spin = np.eye(4), np.eye(4)
        move[:3, 3], spin[:3, :3] = offsets[joint], local[joint][0]
        above = wholes[parent] if parent >= 0 else np.eye(4)
        wholes.append(above @ (spin @ move if own and parent >= 0 else move @ spin))
    np.testing.assert_allclose(found, [whole[:3, 3] for whole in wholes], atol=1e-12)


def test_the_longest_path_goes_through_any_joint() -> None:
    assert longest_path([-1, 0, 1, 1, 3], [9, 1, 4, 2, 3]) == 9  # not over the root
