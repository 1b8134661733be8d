"""The fields of one PYSKL annotation, each checked for what it is.

An annotation is a dict: frame_dir (or filename), label, total_frames, keypoint (M, T, V, C),
keypoint_score (M, T, V) and img_shape (h, w). Kinetics keeps its keypoints elsewhere and has
raw_file, frame_inds (B,) and box_score (B,) instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

FIELDS = (
    *("frame_dir", "filename", "label", "total_frames", "img_shape", "original_shape"),
    *("keypoint", "keypoint_score", "raw_file", "frame_inds", "box_score", "valid"),
)
MOST_FRAMES = 1_000_000
"""Of a video; more is taken for a mistake."""
_SHOWN = 10**18


@dataclass(frozen=True)
class AnnotationForm:
    """What one annotation is, without its numbers.

    Args:
        key: the sample's name.
        label: class number from 0, None where there is none.
        joints: V; None where the keypoints lie in a kpfile.
        dims: C, 2 or 3.
        scored: whether there are scores.
        image_size: width and height of the video in pixels.
        kpfile: name of the file with the keypoints, empty where they are in the annotation.
    """

    key: str
    label: int | None
    joints: int | None
    dims: int
    scored: bool
    image_size: tuple[int, int] | None
    kpfile: str


class Annotation:
    """One annotation of a file.

    Args:
        fields: as the file has them.
        path: the file, for error messages.
        number: its place in the file, from 0.

    Raises:
        ValueError: it has no name.
    """

    def __init__(self, fields: Mapping[Any, Any], path: Path, number: int) -> None:
        self.fields, self._path = fields, path
        key = fields.get("frame_dir", fields.get("filename"))
        if not isinstance(key, str) or not key:
            raise ValueError(
                f"{path}: annotation {number}: frame_dir (or filename) must be the sample's name, "
                f"it is {_kind(key)}"
            )
        self.key = key

    def fault(self, field: str, problem: str, remedy: str) -> ValueError:
        """The error that says what is wrong with a field and what to do about it."""
        return ValueError(f"{self._path}: sample {self.key!r}: {field} {problem}; {remedy}")

    @cached_property
    def form(self) -> AnnotationForm:
        """What it is.

        Raises:
            ValueError: a field is missing or is not what it should be.
        """
        kpfile = "" if "keypoint" in self.fields else self._kpfile()
        shape = () if kpfile else self._shape()
        return AnnotationForm(
            key=self.key,
            label=self._label(),
            joints=shape[2] if shape else None,
            dims=shape[3] if shape else 2,
            scored=self._scored(shape) if shape else True,
            image_size=self._image_size(),
            kpfile=kpfile,
        )

    def total_frames(self) -> int | None:
        """The number of frames that the annotation says.

        Raises:
            ValueError: it is no number of frames.
        """
        value = self.fields.get("total_frames")
        if value is None:
            return None
        if not is_whole(value) or not 1 <= value <= MOST_FRAMES:
            raise self.fault(
                "total_frames", f"must be a number of frames, it is {_kind(value)}", "correct it"
            )
        return int(value)

    def array(self, field: str, axes: int) -> npt.NDArray[Any]:
        """A field that is an array of numbers with so many axes.

        Raises:
            ValueError: it is something else.
        """
        value = self.fields.get(field)
        if not isinstance(value, np.ndarray) or value.ndim != axes or value.dtype.kind not in "fiu":
            raise self.fault(
                field,
                f"must be a NumPy array of numbers with {axes} axes, it is {_kind(value)}",
                "save it as PYSKL does",
            )
        return np.asarray(value)

    def _label(self) -> int | None:
        label = self.fields.get("label")
        if label is not None and not (is_whole(label) and 0 <= label < _SHOWN):
            raise self.fault(
                "label", f"must be a class number from 0, it is {_kind(label)}", "correct it"
            )
        return None if label is None else int(label)

    def _kpfile(self) -> str:
        raw = self.fields.get("raw_file")
        # The folder in raw_file is one on the authors' disk.
        name = PurePosixPath(raw.replace("\\", "/")).name if isinstance(raw, str) else ""
        if name in ("", ".."):
            raise self.fault(
                "keypoint",
                "is missing, and there is no raw_file that tells where it is",
                "take the annotation out of the file or add its keypoints",
            )
        return name

    def _shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.array("keypoint", 4).shape
        if shape[3] not in (2, 3) or shape[2] == 0:
            raise self.fault(
                "keypoint",
                f"must be (persons, frames, joints, 2 or 3), it is {shape}",
                "save it as PYSKL does",
            )
        if shape[1] == 0:
            raise self.fault("keypoint", "has no frame", "take the annotation out of the file")
        said = self.total_frames()
        if said not in (None, shape[1]):
            raise self.fault(
                "total_frames", f"is {said}, keypoint has {shape[1]} frames", "correct one of them"
            )
        return shape

    def _scored(self, shape: tuple[int, ...]) -> bool:
        if self.fields.get("keypoint_score") is None:
            return False
        score = self.array("keypoint_score", 3).shape
        if score != shape[:3]:
            raise self.fault(
                "keypoint_score",
                f"has shape {score}, keypoint {shape}",
                f"it must be {shape[:3]}, one score a joint",
            )
        return True

    def _image_size(self) -> tuple[int, int] | None:
        shape = self.fields.get("img_shape")
        if shape is None:
            return None
        sides = tuple(shape) if isinstance(shape, (list, tuple)) else ()
        if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
            raise self.fault(
                "img_shape",
                f"must be (height, width) in pixels, it is {_kind(shape)}",
                "correct it",
            )
        return int(sides[1]), int(sides[0])


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, Python's or NumPy's."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    # Of containers only the type: they may hold anything.
    number = isinstance(value, float) or (is_whole(value) and -_SHOWN < value < _SHOWN)
    return str(value) if number else f"of type {type(value).__name__}"
