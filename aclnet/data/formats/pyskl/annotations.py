"""The annotation files of PYSKL: what they hold, each field checked.

A file is one dict `{"split": {name: [ids]}, "annotations": [dict, ...]}`, in either order, or as in
older files the list of annotations alone. An annotation is a dict: frame_dir (or filename), label,
total_frames, keypoint (M, T, V, C), keypoint_score (M, T, V) and img_shape (h, w). Kinetics keeps
its keypoints elsewhere and has raw_file, frame_inds (B,) and box_score (B,) instead.
"""

from __future__ import annotations

import io
import itertools
import pickletools
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.keypoints.third_number import third_is_score
from aclnet.data.formats.pickles.unpickle import unpickled
from aclnet.data.names import composed

Splits = dict[str, list[str]]

_FIELDS = (
    *("frame_dir", "filename", "label", "total_frames", "img_shape", "original_shape"),
    *("keypoint", "keypoint_score", "raw_file", "frame_inds", "box_score", "valid"),
)
_BEGINNING = 4096  # bytes; the first few operations hold the names to look for
_OPERATIONS = 16
_MOST_FRAMES = 1_000_000  # of a video; more is taken for a mistake
_LARGEST_SHOWN = 10**18


def looks_annotated(path: Path) -> bool:
    """Whether a file begins like a pickle of annotations; only its beginning is read."""
    words: list[str] = []
    try:
        with path.open("rb") as file:
            beginning = io.BytesIO(file.read(_BEGINNING))
        for operation, argument, _ in itertools.islice(pickletools.genops(beginning), _OPERATIONS):
            if isinstance(argument, str):
                words.append(argument)
            elif operation.name.endswith(("DICT", "LIST")):
                words.append(operation.name.removeprefix("EMPTY_"))
    except (ValueError, OSError):  # cut short, or no pickle at all
        pass
    match words:
        case ["LIST", "DICT", field, *_]:
            return field in _FIELDS
        case ["DICT", key, *_]:
            return key in ("split", "annotations")
    return False


class Annotation:
    """One annotation of a file; a field is checked when it is read.

    Args:
        fields: as in the file.
        path: the file, for error messages.
        number: its place in the file, from 0, for an error message.

    Attributes:
        key: the sample's name, composed.

    Raises:
        ValueError: there is no name; from the properties: a field is missing or malformed.
    """

    def __init__(self, fields: Mapping[Any, Any], path: Path, number: int) -> None:
        self.fields, self._path = fields, path
        key = fields.get("frame_dir", fields.get("filename"))
        if not isinstance(key, str) or not key:
            raise ValueError(
                f"{path}: annotation {number}: frame_dir (or filename) must be the sample's name, "
                f"it is {_kind(key)}"
            )
        self.key = composed(key)

    def fault(self, field: str, problem: str, remedy: str) -> ValueError:
        """The error that names a field, its problem and the remedy."""
        return ValueError(f"{self._path}: sample {self.key!r}: {field} {problem}; {remedy}")

    def array(self, field: str, axes: int) -> npt.NDArray[Any]:
        """A field that must be an array of numbers with so many axes.

        Raises:
            ValueError: it is something else.
        """
        value = self.fields.get(field)
        if not isinstance(value, np.ndarray) or value.ndim != axes or value.dtype.kind not in "fiu":
            problem = f"must be a NumPy array of numbers with {axes} axes, it is {_kind(value)}"
            raise self.fault(field, problem, "save it as PYSKL does")
        return np.asarray(value)

    @cached_property
    def kpfile(self) -> str:
        """Name of the file with the keypoints, empty where the annotation has them itself."""
        if "keypoint" in self.fields:
            return ""
        raw = self.fields.get("raw_file")
        # The folder in raw_file is one on the authors' disk.
        name = PurePosixPath(raw.replace("\\", "/")).name if isinstance(raw, str) else ""
        if name in ("", ".."):
            problem = "is missing, and there is no raw_file that names another file"
            remedy = "take the annotation out of the file or add its keypoints"
            raise self.fault("keypoint", problem, remedy)
        return name

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """(M, T, V, C) of the keypoints, C 2 or 3; empty where they are in a kpfile."""
        if self.kpfile:
            return ()
        shape: tuple[int, ...] = self.array("keypoint", 4).shape
        if shape[3] not in (2, 3) or shape[2] == 0:
            problem = f"must be (persons, frames, joints, 2 or 3), it is {shape}"
            raise self.fault("keypoint", problem, "save it as PYSKL does")
        if shape[1] == 0:
            raise self.fault("keypoint", "has no frame", "take the annotation out of the file")
        total = self.total_frames
        if total not in (None, shape[1]):
            problem = f"is {total}, keypoint has {shape[1]} frames"
            raise self.fault("total_frames", problem, "correct one of them")
        return shape

    @property
    def total_frames(self) -> int | None:
        """The number of frames by the field of that name, None without it."""
        value = self.fields.get("total_frames")
        if value is None:
            return None
        if not _is_whole(value) or not 1 <= value <= _MOST_FRAMES:
            problem = f"must be a number of frames, it is {_kind(value)}"
            raise self.fault("total_frames", problem, "correct it")
        return int(value)

    @cached_property
    def label(self) -> int | None:
        """Class number from 0, None without one."""
        label = self.fields.get("label")
        if label is not None and not (_is_whole(label) and 0 <= label < _LARGEST_SHOWN):
            problem = f"must be a class number from 0, it is {_kind(label)}"
            raise self.fault("label", problem, "correct it")
        return None if label is None else int(label)

    @cached_property
    def scored(self) -> bool:
        """Whether the keypoints have scores, (M, T, V); those in a kpfile have."""
        if self.kpfile:
            return True
        if self.fields.get("keypoint_score") is None:
            return False
        score = self.array("keypoint_score", 3).shape
        if score != self.shape[:3]:
            problem = f"has shape {score}, keypoint {self.shape}"
            remedy = f"it must be {self.shape[:3]}, one score per joint"
            raise self.fault("keypoint_score", problem, remedy)
        return True

    @cached_property
    def third_is_score(self) -> bool | None:
        """Whether the third number of a joint is its score; None where that is open."""
        if self.kpfile or self.shape[3] != 3:
            return None
        score = self.array("keypoint_score", 3) if self.scored else None
        return third_is_score(self.array("keypoint", 4), score)

    @cached_property
    def image_size(self) -> tuple[int, int] | None:
        """Width and height of the video in pixels, None where they are not known."""
        shape = self.fields.get("img_shape")
        if shape is None:
            return None
        sides = tuple(shape) if isinstance(shape, (list, tuple)) else ()
        if len(sides) != 2 or not all(_is_whole(side) and side > 0 for side in sides):
            problem = f"must be (height, width) in pixels, it is {_kind(shape)}"
            raise self.fault("img_shape", problem, "correct it")
        return int(sides[1]), int(sides[0])


