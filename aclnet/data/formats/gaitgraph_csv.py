"""GaitGraph's pose CSV: one row a frame, 17 COCO joints with confidence.

Source: the file layout of github.com/tteepe/GaitGraph (Teepe et al., ICIP 2021). A row is
`folder/SSS-ww-NN-VVV/FRAME.jpg` and 51 numbers: x, y (pixels; small ones are shares of the picture)
and confidence of each joint; SSS subject, ww condition, NN take, VVV view in degrees. Frames come
in the order of their numbers, gaps are not filled, and a repeated frame number replaces the earlier
row. Names are exact: 1 and 001 are two people.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.picture_unit import one_unit
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.table import csv_rows
from aclnet.foreign.arrays import to_float32
from aclnet.skeleton import Layout, canonical_name, load_layout

_CHANNELS = ("x", "y", "confidence")
_JOINTS = 17
_BATCH = 2000
_FRAME = re.compile(r"\d{1,18}")

Key = tuple[str, ...]
"""Subject, condition, take and view, as in the file."""


def recognises(path: Path) -> bool:
    """Whether the file's first line is the format's header."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline(10_000).startswith("image_name,")


def read(
    path: Path, *, layout: Layout | None = None, progress: Progress | None = None
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read the file twice: once to count each sequence's rows, once to yield the sequences.

    Args:
        path: the CSV.
        layout: another layout of 17 joints, COCO-17 by default.
        progress: called with the number of rows read and their total.

    Raises:
        ValueError: the header is not the format's, or the layout has not 17 joints, a row has
            more cells than the header, or a sequence is in two folders (some rows are read while
            samples are drawn); sequences in pixels and in shares of the picture are mixed.
    """
    chosen = layout or load_layout("coco17")
    _check_header(path, chosen)
    info = StoreInfo.of_file(path, chosen, channels=_CHANNELS, unit="pixel")
    unit, sequences = one_unit(
        _sequences(path, info, progress), lambda one: (f"{path}: {one.sample}", one.frames)
    )
    # The copy shares `dropped` with the sequences, which keep counting there.
    return info.model_copy(update={"unit": unit or "pixel"}), sequences


def _sequences(path: Path, info: StoreInfo, progress: Progress | None) -> Iterator[Sample]:
    """Sequences in the order of their first row."""
    left: Counter[Key | None] = Counter()
    folders: dict[Key, str] = {}
    for name, *_ in _rows(path):
        place = _parse_name(name)
        left[place[0] if place else None] += 1
        if place and folders.setdefault(place[0], place[2]) != place[2]:
            raise ValueError(
                f"{path}: sequence {'-'.join(place[0])} is in folder {folders[place[0]]} and in "
                f"{place[2]}; rename one, or convert the folders separately"
            )
    total = left.total()
    open_sequences: dict[Key, dict[int, list[float]]] = {}
    for done, (name, *fields) in enumerate(_rows(path), 1):
        if progress and (done % _BATCH == 0 or done == total):
            progress(done, total)
        place = _parse_name(name)
        if place is None:
            info.count_dropped("rows with an unreadable image name")
            continue
        key, frame, _ = place
        frames = open_sequences.setdefault(key, {})
        values = _parse_values(fields, info)
        if values is not None:
            if frame in frames:
                info.count_dropped("rows replaced by a later row of the same frame")
            frames[frame] = values
        left[key] -= 1
        # From the front, so that the order is that of the first rows.
        while open_sequences and left[first := next(iter(open_sequences))] == 0:
            rows = open_sequences.pop(first)
            if rows:
                yield _sample(first, rows)
            else:
                info.count_dropped("sequences without a readable row")


def _sample(key: Key, rows: dict[int, list[float]]) -> Sample:
    subject, condition, take, view = key
    frames = to_float32([rows[i] for i in sorted(rows)])
    return Sample(
        sample="-".join(key),
        frames=frames.reshape(len(rows), 1, _JOINTS, len(_CHANNELS)),
        identity=subject,
        condition=condition,
        take=take,
        view=view,
        frame_numbers=np.array(sorted(rows), dtype=np.int64),
    )


def _rows(path: Path) -> Iterator[list[str]]:
    """The rows below the header; a broken line spoils no other one."""
    rows = csv_rows(path, errors="replace", quoting=csv.QUOTE_NONE)
    return itertools.islice(rows, 1, None)


def _parse_name(name: str) -> tuple[Key, int, str] | None:
    """The sequence of a row, its frame and its folder; None where the name has another form."""
    folders = name.strip().strip('"').split("/")
    key = tuple(folders[1].split("-")) if len(folders) == 3 else ()
    if len(key) != 4 or not all(text.isdecimal() for text in (key[0], *key[2:])):
        return None
    frame = folders[2].partition(".")[0]
    return (key, int(frame), folders[0]) if _FRAME.fullmatch(frame) else None


def _parse_values(fields: list[str], info: StoreInfo) -> list[float] | None:
    if len(fields) != _JOINTS * len(_CHANNELS):
        info.count_dropped(f"rows without {_JOINTS * len(_CHANNELS)} values")
        return None
    try:
        values = [float(field) for field in fields]
    except ValueError:
        values = [math.nan]
    if not all(map(math.isfinite, values)):
        info.count_dropped("rows with a value that is not a number")
        return None
    return values


def _check_header(path: Path, layout: Layout) -> None:
    if layout.joint_count != _JOINTS:
        raise ValueError(
            f"{path}: the format has {_JOINTS} joints, layout {layout.name} has "
            f"{layout.joint_count}"
        )
    names = [name.strip() for name in next(csv_rows(path, errors="replace"))]
    joints = [canonical_name(name[:-2]) for name in names[1::3] if name.endswith("_x")]
    if len(names) != 1 + _JOINTS * len(_CHANNELS) or len(joints) != _JOINTS:
        raise ValueError(
            f"{path}: the first line must be image_name and {_JOINTS} times <joint>_x,<joint>_y,"
            f"<joint>_conf, it has {len(names)} fields and starts with {names[0]!r}"
        )
    for place, joint in enumerate(joints):
        if layout.find(joint) != place:
            raise ValueError(
                f"{path}: column {1 + 3 * place} is of joint {joint}, layout {layout.name} has "
                f"{layout.joints[place]} there; name a layout with the file's order"
            )
