"""The files of one set of released re-identification windows: which they are, and whose they are.

A folder holds the coordinates of N windows of f frames, `source_{x,y,z}_<SET>_<f>.npy` of shape
(N*f, V) each (in test folders with `t_` before), `ids_<SET>_<f>.npy`, a pickled dict from label to
window numbers, and `frame_id_<SET>_<f>.npy`, (N,) labels: of windows, despite its name. The reader
is `aclnet.data.formats.transg.reader`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.pickles.unpickle import as_array, loaded_npy

AXES = ("x", "y", "z")
_NAME = re.compile(r"(?:t_)?(source_[xyz]|ids|frame_id)_(.+)_(\d+)\.npy\Z")


@dataclass(frozen=True)
class WindowFiles:
    """The windows of one folder, coordinates still on disk.

    Attributes:
        folder: where they lie.
        dataset: what the file names call the data set.
        frame_count: f, frames in a window.
        coordinates: the x, y and z files, each (N*f, V), memory-mapped.
        labels: who is seen in each window, (N,).
    """

    folder: Path
    dataset: str
    frame_count: int
    coordinates: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
    labels: tuple[str, ...]

    @property
    def joint_count(self) -> int:
        """V, the number of joints."""
        return int(self.coordinates[0].shape[1])

    def window(self, number: int) -> npt.NDArray[np.float32]:
        """One window, (f, V, 3).

        Raises:
            ValueError: a coordinate is not finite.
        """
        rows = slice(number * self.frame_count, (number + 1) * self.frame_count)
        frames = np.stack([axis[rows] for axis in self.coordinates], axis=-1).astype(np.float32)
        bad = np.argwhere(~np.isfinite(frames))
        if len(bad):
            frame, joint, axis = bad[0].tolist()
            raise ValueError(
                f"{self.folder}: {AXES[axis]} of joint {joint} in frame {frame} of window {number} "
                f"(row {rows.start + frame} of the file) is not a finite number; cut the windows "
                "again without the frames whose joints were not found"
            )
        return frames


def open_window_files(folder: Path) -> WindowFiles:
    """Open a folder's files and check them against each other; coordinates are not read.

    Raises:
        ValueError: a file is missing, damaged or refused, shapes differ, or the ids contradict the
            coordinates or each other.
    """
    dataset, frame_count, files = _files(folder)
    arrays = [_coordinates(files[f"source_{axis}"]) for axis in AXES]
    for axis, array in zip(AXES[1:], arrays[1:], strict=True):
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"{files[f'source_{axis}']}: {axis} has shape {array.shape}, x has "
                f"{arrays[0].shape}; take all three from the same download"
            )
    rows = arrays[0].shape[0]
    if rows % frame_count:
        raise ValueError(
            f"{files['source_x']}: {rows} rows are no whole number of windows of {frame_count} "
            "frames; the number in the file's name must be the frames of a window"
        )
    labels = _labels(files, rows // frame_count)
    return WindowFiles(folder, dataset, frame_count, (arrays[0], arrays[1], arrays[2]), labels)


def _files(folder: Path) -> tuple[str, int, Mapping[str, Path]]:
    """The data set's name, f, and the five files by kind."""
    found: dict[tuple[str, int], dict[str, Path]] = {}
    for file in sorted(folder.glob("*.npy")):
        if match := _NAME.match(file.name):
            kind, dataset, frames = match[1], match[2], int(match[3])
            found.setdefault((dataset, frames), {})[kind] = file
    if len(found) != 1:
        names = ", ".join(f"{dataset}_{frames}" for dataset, frames in found)
        raise ValueError(
            f"{folder}: has files of {names}; keep each in a folder of its own"
            if found
            else f"{folder}: has no source_x_<SET>_<f>.npy; download or unpack the folder again"
        )
    ((dataset, frames), files) = found.popitem()
    wanted = (*(f"source_{axis}" for axis in AXES), "ids", "frame_id")
    missing = [kind for kind in wanted if kind not in files]
    if missing:
        raise ValueError(
            f"{folder}: has no {missing[0]}_{dataset}_{frames}.npy beside "
            f"{', '.join(file.name for file in files.values())}; download or unpack the folder "
            "again"
        )
    if frames < 1:
        raise ValueError(f"{files['source_x']}: its name says windows of {frames} frames")
    return dataset, frames, files


