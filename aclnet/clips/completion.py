"""Joints that were not seen, estimated from those that were; no network library is needed.

An estimate is a weighted sum of the joints seen in that frame, with weights that add up to one: the
best linear unbiased one, known as ordinary kriging (Matheron 1963; Cressie 1993, chapter 3), of
bodies whose joints are as far apart as those of the training people. The same weights hold for all
coordinates, so an estimate moves, turns and grows with the body, in metres as in pixels.

Without it a missing joint is a place, the origin, which no training body has: a network that
normalises each coordinate by its spread over the training bodies sees it many standard deviations
away.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from aclnet.data.degrade import seen_joints
from aclnet.data.sample import Frames

Distances = npt.NDArray[np.float64]
"""(V, V): mean square distance of any two joints, in squares of the body's size (the root mean
square distance of its joints from their mean); all zero of a joint that was never seen."""

LEAST_SEEN = 3
"""Seen joints from which others are estimated."""

_NOISE = 1e-4
"""Square of a seen joint's error in sizes of the body; a hundredth is half a centimetre."""
_BLOCK = 4096
"""Frames that are completed at once."""


def joint_distances(recordings: Iterable[Frames], dims: int) -> Distances:
    """How far apart the joints of the training people are, over all frames that show both.

    Args:
        recordings: (T, M, V, C) each, at least one.
        dims: coordinates a joint.

    Returns:
        (V, V), distances between points of some space: pairs that were never seen together, and
        what does not fit for other joints' absence, are set right.
    """
    total = count = np.zeros((0, 0))
    for frames in recordings:
        seen = seen_joints(frames, dims).reshape(-1, frames.shape[2])
        places = frames[..., :dims].reshape(*seen.shape, dims).astype(np.float64)
        enough = seen.sum(axis=1) >= LEAST_SEEN
        seen, places = seen[enough].astype(np.float64), places[enough]
        number = seen.sum(axis=1)[:, None]
        middle = (places * seen[..., None]).sum(axis=1) / number
        places = (places - middle[:, None]) * seen[..., None]
        square = np.square(places).sum(axis=2)
        size = square.sum(axis=1, keepdims=True) / number
        there = size[:, 0] > 0
        seen, square = seen[there], square[there] / size[there]
        flat = (places[there] / np.sqrt(size[there])[..., None]).transpose(1, 0, 2)
        flat = flat.reshape(seen.shape[1], -1)
        own = square.T @ seen
        if not len(total):
            total = count = np.zeros((seen.shape[1],) * 2)
        total = total + own + own.T - 2 * flat @ flat.T
        count = count + seen.T @ seen
    return _embeddable(total, count)


def _embeddable(total: Distances, count: Distances) -> Distances:
    """The mean squares as squared distances of points (Torgerson 1952).

    Means over different frames need not be such; what has no place in a space is cut off.
    """
    known = np.flatnonzero(count.diagonal() > 0)
    made = np.zeros_like(total)
    if not len(known):
        return made
    pairs = np.ix_(known, known)
    together = count[pairs] > 0
    mean = total[pairs] / np.maximum(count[pairs], 1)
    mean = np.where(together, mean, mean[together].max())
    centred = mean - mean.mean(axis=0) - mean.mean(axis=1)[:, None] + mean.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    inner = (vectors * np.maximum(values, 0)) @ vectors.T
    of_each = inner.diagonal()
    made[pairs] = np.maximum(of_each[:, None] + of_each - 2 * inner, 0)
    np.fill_diagonal(made, 0)
    return made


def completed(clips: Frames, distances: Distances, dims: int) -> Frames:
    """Clips with their missing joints estimated, frame by frame and person by person.

    Args:
        clips: (..., V, C) as stored: `dims` coordinates, then perhaps the confidence. A missing
            joint has confidence 0 or, without a confidence, zeros.
        distances: of `joint_distances`.
        dims: coordinates a joint.

    Returns:
        The same shape and type. Seen joints stay as they are, bit for bit, and so does everybody of
        whom fewer than three are seen, and a joint that the training people never showed. An
        estimated joint has the lowest confidence of that person in that frame.
    """
    joints = clips.shape[-2]
    seen = seen_joints(clips, dims).reshape(-1, joints)
    known = distances.any(axis=1)
    useful = seen & known
    rows = np.flatnonzero((useful.sum(axis=1) >= LEAST_SEEN) & (~seen & known).any(axis=1))
    if not len(rows):
        return clips
    made = clips.copy().reshape(-1, joints, clips.shape[-1])
    for block in np.split(rows, range(_BLOCK, len(rows), _BLOCK)):
        patterns, which = np.unique(useful[block], axis=0, return_inverse=True)
        weights = _weights(patterns, distances)[which.reshape(-1)]
        places = made[block, :, :dims].astype(np.float64)
        estimates = made[block].astype(np.float64)
        estimates[..., :dims] = weights @ places
        confidences = np.where(seen[block][..., None], estimates[..., dims:], np.inf)
        estimates[..., dims:] = confidences.min(axis=1, keepdims=True)
        missing = ~seen[block] & known
        made[block] = np.where(missing[..., None], estimates, made[block])
    return made.reshape(clips.shape)


def _weights(useful: npt.NDArray[np.bool_], distances: Distances) -> Distances:
    """Weights (P, V, V) of each seen joint (last axis) for every joint, by P patterns (P, V)."""
    count, joints = useful.shape
    near = -distances / 2
    system = np.zeros((count, joints + 1, joints + 1))
    system[:, :-1, :-1] = np.where(useful[:, :, None] & useful[:, None, :], near, 0)
    places = np.arange(joints)
    system[:, places, places] = np.where(useful, _NOISE, 1)
    system[:, :-1, -1] = system[:, -1, :-1] = useful
    wanted = np.ones((count, joints + 1, joints))
    wanted[:, :-1] = np.where(useful[:, :, None], near, 0)
    return np.asarray(np.linalg.solve(system, wanted)[:, :-1].transpose(0, 2, 1))
