"""From the bodies that a Kinect saw in a recording to two tracks: the published cleaning of NTU.

Sources: the noise filters and their thresholds, Zhang et al., "View adaptive neural networks",
TPAMI 2019, whose scripts most later work uses; the order of the steps, the data preparation of
Duan et al., "PYSKL", ACM MM 2022, which made the published annotation files (`spec/action.md` 4.7).
A Kinect gives a person who was lost for a moment a new body, and takes chairs for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

LONGEST_NOISE = 11
"""Frames; of several bodies, those that are seen no longer are noise."""
WIDEST_PERSON = 0.8
"""Width over height; a frame above it is wide."""
WIDE_SHARE = 0.69754
"""Of several bodies, one with this share of wide frames or more is noise."""
_EMPTY = 1e-3
_SPINE_MID = 1


@dataclass(frozen=True)
class Body:
    """One body that the sensor followed.

    Attributes:
        start: its first frame, counted from 0 over the frames in which there is any body.
        joints: (T, V, 3) metres, its frames one after another. A body that was lost and found again
            under its own number has its frames joined without the gap, as in the published files.
    """

    start: int
    joints: FloatArray

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.start + len(self.joints)


def clean_bodies(bodies: Sequence[Body]) -> FloatArray:
    """The tracks of a recording's people.

    One body is taken as it is. Of several, (1) the short ones are left out, (2) the wide ones are
    left out, (3) the others, those that move most first, go to track 0, or to track 1 where they
    overlap with it in time, or nowhere where they overlap with both, (4) empty frames at both ends
    are cut off, (5) the tracks change places if the first frame is empty in track 0 only.

    Where (1) or (2) would leave nobody it is not applied; the published script stops there.

    Args:
        bodies: at least one, each with at least one frame, all with V joints.

    Returns:
        (T, M, V, 3) float32, M 1 if a single body was left before step 3, otherwise 2; zeros where
        a track is empty.

    Raises:
        ValueError: there is no body.
    """
    if not bodies:
        raise ValueError("there is no body to clean")
    left = sorted(bodies, key=lambda body: -motion(body.joints))
    if len(left) > 1:
        left = [body for body in left if len(body.joints) > LONGEST_NOISE] or left
    if len(left) > 1:
        left = _upright(left)
    if len(left) == 1:
        return left[0].joints[:, None]
    tracks = _trimmed(_tracks(left))
    if len(tracks) and not _seen(tracks[0, 0, _SPINE_MID]) and _seen(tracks[0, 1, _SPINE_MID]):
        tracks = tracks[:, ::-1]
    return np.ascontiguousarray(tracks)


def motion(joints: FloatArray) -> float:
    """How much a body moves: the variances of x, y and z over all joints and frames, added up.

    Args:
        joints: (T, V, 3) metres.

    Returns:
        Square metres.
    """
    return float(joints.reshape(-1, joints.shape[-1]).var(axis=0).sum())


def _upright(bodies: list[Body]) -> list[Body]:
    """Without the wide bodies, in a new order: what moves in wide frames is not counted."""
    ranked: list[tuple[float, Body]] = []
    for body in bodies:
        width = np.ptp(body.joints[..., 0], axis=1)
        height = np.ptp(body.joints[..., 1], axis=1)
        narrow = width <= WIDEST_PERSON * height
        if 1 - narrow.mean() < WIDE_SHARE:
            ranked.append((min(motion(body.joints), motion(body.joints[narrow])), body))
    ranked.sort(key=lambda pair: -pair[0])
    return [body for _, body in ranked] or bodies


def _tracks(bodies: list[Body]) -> FloatArray:
    """(T, 2, V, 3): the first body opens track 0, each other one goes where its time is free."""
    length = max(body.end for body in bodies)
    tracks = np.zeros((length, 2, *bodies[0].joints.shape[1:]), dtype=np.float32)
    first = bodies[0]
    tracks[first.start : first.end, 0] = first.joints
    # Track 1 counts as taken from frame 0 on, as in the published script, so a body before its
    # first one finds no place there.
    taken = [(first.start, first.end), (0, 0)]
    for body in bodies[1:]:
        for track, (start, end) in enumerate(taken):
            if max(start, body.start) >= min(end, body.end):
                tracks[body.start : body.end, track] = body.joints
                taken[track] = (min(start, body.start), max(end, body.end))
                break
    return tracks


def _trimmed(tracks: FloatArray) -> FloatArray:
    """Without the frames at both ends in which nobody is."""
    seen = np.flatnonzero(np.abs(tracks).sum(axis=(1, 2, 3)) >= _EMPTY)
    return tracks[seen[0] : seen[-1] + 1] if len(seen) else tracks[:0]


def _seen(joint: FloatArray) -> bool:
    return bool(np.abs(joint).sum() > _EMPTY)