def _coordinates(file: Path) -> npt.NDArray[Any]:
    with loaded_npy(file) as array:
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            kind = "objects" if array.dtype.hasobject else array.dtype
            raise ValueError(
                f"{file}: coordinates must be numbers of shape (windows * frames, joints), it "
                f"holds {kind} of shape {array.shape}; take the file from the download again"
            )
        return array


def _labels(files: Mapping[str, Path], count: int) -> tuple[str, ...]:
    """Who is in each of the N windows, as both files say.

    Raises:
        ValueError: a window is nobody's or several people's, or the files contradict each other.
    """
    labels: list[str | None] = [None] * count
    for label, windows in _claims(files["ids"]).items():
        for window in windows:
            if not 0 <= window < count:
                raise _disagrees(
                    files["ids"], f"{label!r} has window {window}, and there are {count} windows"
                )
            if labels[window] is not None:
                raise _disagrees(
                    files["ids"],
                    f"window {window} belongs to {labels[window]!r} and to {label!r}"
                    if labels[window] != label
                    else f"{label!r} has window {window} twice",
                )
            labels[window] = label
    if None in labels:
        raise _disagrees(files["ids"], f"window {labels.index(None)} of {count} belongs to nobody")
    known = tuple(str(label) for label in labels)
    _check_same(known, files)
    return known


def _claims(file: Path) -> dict[str, list[int]]:
    """The dict from label to window numbers."""
    claims: dict[str, list[int]] = {}
    with loaded_npy(file) as array:
        lone = array.item() if array.size == 1 else array
        if not isinstance(lone, dict):
            raise ValueError(
                f"{file}: must hold one dict from label to window numbers, it holds "
                f"{type(lone).__name__}; take the file from the download again"
            )
        for key, windows in lone.items():
            label, numbers = _text(key, file), _whole_numbers(windows)
            if numbers is None:
                raise ValueError(
                    f"{file}: the window numbers of {label!r} must be a list of whole numbers; "
                    "take the file from the download again"
                )
            claims.setdefault(label, []).extend(numbers)
    return claims


def _whole_numbers(value: Any) -> list[int] | None:
    """The value as a list, if it is one whole number or a plain list of them."""
    try:
        numbers = as_array(value)
    except ValueError:  # lists of different lengths
        return None
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        return None
    return [int(number) for number in numbers]


def _check_same(labels: tuple[str, ...], files: Mapping[str, Path]) -> None:
    with loaded_npy(files["frame_id"]) as array:
        told = [_text(label, files["frame_id"]) for label in array.reshape(-1).tolist()]
    if len(told) != len(labels):
        raise _disagrees(
            files["frame_id"],
            f"has {len(told)} labels for {len(labels)} windows (it must have one a window)",
        )
    for window, (ours, theirs) in enumerate(zip(labels, told, strict=True)):
        if ours != theirs:
            raise _disagrees(
                files["frame_id"],
                f"window {window} shows {theirs!r}, {files['ids'].name} says {ours!r}",
            )


def _disagrees(file: Path, problem: str) -> ValueError:
    return ValueError(f"{file}: {problem}; take all files from the same download")


def _text(label: Any, file: Path) -> str:
    """A label as text; 7, 7.0 and "7" are the same person."""
    if isinstance(label, bytes):
        return label.decode("latin1")
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    if label is None or isinstance(label, (str, int, float, np.generic)):
        return str(label)
    raise ValueError(
        f"{file}: a label must be a text or a number, one is a {type(label).__name__}; take the "
        "file from the download again"
    )
