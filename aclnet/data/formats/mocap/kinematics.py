"""Forward kinematics: where the joints of a skeleton are, from the angles between its bones.

Source: Meredith and Maddock, "Motion capture file formats explained", University of Sheffield 2001.
Parents come before their children; the root's parent is -1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def rotations(axes: str, degrees: npt.ArrayLike) -> Array:
    """The matrices of successive turns, each about an axis that the turns before it have turned.

    Args:
        axes: n axes, at most three, of "XYZ"; none leaves everything as it is.
        degrees: (T, n), or (n,) for one.

    Returns:
        (T, 3, 3), or (3, 3): the product of the n matrices in the order of `axes`.

    Raises:
        ValueError: there are more than three axes, or one twice in a row.

    >>> rotations("Z", [90]).round().tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    from scipy.spatial.transform import Rotation

    angles = np.asarray(degrees, dtype=np.float64)
    if not axes:
        return np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    found: Array = Rotation.from_euler(axes, angles, degrees=True).as_matrix()
    return found


def joint_places(
    parents: Sequence[int], local: Sequence[Array], offsets: Sequence[Array], *, own: bool
) -> Array:
    """The joints' places.

    Args:
        parents: J.
        local: of each joint its rotation against its parent's: (T, 3, 3).
        offsets: of each joint its place as seen from its parent: (T, 3) or (3,); that of the root
            is its place.
        own: whether an offset turns with its own joint, as a bone that ends there (ASF), or only
            with its parent's, as a bone that begins there (BVH). The root's does not turn.

    Returns:
        (T, J, 3) in the unit of the offsets.

    >>> turn, still = rotations("Z", [[90]]), rotations("", [[]])
    >>> steps = [np.zeros(3), np.array([1.0, 0, 0])]
    >>> joint_places([-1, 0], [turn, still], steps, own=False)[0].round().tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    turned: list[Array] = []
    places: list[Array] = []
    for parent, turn, offset in zip(parents, local, offsets, strict=True):
        if parent < 0:
            turned.append(turn)
            places.append(np.broadcast_to(offset, (len(turn), 3)))
            continue
        turned.append(turned[parent] @ turn)
        frame = turned[-1] if own else turned[parent]
        step = np.einsum("tij,tj->ti", frame, np.broadcast_to(offset, (len(turn), 3)))
        places.append(places[parent] + step)
    return np.stack(places, axis=1)


def longest_path(parents: Sequence[int], lengths: Sequence[float]) -> float:
    """The longest way along bones from one joint to another, whatever the pose.

    Args:
        parents: J.
        lengths: J, of the bone from each joint to its parent.

    >>> longest_path([-1, 0, 1, 0], [0, 2, 1, 4])
    7.0
    """
    below = [0.0] * len(parents)
    longest = 0.0
    for joint in range(len(parents) - 1, 0, -1):
        way, parent = below[joint] + lengths[joint], parents[joint]
        if parent >= 0:
            longest = max(longest, below[parent] + way)
            below[parent] = max(below[parent], way)
    return float(longest)