def load_annotations(path: Path) -> tuple[list[Annotation], Splits]:
    """The annotations in the order of the file, and the sample names of each split.

    Raises:
        ValueError: the file cannot be read, is not a whole pickle or is refused; it holds no
            annotations, something else in their place, or annotations of several kinds.
    """
    with unpickled(path) as root:
        listed = root.get("annotations") if isinstance(root, dict) else root
        splits = root.get("split", {}) if isinstance(root, dict) else {}
    if not isinstance(listed, list):
        raise ValueError(
            f"{path}: no list 'annotations', the content is {_kind(root)}; a PYSKL annotation file "
            "is a dict of 'split' and 'annotations', or a list"
        )
    if not listed:
        raise ValueError(f"{path}: holds no annotation")
    annotations: dict[str, Annotation] = {}
    for number, item in enumerate(listed):
        if not isinstance(item, dict):
            raise ValueError(
                f"{path}: annotation {number} is {_kind(item)}, not a dict with frame_dir, label "
                "and keypoint; this is not a PYSKL annotation file"
            )
        one = Annotation(item, path, number)
        _check_alike(one, next(iter(annotations.values()), one))
        if one.key in annotations:
            raise one.fault("frame_dir", "appears twice", "name every sample differently")
        annotations[one.key] = one
    _check_splits(splits, path)
    listed_names = {name: [*map(composed, samples)] for name, samples in splits.items()}
    return list(annotations.values()), listed_names


def _check_alike(one: Annotation, first: Annotation) -> None:
    for field, here, there, remedy in (
        (
            "keypoint",
            not one.kpfile,
            not first.kpfile,
            "keep annotations with raw_file in a separate file",
        ),
        ("keypoint_score", one.scored, first.scored, "give every annotation scores, or none"),
        (
            "label",
            one.label is not None,
            first.label is not None,
            "label every annotation, or none",
        ),
    ):
        if here != there:
            problem = f"is {'there' if here else 'missing'}, unlike that of {first.key!r}"
            raise one.fault(field, problem, remedy)
    if one.shape[2:] != first.shape[2:]:
        (joints, dims), (other, others) = one.shape[2:], first.shape[2:]
        problem = (
            f"has {joints} joints in {dims}-D, that of {first.key!r} has {other} in {others}-D"
        )
        raise one.fault("keypoint", problem, "keep one layout per file")


def _check_splits(splits: Any, path: Path) -> None:
    if not isinstance(splits, dict):
        raise ValueError(f"{path}: split is {_kind(splits)}, not a dict of lists of sample names")
    for name, samples in splits.items():
        texts = isinstance(samples, list) and all(isinstance(sample, str) for sample in samples)
        if not isinstance(name, str) or not texts:
            shown = repr(name) if isinstance(name, str) else _kind(name)
            raise ValueError(f"{path}: split {shown} is not a list of sample names")
        if not samples:
            raise ValueError(
                f"{path}: split {name!r} is empty; list the names (frame_dir) of its samples, or "
                "take the split out of the file"
            )


def _is_whole(value: Any) -> bool:
    """Whether it is a whole number, Python's or NumPy's."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """What an error message shows of a value: of containers the type alone."""
    if value is None:
        return "missing"
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    is_short = _is_whole(value) and -_LARGEST_SHOWN < value < _LARGEST_SHOWN
    return str(value) if is_short or isinstance(value, float) else f"of type {type(value).__name__}"
