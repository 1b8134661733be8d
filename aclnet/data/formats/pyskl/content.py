"""What a file of PYSKL's form holds: annotations and lists of sample names.

The file is one dict `{"split": {name: [ids]}, "annotations": [dict, ...]}`, in either order, or as
in older files the list of annotations alone.
"""

from __future__ import annotations

import io
import itertools
import pickletools
from pathlib import Path
from typing import Any

from aclnet.data.formats.pickles.unpickle import unpickled
from aclnet.data.formats.pyskl.fields import FIELDS, Annotation, AnnotationForm

Splits = dict[str, list[str]]

_LISTED = "annotations"
_BEGINNING = 4096  # bytes; the words looked for are in the first few operations
_OPERATIONS = 16


def looks_annotated(path: Path) -> bool:
    """Whether a file begins like a pickle of annotations; nothing further is read."""
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
            return field in FIELDS
        case ["DICT", key, *_]:
            return key in ("split", _LISTED)
    return False


def load(path: Path) -> tuple[list[Annotation], Splits]:
    """The annotations in the order of the file, and the sample names of each split.

    Raises:
        ValueError: the file cannot be read, is no whole pickle or names what is not allowed, or
            holds no annotations, something else in their place, or some that do not belong
            together.
    """
    with unpickled(path) as root:
        listed = root.get(_LISTED) if isinstance(root, dict) else root
        splits = root.get("split", {}) if isinstance(root, dict) else {}
    if not isinstance(listed, list):
        raise ValueError(
            f"{path}: holds a {_kind(root)} without a list 'annotations'; a PYSKL annotation file "
            "is a dict of 'split' and 'annotations', or a list"
        )
    annotations = [_annotation(item, path, number) for number, item in enumerate(listed)]
    if not annotations:
        raise ValueError(f"{path}: holds no annotation; nothing is there to be read")
    keys: set[str] = set()
    for annotation in annotations:
        _check_alike(annotation, annotations[0].form)
        if annotation.key in keys:
            raise annotation.fault("frame_dir", "is there twice", "name every sample differently")
        keys.add(annotation.key)
    _check_splits(splits, path)
    return annotations, splits


def _annotation(item: Any, path: Path, number: int) -> Annotation:
    if not isinstance(item, dict):
        raise ValueError(
            f"{path}: annotation {number} is a {_kind(item)}, not a dict with frame_dir, label and "
            "keypoint; this is no PYSKL annotation file"
        )
    return Annotation(item, path, number)


def _check_alike(annotation: Annotation, first: AnnotationForm) -> None:
    form = annotation.form
    for field, here, there, remedy in (
        (
            *("keypoint", not form.kpfile, not first.kpfile),
            "keep annotations with raw_file in a file of their own",
        ),
        ("keypoint_score", form.scored, first.scored, "give every annotation scores, or none"),
        (
            *("label", form.label is not None, first.label is not None),
            "give every annotation a label, or none",
        ),
    ):
        if here != there:
            said = f"is {'there' if here else 'missing'}, unlike that of {first.key!r}"
            raise annotation.fault(field, said, remedy)
    if (form.joints, form.dims) != (first.joints, first.dims):
        raise annotation.fault(
            "keypoint",
            f"has {form.joints} joints in {form.dims}-D, that of {first.key!r} has "
            f"{first.joints} in {first.dims}-D",
            "keep one layout a file",
        )


def _check_splits(splits: Any, path: Path) -> None:
    if not isinstance(splits, dict):
        raise ValueError(f"{path}: split is a {_kind(splits)}, not a dict of lists of sample names")
    for name, samples in splits.items():
        texts = isinstance(samples, list) and all(isinstance(sample, str) for sample in samples)
        if not isinstance(name, str) or not texts:
            said = repr(name) if isinstance(name, str) else f"of a {_kind(name)}"
            raise ValueError(f"{path}: split {said} is not a list of sample names")
        if not samples:
            raise ValueError(
                f"{path}: split {name!r} is empty; list the names (frame_dir) of its samples, or "
                "take the split out of the file"
            )


def _kind(value: Any) -> str:
    # NumPy arrays come as a class of our own.
    return "ndarray" if hasattr(value, "dtype") else type(value).__name__
