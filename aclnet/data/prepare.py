"""Recordings as the ACLNet release prepares them: the main person first, centred, no empty frame.

The release's PreNormalize3D (PYSKL's), see spec/action.md 4.2.1. It needs whole recordings, so it
is done once, when data are converted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.data.sample import Frames, Sample
from aclnet.skeleton.layout import Layout

_NOTHING = 1e-8
"""Coordinates up to this are zero, as in `numpy.isclose`, which the release uses."""


def prepare_recording(frames: Frames, centre_joint: int, *, dims: int = 3) -> Frames:
    """Put the main person first, leave out its empty frames, and centre the recording on it.

    The main person is the one with the most non-empty frames, the first of equals; it changes
    places with the first person. The origin is its centre joint in its first frame; joints that are
    exactly zero were not found and stay zero. Everything is computed in the type of the frames. The
    release has at most two persons and only coordinates; here a confidence is not changed. The turn
    to an upright spine, which the release's recipes do not use, is left out.

    Args:
        frames: (T, M, V, C), the first `dims` channels coordinates.
        centre_joint: the column of the joint at the origin.
        dims: coordinates a joint.

    Returns:
        (T', M, V, C) of the same type, T' the frames with the main person; the recording itself
        if it has no person in any frame.
    """
    return _prepared(frames, centre_joint, dims)[0]


def prepare_sample(sample: Sample, centre_joint: int, *, dims: int = 3) -> Sample:
    """The sample with its frames as of `prepare_recording`, which keep their numbers."""
    made, kept = _prepared(sample.frames, centre_joint, dims)
    return sample.keep(kept, made)


def _prepared(frames: Frames, centre_joint: int, dims: int) -> tuple[Frames, npt.NDArray[np.bool_]]:
    """The prepared recording, and which of its frames are left (T,)."""
    empty = np.abs(frames[..., :dims]) <= _NOTHING
    there = np.asarray(np.logical_not(empty).any(axis=(2, 3)))
    if not there.any():
        return frames, np.ones(len(frames), dtype=np.bool_)
    main = int(there.sum(axis=0).argmax())
    persons = np.arange(frames.shape[1])
    persons[[0, main]] = main, 0
    made: Frames = frames[there[:, main]][:, persons]
    centre = made[0, 0, centre_joint, :dims].copy()
    seen = (made[..., :dims] != 0).any(axis=-1, keepdims=True)
    made[..., :dims] = (made[..., :dims] - centre) * seen
    return made, there[:, main]


def layout_centre(layout: Layout) -> int:
    """The joint on which recordings of a layout are centred: the middle of the spine.

    Raises:
        ValueError: the layout has no such joint.
    """
    place = layout.find("spine")
    if place is None:
        raise ValueError(
            f"layout {layout.name} has no joint spine, on which the main person would be centred: "
            "map to a layout that has one (COCO's key points: map_to=coco20), or prepare nothing"
        )
    return place
