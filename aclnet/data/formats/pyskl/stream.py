"""Annotation pickles of PYSKL's form, read one annotation at a time.

The file is one dict `{"split": {name: [ids]}, "annotations": [dict, ...]}`, in either order, or as
in older files the list of annotations alone. It may be larger than the memory: of the annotations
only the one at hand is held, of the rest the names. Nothing that the file asks for is executed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.pickles.machine import PickleMachine
from aclnet.data.formats.pickles.operations import MOST_HELD, Operation, fetched_places, operations
from aclnet.data.formats.pickles.words import (
    DtypeDescription,
    PickleWords,
    RefusedError,
    build_array,
    pickle_faults,
)

Report = Callable[[int], None]
"""Called with the number of bytes of the file that a pass has read."""

_LISTED = "annotations"
_MOST_AXES = 8
_LOOK_EVERY = 64  # operations
_REPORTS = 1000
_BEGINNING = 16  # operations


@dataclass(frozen=True)
class ArrayOutline:
    """What is known of an array that was not built: its shape and dtype."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class AnnotationStream:
    """An annotation pickle, opened by a first look at its operations.

    Args:
        path: the file.
        report: told how far the first look is.
        most_held: bytes, roughly, that may be held besides what was handed out.

    Raises:
        ValueError: the file cannot be read, is no whole pickle, or names what is not allowed.
    """

    def __init__(
        self, path: str | Path, report: Report | None = None, most_held: int = MOST_HELD
    ) -> None:
        self.path = Path(path)
        self.splits: dict[str, list[str]] = {}
        self._most = most_held
        with pickle_faults(path):
            self.size = self.path.stat().st_size
            with self.path.open("rb") as file:
                stream = operations(file, self.size, most_held)
                looked = _reporting(stream, file, self.size, report)
                self._fetched = fetched_places(looked, most_held)

    def read(self, arrays: bool = True, report: Report | None = None) -> Iterator[dict[Any, Any]]:
        """The annotations in the order of the file; afterwards `splits` holds the sample lists.

        Args:
            arrays: build the arrays; otherwise they come as `ArrayOutline`, which is cheaper.
            report: told how far it is.

        Raises:
            ValueError: the file holds no annotations or something else in their place.
        """
        build = _build_array if arrays else _outline_array
        machine = PickleMachine(_LISTED, PickleWords(build), self._fetched, self._most)
        for number, item in enumerate(self._play(machine, report)):
            if not isinstance(item, dict):
                raise ValueError(
                    f"{self.path}: annotation {number} is a {type(item).__name__}, not a dict with "
                    "frame_dir, label and keypoint; this is no PYSKL annotation file"
                )
            yield item
        if machine.items is None:
            raise ValueError(
                f"{self.path}: holds a {type(machine.root).__name__} without a list 'annotations'; "
                "a PYSKL annotation file is a dict of 'split' and 'annotations', or a list"
            )
        self.splits = _splits(machine.root, self.path)

    def _play(self, machine: PickleMachine, report: Report | None) -> Iterator[Any]:
        with pickle_faults(self.path), self.path.open("rb") as file:
            stream = operations(file, self.size, self._most)
            yield from machine.play(_reporting(stream, file, self.size, report))


def looks_annotated(path: Path, fields: Collection[str]) -> bool:
    """Whether a file begins like a pickle of annotations; nothing further is read.

    Args:
        path: the file.
        fields: names of which the first annotation of a bare list has one first.
    """
    try:
        with path.open("rb") as file:
            beginning = itertools.islice(operations(file, path.stat().st_size), _BEGINNING)
            words = [
                argument if isinstance(argument, str) else operation.name.removeprefix("EMPTY_")
                for operation, argument, _ in beginning
                if isinstance(argument, str) or operation.name.endswith(("DICT", "LIST"))
            ]
    except Exception:  # bytes that are no pickle make pickletools raise almost any exception
        return False
    if words[:1] == ["LIST"]:
        return words[1:2] == ["DICT"] and len(words) > 2 and words[2] in fields
    return words[:1] == ["DICT"] and len(words) > 1 and words[1] in ("split", _LISTED)


def _reporting(
    stream: Iterator[Operation], file: BinaryIO, size: int, report: Report | None
) -> Iterator[Operation]:
    if report is None:
        return stream
    return _reported(stream, file, size, report)


def _reported(
    stream: Iterator[Operation], file: BinaryIO, size: int, report: Report
) -> Iterator[Operation]:
    told = 0
    for count, operation in enumerate(stream):
        if count % _LOOK_EVERY == 0 and file.tell() - told >= size // _REPORTS:
            told = file.tell()
            report(told)
        yield operation
    report(size)


def _splits(root: Any, path: Path) -> dict[str, list[str]]:
    splits = root.get("split", {}) if isinstance(root, dict) else {}
    if not isinstance(splits, dict):
        raise ValueError(
            f"{path}: split is a {type(splits).__name__}, not a dict of lists of sample names"
        )
    for name, samples in splits.items():
        texts = isinstance(samples, list) and all(isinstance(sample, str) for sample in samples)
        if not isinstance(name, str) or not texts:
            raise ValueError(f"{path}: split {name!r} is not a list of sample names")
        if not samples:
            raise ValueError(
                f"{path}: split {name!r} is empty; list the names (frame_dir) of its samples, or "
                "take the split out of the file"
            )
    return splits


def _build_array(content: Any, dtype: Any, shape: Any, order: str) -> npt.NDArray[Any]:
    outline = _outline_array(content, dtype, shape, order)
    built = build_array(content, dtype, outline.shape, order)
    return np.asarray(built)


def _outline_array(content: Any, dtype: Any, shape: Any, _order: str) -> ArrayOutline:
    if not isinstance(dtype, DtypeDescription):
        raise RefusedError("an array without a type")
    if dtype.dtype.hasobject or dtype.dtype.itemsize == 0:
        raise RefusedError(f"an array of type {dtype.dtype.str!r}")
    sizes = shape if isinstance(shape, tuple) else ()
    if len(sizes) > _MOST_AXES or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("an array whose shape is no few whole numbers")
    if not isinstance(content, (str, bytes, bytearray)):
        raise TypeError("an array without bytes")
    if len(content) != math.prod(sizes) * dtype.dtype.itemsize:
        raise ValueError(f"an array of shape {sizes} with {len(content)} bytes")
    return ArrayOutline(sizes, dtype.dtype)
