"""Kinetics keypoints, kept apart from the annotations in many files: kpfiles.

A kpfile is a pickle `{frame_dir: {"keypoint": (B, V, 3)}}`: x, y in pixels and the score of all B
person boxes that a detector found in a video. The annotations have the frame of each box.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.pickles.unpickle import unpickled
from aclnet.data.formats.pyskl.annotations import Annotation
from aclnet.data.names import composed
from aclnet.data.numbering import Numbers

HalfArray = npt.NDArray[np.float16]

_WAITING_BYTES = 1 << 28
"""Size of the annotations that wait until those of one kpfile can be served together: a kpfile is
large, an annotation is not, and neighbours may lie in different files."""
_ANNOTATION_BYTES = 2000  # without its arrays, roughly
_LARGEST_HALF = 65504.0


class BoxRules(NamedTuple):
    """Which boxes become persons.

    Attributes:
        box_threshold: boxes with a lower box_score are dropped. None takes all, as the released
            configuration does: its threshold of 0.5 is never applied (spec section 4.1).
        squeeze: leave out the frames without a person.
        max_persons: the most persons of a frame.
    """

    box_threshold: float | None = None
    squeeze: bool = True
    max_persons: int = 10


class Video(NamedTuple):
    """The poses of an annotation.

    Attributes:
        annotation: that annotation.
        keypoint: (M, T, V, 3) x, y, score; M is 0 where no box is left.
        numbers: (T,) the frames' numbers in the video.
        left_out: by reason, the boxes and frames that the rules leave out.
    """

    annotation: Annotation
    keypoint: HalfArray
    numbers: Numbers
    left_out: Mapping[str, int]


def with_keypoints(
    annotations: Iterable[Annotation], folder: Path, joints: int, rules: BoxRules
) -> Iterator[Video]:
    """Annotations with the poses of their boxes, kpfile by kpfile.

    Args:
        annotations: those of an index.
        folder: with the kpfiles; only the last part of raw_file is looked up in it.
        joints: V.
        rules: which boxes become persons.

    Yields:
        Each annotation's poses, in the order of the kpfiles.

    Raises:
        ValueError: a kpfile or a video in it is missing, or does not fit the annotation.
    """
    for waiting in _windows(annotations):
        waiting.sort(key=attrgetter("kpfile"))
        for name, group in itertools.groupby(waiting, key=attrgetter("kpfile")):
            file = folder / name
            with unpickled(file) as videos:
                if not isinstance(videos, dict):
                    raise ValueError(
                        f"{file}: a kpfile is a dict of frame_dir and keypoints, this is a "
                        f"{type(videos).__name__}"
                    )
            videos = {composed(key): of for key, of in videos.items() if isinstance(key, str)}
            for annotation in group:
                boxes = _boxes(annotation, videos, file, joints)
                yield _video(annotation, boxes, file, rules)


def _windows(annotations: Iterable[Annotation]) -> Iterator[list[Annotation]]:
    waiting: list[Annotation] = []
    size = 0
    for annotation in annotations:
        waiting.append(annotation)
        size += _ANNOTATION_BYTES + sum(
            value.nbytes for value in annotation.fields.values() if isinstance(value, np.ndarray)
        )
        if size >= _WAITING_BYTES:
            yield waiting
            waiting, size = [], 0
    yield waiting


def _boxes(
    annotation: Annotation, videos: Mapping[Any, Any], file: Path, joints: int
) -> npt.NDArray[Any]:
    video = videos.get(annotation.key)
    if not isinstance(video, dict):
        raise ValueError(
            f"{file}: sample {annotation.key!r} is missing, its annotation names this file; "
            "fetch the kpfiles that belong to the annotations"
        )
    boxes = Annotation({"frame_dir": annotation.key, **video}, file, 0)
    keypoint = boxes.array("keypoint", 3)
    if keypoint.shape[1:] != (joints, 3):
        problem = f"has shape {keypoint.shape}, it must be (boxes, {joints}, 3)"
        raise boxes.fault("keypoint", problem, "name the layout that the kpfiles have")
    if not (np.abs(keypoint) <= _LARGEST_HALF).all():
        remedy = "set joints that are missing to 0 or take the annotation out of the index"
        raise boxes.fault("keypoint", "has values that are NaN or too large for float16", remedy)
    return keypoint


def _video(annotation: Annotation, boxes: npt.NDArray[Any], file: Path, rules: BoxRules) -> Video:
    frames = annotation.array("frame_inds", 1)
    if frames.dtype.kind not in "iu":
        raise annotation.fault("frame_inds", f"is of {frames.dtype}", "it must be whole numbers")
    total = annotation.total_frames or int(frames.max(initial=0)) + 1
    problem = ""
    if len(frames) != len(boxes):
        problem = f"frame_inds has shape {frames.shape} for {len(boxes)} boxes of keypoint"
    elif len(outside := frames[(frames < 0) | (frames >= total)]):
        problem = f"frame_inds has frame {int(outside[0])} of a video of {total}"
    if problem:
        raise ValueError(
            f"{file}: sample {annotation.key!r}: {problem}; the kpfile and the annotation do not "
            "belong together"
        )
    found = len(frames)
    if rules.box_threshold is not None:
        score = annotation.array("box_score", 1)
        if len(score) != len(frames):
            problem = f"has shape {score.shape}, frame_inds has {len(frames)}"
            raise annotation.fault("box_score", problem, "correct it")
        boxes, frames = (array[score >= rules.box_threshold] for array in (boxes, frames))
    poses = decompress_pose(
        boxes, frames, total, squeeze=rules.squeeze, max_persons=rules.max_persons
    )
    present, persons = np.unique(frames, return_counts=True)
    counts = {
        f"boxes with a score below {rules.box_threshold}": found - len(frames),
        f"boxes beyond the {rules.max_persons} of a frame": int(
            np.maximum(persons - rules.max_persons, 0).sum()
        ),
        "frames without a person": total - len(present) if rules.squeeze else 0,
    }
    left_out = {reason: count for reason, count in counts.items() if count}
    numbers = present if rules.squeeze else np.arange(total)
    return Video(annotation, poses, numbers.astype(np.int64), left_out)


def decompress_pose(
    boxes: npt.NDArray[Any],
    frame_inds: npt.NDArray[np.integer[Any]],
    total_frames: int,
    *,
    squeeze: bool = True,
    max_persons: int = 10,
) -> HalfArray:
    """Put every box into its frame, as one person more.

    Person 0 of two frames may be two people: persons come in the order of their boxes. If a frame
    has more than `max_persons`, those of every frame are put in the order of their summed scores,
    highest first (of equals the earlier box), and the first `max_persons` are kept.

    Source: the operator DecompressPose of the released pipeline (spec section 4.1).

    Args:
        boxes: (B, V, 3) x, y in pixels and score of B boxes.
        frame_inds: (B,) 0-based frame of each box, in any order, below `total_frames`.
        total_frames: frames of the video.
        squeeze: leave out the frames without a person; otherwise T is `total_frames`.
        max_persons: the most persons of a frame, at least 1.

    Returns:
        (M, T, V, 3) float16 x, y in pixels and score, zero where a frame has fewer persons; M is 0
        without a box.
    """
    frames = frame_inds.astype(np.int64)
    boxes = boxes.astype(np.float16)
    length = total_frames
    if squeeze:
        present, frames = np.unique(frames, return_inverse=True)
        length = len(present)
    persons = int(np.bincount(frames).max(initial=0))
    order = np.argsort(frames, kind="stable")
    if persons > max_persons:
        # Summed in float16, as released: small differences in score are lost there.
        order = np.lexsort((-boxes[..., 2].copy().sum(axis=-1), frames))
    # How many earlier boxes have the same frame, for frames in increasing order.
    place = np.arange(len(frames)) - np.searchsorted(frames[order], frames[order])
    order, place = order[place < max_persons], place[place < max_persons]
    out = np.zeros((min(persons, max_persons), length, boxes.shape[1], 3), np.float16)
    out[place, frames[order]] = boxes[order]
    return out
