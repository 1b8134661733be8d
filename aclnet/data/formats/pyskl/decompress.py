"""Person boxes of a video, one after another, as a sample of persons and frames.

Kinetics skeletons are kept as the boxes that a detector found, each with the number of its frame.
Source: the operator DecompressPose of the released pipeline (spec section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

HalfArray = npt.NDArray[np.float16]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decompressed:
    """Poses of M persons in T frames, zero where there are fewer persons.

    Args:
        keypoint: (M, T, V, 2) float16, pixels.
        score: (M, T, V) float16.
    """

    keypoint: HalfArray
    score: HalfArray


def decompress_pose(
    keypoint: npt.NDArray[Any],
    frame_inds: npt.NDArray[np.integer[Any]],
    total_frames: int,
    *,
    keep: npt.NDArray[np.bool_] | None = None,
    squeeze: bool = True,
    max_persons: int = 10,
) -> Decompressed:
    """Put every box into its frame, as one person more.

    Who is person 0 may change from frame to frame: persons come in the order of their boxes. If a
    frame has more than `max_persons`, those of every frame are put in the order of their summed
    scores, highest first (of equals the earlier box), and the first `max_persons` are kept.

    Args:
        keypoint: (B, V, 3) x, y in pixels and score of B boxes.
        frame_inds: (B,) 0-based frame of each box, in any order.
        total_frames: frames of the video.
        keep: (B,) which boxes to take; all if not given.
        squeeze: leave out the frames without a person; otherwise T is `total_frames`.
        max_persons: the most persons of a frame.

    Returns:
        The poses; M is 0 where no box is kept.

    Raises:
        ValueError: the shapes do not fit, or a frame number is not below `total_frames`.
    """
    _check(keypoint, frame_inds, total_frames, max_persons)
    frames = frame_inds.astype(np.int64)
    boxes = keypoint.astype(np.float16)
    if keep is not None:
        frames, boxes = frames[keep], boxes[keep]
    length = total_frames
    if squeeze:
        present, frames = np.unique(frames, return_inverse=True)
        length = len(present)
    persons = int(np.bincount(frames).max(initial=0))
    order = np.argsort(frames, kind="stable")
    if persons > max_persons:
        # Summed in float16, as released: small differences in score are lost there.
        order = np.lexsort((-boxes[..., 2].copy().sum(axis=-1), frames))
    place = _places(frames[order])
    order, place = order[place < max_persons], place[place < max_persons]
    out = np.zeros((min(persons, max_persons), length, boxes.shape[1], 3), np.float16)
    out[place, frames[order]] = boxes[order]
    return Decompressed(out[..., :2], out[..., 2])


def _places(frames: IndexArray) -> IndexArray:
    """How many earlier boxes have the same frame, for frames in rising order."""
    count = np.arange(len(frames))
    first = np.ones(len(frames), bool)
    first[1:] = frames[1:] != frames[:-1]
    return count - np.maximum.accumulate(np.where(first, count, 0))


def _check(
    keypoint: npt.NDArray[Any],
    frame_inds: npt.NDArray[np.integer[Any]],
    total_frames: int,
    max_persons: int,
) -> None:
    if keypoint.ndim != 3 or keypoint.shape[2] != 3:
        raise ValueError(f"keypoint must be (boxes, joints, 3), it is {keypoint.shape}")
    if frame_inds.shape != keypoint.shape[:1]:
        raise ValueError(
            f"frame_inds has shape {frame_inds.shape} for {len(keypoint)} boxes of keypoint"
        )
    if max_persons < 1:
        raise ValueError(f"max_persons must be at least 1, it is {max_persons}")
    outside = (frame_inds < 0) | (frame_inds >= total_frames)
    if outside.any():
        raise ValueError(
            f"frame_inds has frame {int(frame_inds[outside][0])} of a video of {total_frames}"
        )
