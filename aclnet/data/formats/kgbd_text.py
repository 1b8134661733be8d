"""KGBD's own text files: `PersonNNN/K.txt`, walk K of a person.

Source: Andersson and Araujo, "Person identification using anthropometric and gait data from Kinect
sensor", AAAI 2015; files of github.com/Vortander/KinectGait. A frame is 20 lines `Joint;x;y;z` in
metres (Kinect v1, x right, y up, z depth), about 30 frames per second.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from aclnet.data.formats import Progress, with_progress
from aclnet.data.numbering import Numbers
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.arrays import to_float32
from aclnet.skeleton import Layout, load_layout

_FPS = 30.0
_LINE = re.compile(r"[A-Za-z -]+(;\s*[^;]+){3}\s*\Z")


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most one level down."""
    first = next((file for file in _files(path) if file.stat().st_size), None)
    if first is None:
        return False
    with first.open(encoding="utf-8-sig", errors="replace") as file:
        return bool(_LINE.match(file.readline(1000)))


def read(
    path: Path, *, layout: Layout | None = None, progress: Progress | None = None
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a folder of persons, a person's folder, or one file.

    Args:
        path: the folder or file.
        layout: another layout for the lines of a frame; KGBD's by default.
        progress: called with the number of the file that is read and their total.

    Raises:
        ValueError: there is no text file, or two folders would be one person (015 and Person015);
            while samples are drawn: a file names other joints.
    """
    files = _files(path)
    if not files:
        raise ValueError(f"{path}: contains no PersonNNN/*.txt")
    _check_people(files)
    chosen = layout or load_layout("kgbd20")
    info = StoreInfo.of_file(path, chosen, channels=("x", "y", "z"), unit="metre", fps=_FPS)

    def walks() -> Iterator[Sample]:
        for file in with_progress(files, len(files), progress):
            frames, numbers = _frames(file, chosen, info)
            if len(frames) == 0:
                info.count_dropped("empty sequences")
                continue
            person = file.resolve().parent.name
            key = f"{person}_{file.stem}"
            yield Sample(key, frames, _identity(person), take=file.stem, frame_numbers=numbers)

    return info, walks()


def _identity(folder: str) -> str:
    number = re.fullmatch(r"Person(\d+)", folder)
    return number[1] if number else folder


def _check_people(files: list[Path]) -> None:
    folders: dict[str, str] = {}
    for file in files:
        folder = file.resolve().parent.name
        if (other := folders.setdefault(_identity(folder), folder)) != folder:
            raise ValueError(
                f"{file.parent}: person {_identity(folder)} is folder {other} too; give the "
                "folders of different people different names"
            )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".txt" else []
    files = [*path.glob("*.txt"), *path.glob("*/*.txt")]
    return sorted(files, key=lambda file: (file.parent.name, len(file.stem), file.stem))


def _frames(file: Path, layout: Layout, info: StoreInfo) -> tuple[npt.NDArray[np.float32], Numbers]:
    """The complete frames of a file, (T, 1, V, 3), and their numbers in it (T,).

    A frame starts with a line of the layout's first joint; it is complete if the layout's joints
    follow in their order, each with three numbers.
    """
    joints = layout.joint_count
    if file.stat().st_size == 0:
        return np.zeros((0, 1, joints, 3), np.float32), np.zeros(0, np.int64)
    table = pd.read_csv(
        file,
        sep=";",
        quoting=csv.QUOTE_NONE,
        names=["joint", "x", "y", "z"],
        dtype={"joint": str},
        on_bad_lines="skip",  # a line with more fields leaves its frame one joint short
        encoding_errors="replace",
    )
    places = {name: layout.find(name) for name in table["joint"].dropna().unique()}
    unknown = [name for name, place in places.items() if place is None]
    if unknown and len(unknown) == len(places):
        raise ValueError(
            f"{file}: names joint {unknown[0][:40]!r}, which layout {layout.name} does not have"
        )
    place = table["joint"].map(places).fillna(-1).to_numpy(np.int64)
    columns = [pd.to_numeric(table[axis], errors="coerce") for axis in ("x", "y", "z")]
    values = np.stack([to_float32(column) for column in columns], axis=1)
    frames, numbers = _complete_frames(place, values, joints, info)
    return frames[:, None], numbers


def _complete_frames(
    place: npt.NDArray[np.int64], values: npt.NDArray[np.float32], joints: int, info: StoreInfo
) -> tuple[npt.NDArray[np.float32], Numbers]:
    """The lines of complete frames as (T, V, 3), and their numbers; the others are counted."""
    starts = np.flatnonzero(place == 0)
    lengths = np.diff(np.append(starts, len(place)))
    lines = starts[lengths == joints][:, None] + np.arange(joints)
    in_order = (place[lines] == np.arange(joints)).all(axis=1)
    in_order &= np.isfinite(values[lines]).all(axis=(1, 2))
    frames: npt.NDArray[np.float32] = values[lines[in_order]]
    before = int((place[:1] != 0).any())  # the end of a frame
    numbers = np.flatnonzero(lengths == joints)[in_order].astype(np.int64) + before
    broken = len(starts) + before - len(frames)
    if broken:
        info.count_dropped("broken frames", broken)
    return frames, numbers
