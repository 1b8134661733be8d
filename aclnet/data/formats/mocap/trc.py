"""TRC: markers of motion capture as a table, as of OpenSim and Motion Analysis, one person a file.

Source: OpenSim's documentation, "Marker (.trc) files". Cells are separated by tabs; those of a
marker that was not seen are empty. Frames are counted from 1. Markers are joints by their names, or
by a table (`aclnet.data.formats.mocap.markers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import first_lines
from aclnet.data.formats.mocap.markers import MarkerOptions, Markers, Upward
from aclnet.data.formats.mocap.motion import MOST_JOINTS, LengthUnit, read_motions
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.text import read_text
from aclnet.skeleton import Layout

_ENDING = ".trc"
_HEAD = "PathFileType"
_FIRST_ROW = 5
_LAST_FRAME = 10**15


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return any(line.startswith(_HEAD) for line in first_lines(path, _ENDING))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    markers: str | Path | None = None,
    subject: str = "",
    length_unit: LengthUnit = "auto",
    up: Upward = "y",
    labels: str | Path | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file, or a folder of them.

    Args:
        path: the file or folder.
        layout: the joints to take; by default a shipped layout that has all of the file's.
        progress: called with the number of the file that is read and their total.
        markers: a YAML file of joints and their markers, where markers are not joints themselves.
        subject: whose markers, where a file has several people's.
        length_unit: m, cm, mm, inch or cmu; "auto": as the file says.
        up: the axis that points up in the file, y or z.
        labels: a CSV of the recordings' metadata; without it the names of HDM05 and CMU tell it.

    Raises:
        ValueError: there is no file, an option does not fit, or a file is damaged or has other
            joints than the first.
    """
    load = MarkerOptions(markers, subject, length_unit, up).loader(_load)
    return read_motions(path, _ENDING, load, layout=layout, labels=labels, progress=progress)


def _load(file: Path) -> Markers:
    lines = read_text(file, errors="replace").splitlines()
    if len(lines) < _FIRST_ROW or not lines[0].startswith(_HEAD):
        raise ValueError(f"expected {_HEAD}, then the names and values of the head; no TRC")
    about = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    labels = [cell.strip() for cell in lines[3].split("\t")[2:] if cell.strip()]
    if not 0 < len(labels) <= MOST_JOINTS:
        raise ValueError(f"it has {len(labels)} markers, and 1 to {MOST_JOINTS} are read")
    rows = []
    for number, line in enumerate(lines[_FIRST_ROW:], _FIRST_ROW + 1):
        if line.strip():
            rows.append(_row(line.split("\t"), 2 + 3 * len(labels), number))
    values = np.array(rows).reshape(len(rows), 2 + 3 * len(labels))
    frames = values[:, 0]
    if not ((frames >= 0) & (frames <= _LAST_FRAME) & (frames % 1 == 0)).all():
        raise ValueError("a number of a frame is not a whole number from 0 on")
    numbers = frames.astype(np.int64)
    if (np.diff(numbers) <= 0).any():
        raise ValueError("the frame numbers do not increase; write them in order, each once")
    numbers -= min(1, int(numbers.min(initial=1)))
    places = values[:, 2:].reshape(len(values), len(labels), 3)
    rate = _number(about.get("DataRate", ""))
    fps = None if np.isnan(rate) or rate == 0 else rate
    return Markers(tuple(labels), places, about.get("Units", ""), "y", fps, numbers)


def _row(cells: list[str], width: int, line: int) -> list[float]:
    """The numbers of a line, NaN where a cell is empty."""
    rest = cells[width:]
    if len(cells) < 2 or any(cell.strip() for cell in rest):
        raise ValueError(f"line {line} has {len(cells)} cells, its head {width}")
    try:
        values = [float(cell) if cell.strip() else np.nan for cell in cells[:width]]
    except ValueError:
        raise ValueError(f"line {line} is not of numbers") from None
    return values + [np.nan] * (width - len(values))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
