"""Ultralytics' text files, `save_txt=True`: one file a frame, `<video>_<frame>.txt`.

Source: `Results.save_txt` of github.com/ultralytics/ultralytics. A line is a person: class, box
(centre, size), then x, y, confidence a joint, all of it 0..1 of the image; then the confidence of
the box with `save_conf`, and the track's id with tracking. A single number at the end is the id if
it is a whole number from 1 on in all lines of a recording that have it, and no line has both. A
frame without people has no file; missing numbers in the files' names are kept as gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from aclnet.data.formats.keypoints.files import Recording, find_frame_folders, first_lines
from aclnet.data.formats.keypoints.frames import KeypointFrames, PeopleInFrames
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.foreign.text import read_text

_LAYOUTS = {(17, 2): ("coco17",)}
_BEFORE = 5  # class and box
_FEWEST = _BEFORE + 2 * 3


def recognises(path: Path) -> bool:
    """Whether it is such a frame, or a folder with one, at most four folders down."""
    return any(map(_is_person, first_lines(path, ".txt")))


def _load(recording: Recording, options: KeypointOptions) -> KeypointFrames:
    joints = options.layout.joint_count if options.layout else None
    frames = PeopleInFrames()
    ends: list[list[float]] = []
    for file in recording.files:
        frames.add_frame(file.name)
        lines = read_text(file, errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            if line.strip():
                row, end = _person(line, joints, f"{file}: line {number}")
                frames.add(file.name, row, f"{file.name}, line {number}")
                ends.append(end)
    frames.tracks = _tracks(ends)
    return frames.triples(recording.place)


def _person(line: str, joints: int | None, where: str) -> tuple[list[float], list[float]]:
    """The numbers of the joints, and those behind them."""
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        raise ValueError(
            f"{where}: must be numbers separated by spaces, it is {line[:40]!r}"
        ) from None
    count = 3 * (joints or (len(values) - _BEFORE) // 3)
    row, end = values[_BEFORE : _BEFORE + count], values[_BEFORE + count :]
    if len(row) < max(count, 3) or len(end) > 2:
        raise ValueError(
            f"{where}: {len(values)} numbers are not a class, a box and x, y, confidence of "
            f"{joints or 'some'} joints; name the layout of the file"
        )
    return row, end


def _tracks(ends: Sequence[Sequence[float]]) -> list[str]:
    """The id of each line, or an empty text, from the numbers behind the joints of all lines."""
    both = max(map(len, ends), default=0) == 2
    last = [end[-1] if len(end) == 1 + both else None for end in ends]
    ids = [value for value in last if value is not None]
    if not all(value.is_integer() and value >= (0 if both else 1) for value in ids):
        return [""] * len(ends)
    return ["" if value is None else f"{value:.0f}" for value in last]


def _is_person(line: str) -> bool:
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    box = values[1:_BEFORE]
    return len(values) >= _FEWEST and words[0].isdecimal() and all(0 <= v <= 1 for v in box)


read = KeypointReader(partial(find_frame_folders, suffix=".txt"), _load, _LAYOUTS)
"""Read a folder of frames, or a folder of such folders; or one frame.

The joints are COCO-17, which Ultralytics' own pose models have, unless a layout is named.
"""
