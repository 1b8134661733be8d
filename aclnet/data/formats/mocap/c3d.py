"""C3D: markers of motion capture in a binary file, read by ezc3d (extra `mocap`).

Sources: Motion Lab Systems, "The C3D file format: user guide", 2021; Michaud and Begon, "ezc3d: an
easy C3D file I/O cross-platform solution for C++, Python and MATLAB", JOSS 2021. Points that the
file lists as angles, forces, moments, powers or scalars are not markers; the signals of force
plates are not read. Markers are joints by their names, or by a table
(`aclnet.data.formats.mocap.markers`).

ezc3d runs on some damaged files without end, or into a fault: it is kept in a process with limits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import first_lines
from aclnet.data.formats.mocap.markers import MarkerOptions, Markers, Upward
from aclnet.data.formats.mocap.motion import LengthUnit, read_motions
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.text import check_regular
from aclnet.skeleton import Layout

NATIVE = 48
"""A point of 8 bytes in the file takes about 250 in ezc3d, and its numbers here 100."""
LIBRARY = "ezc3d"
_ENDING = ".c3d"
_BLOCK = 512
_ORDERS = {84: ("<", 15), 85: ("<", 13), 86: (">", 12)}
"""By the processor in the file: the order of its bytes, and which one has the sign of the scale."""
_NO_MARKERS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")
_LONGEST_REASON = 200


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return any(line[1:2] == "P" for line in first_lines(path, _ENDING))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    markers: str | Path | None = None,
    subject: str = "",
    length_unit: LengthUnit = "auto",
    up: Upward = "auto",
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
        up: the axis that points up, y or z; "auto": as the file says (POINT:Y_SCREEN), else z,
            which the notes say.
        labels: a CSV of the recordings' metadata; without it the names of HDM05 and CMU tell it.

    Raises:
        ValueError: there is no file, ezc3d is not installed, an option does not fit, or a file is
            damaged or has other joints than the first.
    """
    load = MarkerOptions(markers, subject, length_unit, up).loader(_load)
    return read_motions(path, _ENDING, load, layout=layout, labels=labels, progress=progress)


def _load(file: Path) -> Markers:
    try:
        import ezc3d
    except ImportError:
        raise ValueError("is read by ezc3d: install aclnet[mocap]") from None
    _check_whole(file)
    try:
        content = ezc3d.c3d(str(file))
    except Exception as error:  # the library's own, of C++
        raise ValueError(f"not a readable C3D: {str(error)[:_LONGEST_REASON]}") from None
    groups, data = content["parameters"], content["data"]
    point = groups.get("POINT", {})
    labels = _texts(point, "LABELS")
    places = np.moveaxis(data["points"][:3], 0, -1).swapaxes(0, 1).astype(np.float64)
    if len(labels) != places.shape[1]:
        raise ValueError(f"{places.shape[1]} points have {len(labels)} labels")
    residuals = data["meta_points"]["residuals"]
    if residuals.shape[1:] == places.shape[1::-1]:
        places[residuals[0].T < 0] = np.nan
    others = {label for group in _NO_MARKERS for label in _texts(point, group)}
    kept = [column for column, label in enumerate(labels) if label not in others]
    about = content["header"]["points"]
    numbers = max(int(about["first_frame"]), 0) + np.arange(len(places), dtype=np.int64)
    axis = "".join(_texts(point, "Y_SCREEN")).strip("+- ").lower()
    return Markers(
        tuple(labels[column] for column in kept),
        places[:, kept],
        next(iter(_texts(point, "UNITS")), ""),
        axis if axis in ("y", "z") else "",
        float(about["frame_rate"]) or None,
        numbers,
    )


def _check_whole(file: Path) -> None:
    """Refuse a file that ends before its last frame, which the library may not notice."""
    size = check_regular(file)
    with file.open("rb") as stream:
        head = stream.read(_BLOCK)
        stream.seek(max(_BLOCK * (head[0] - 1), 0) + 3 if head else 0)
        processor = stream.read(1)
    order, sign = _ORDERS.get(processor[0] if processor else 0, ("", 0))
    if len(head) < _BLOCK or head[1:2] != b"P" or not order:
        raise ValueError("not a C3D: it has no C3D header; fetch the file again")
    points, signals, first, last = struct.unpack_from(f"{order}4H", head, 2)
    (start,) = struct.unpack_from(f"{order}H", head, 16)
    frames = max(last - first + 1, 0)
    needed = _BLOCK * (start - 1) + frames * (4 * points + signals) * (4 if head[sign] > 127 else 2)
    if size < needed:
        raise ValueError(
            f"{frames} frames of {points} points need {needed:,} bytes, it has {size:,}; the file "
            "was cut off: fetch it again"
        )


def _texts(group: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a parameter, and of those that go on with them where they are more than 255."""
    found: list[str] = []
    for key in (name, *(f"{name}{number}" for number in range(2, 100))):
        if key not in group:
            break
        found += [text for text in group[key]["value"] if isinstance(text, str)]
    return found
