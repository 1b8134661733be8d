"""Kinetics keypoints, kept beside the annotations in many files: kpfiles.

A kpfile is a pickle `{frame_dir: {"keypoint": (B, V, 3)}}`: x, y in pixels and the score of all B
person boxes of a video. The annotations say which box is in which frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.pickles.unpickle import unpickled
from aclnet.data.formats.pyskl.decompress import decompress_pose
from aclnet.data.formats.pyskl.fields import Annotation

_WAITING_BYTES = 1 << 28
"""Of annotations that wait until those of one kpfile can be served together: a kpfile is large, an
annotation is not, and neighbours may lie in different files."""
_ANNOTATION_BYTES = 2000  # without its arrays, roughly
_LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class BoxRules:
    """Which boxes become persons.

    Args:
        box_threshold: boxes with a lower box_score are left out. None takes all, as the released
            configuration does: its threshold of 0.5 is never applied (spec section 4.1).
        squeeze: leave out the frames without a person.
        max_persons: the most persons of a frame.
    """

    box_threshold: float | None = None
    squeeze: bool = True
    max_persons: int = 10


def with_keypoints(
    annotations: Iterable[Annotation], folder: Path, joints: int, rules: BoxRules
) -> Iterator[tuple[Annotation, npt.NDArray[np.float16]]]:
    """Annotations with the poses of their boxes, kpfile by kpfile.

    Args:
        annotations: those of an index.
        folder: with the kpfiles; only the last part of raw_file is looked for there.
        joints: V.
        rules: which boxes become persons.

    Yields:
        Each annotation and (M, T, V, 3) x, y, score; M is 0 where no box is left.

    Raises:
        ValueError: a kpfile or a video in it is missing, or does not fit the annotation.
    """
    for waiting in _windows(annotations):
        named = sorted(
            ((annotation.form.kpfile, annotation) for annotation in waiting),
            key=lambda pair: pair[0],
        )
        for name, group in itertools.groupby(named, key=lambda pair: pair[0]):
            videos = _videos(folder / name)
            for _, annotation in group:
                yield annotation, _poses(annotation, videos, folder / name, joints, rules)


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


def _videos(file: Path) -> Mapping[Any, Any]:
    with unpickled(file) as videos:
        if not isinstance(videos, dict):
            raise ValueError(
                f"{file}: a kpfile is a dict of frame_dir and keypoints, this is a "
                f"{type(videos).__name__}"
            )
        return videos


def _poses(
    annotation: Annotation, videos: Mapping[Any, Any], file: Path, joints: int, rules: BoxRules
) -> npt.NDArray[np.float16]:
    keypoint = _boxes(annotation, videos, file, joints)
    frames = annotation.array("frame_inds", 1)
    if frames.dtype.kind not in "iu":
        raise annotation.fault("frame_inds", f"is of {frames.dtype}", "it must be whole numbers")
    total = annotation.total_frames()
    try:
        poses = decompress_pose(
            keypoint,
            frames,
            int(frames.max(initial=0)) + 1 if total is None else total,
            keep=_kept(annotation, len(frames), rules),
            squeeze=rules.squeeze,
            max_persons=rules.max_persons,
        )
    except ValueError as error:
        raise ValueError(
            f"{file}: sample {annotation.key!r}: {error}; the kpfile and the annotation do not "
            "belong together"
        ) from None
    return np.concatenate([poses.keypoint, poses.score[..., None]], axis=-1)


def _boxes(
    annotation: Annotation, videos: Mapping[Any, Any], file: Path, joints: int
) -> npt.NDArray[Any]:
    video = videos.get(annotation.key)
    if not isinstance(video, dict):
        raise ValueError(
            f"{file}: sample {annotation.key!r} is missing, its annotation says that it is here; "
            "fetch the kpfiles that belong to the annotations"
        )
    boxes = Annotation({"frame_dir": annotation.key, **video}, file, 0)
    keypoint = boxes.array("keypoint", 3)
    if keypoint.shape[1:] != (joints, 3):
        raise boxes.fault(
            "keypoint",
            f"has shape {keypoint.shape}, it must be (boxes, {joints}, 3)",
            "name the layout that the kpfiles have",
        )
    if not (np.abs(keypoint) <= _LARGEST_HALF).all():
        raise boxes.fault(
            "keypoint",
            "has values that are NaN or too large for float16",
            "set joints that are missing to 0 or take the annotation out of the index",
        )
    return keypoint


def _kept(annotation: Annotation, count: int, rules: BoxRules) -> npt.NDArray[np.bool_] | None:
    if rules.box_threshold is None:
        return None
    score = annotation.array("box_score", 1)
    if score.shape != (count,):
        raise annotation.fault(
            "box_score", f"has shape {score.shape}, frame_inds has {count}", "correct it"
        )
    kept: npt.NDArray[np.bool_] = score >= rules.box_threshold
    return kept
