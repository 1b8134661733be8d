"""Ultralytics' text files, `save_txt=True`: one file a frame, `<video>_<frame>.txt`.

Source: `Results.save_txt` of github.com/ultralytics/ultralytics. A line is a person: class, box
(centre, size), then x, y, confidence a joint, all of it 0..1 of the image; then the confidence of
the box where it was asked for (`save_conf`) and the track's id where tracking was on. One number
more that is whole is taken as the id. A frame without people has no file; numbers that lack in the
files' names are kept as gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import Recording, find_frame_folders, first_lines
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.people import PeopleInFrames
from aclnet.data.formats.keypoints.samples import (
    KeypointOptions,
    LabelFrom,
    People,
    keypoint_samples,
)
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout

_LAYOUTS = {(17, 2): ("coco17",)}
_BEFORE = 5  # class and box
_FEWEST = _BEFORE + 2 * 3


def recognises(path: Path) -> bool:
    """Whether it is such a frame, or a folder with one no deeper than four folders down."""
    return any(map(_is_person, first_lines(path, ".txt")))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    people: People = "together",
    persons: int = 2,
    max_gap: int = 30,
    label_from: LabelFrom = "none",
    labels: str | Path | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a folder of frames, or a folder of such folders.

    Args:
        path: the folder, or one frame.
        layout: the joints; COCO-17 by default, which Ultralytics' own pose models have.
        progress: told the recordings read and the recordings there are.
        people: "together" or "apart", see `KeypointOptions`, as for the rest.
        persons: people of a sample.
        max_gap: frames that a person may be away.
        label_from: "none" or "folder".
        labels: a CSV of what is known about the recordings.

    Raises:
        ValueError: there is no file, an option is wrong, or a file is not the format's.
    """
    options = KeypointOptions(people, persons, max_gap, label_from, labels)
    recordings = find_frame_folders(path, ".txt")

    def load(recording: Recording) -> KeypointFrames:
        return _load(recording, layout.joint_count if layout else None)

    return keypoint_samples(
        path, recordings, load, _LAYOUTS, options, layout=layout, progress=progress
    )


def _load(recording: Recording, joints: int | None) -> KeypointFrames:
    frames = PeopleInFrames()
    for file in recording.files:
        frames.add_frame(file.name)
        lines = file.read_text("utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            if line.strip():
                place = f"{file.name}, line {number}"
                row, track = _person(line, joints, f"{file}: line {number}")
                frames.add(file.name, row, place, track)
    return replace(frames.triples(recording.place), unit="normalised")


def _person(line: str, joints: int | None, where: str) -> tuple[list[float], str]:
    """The joints' numbers, and the id or nothing."""
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        raise ValueError(f"{where}: must be numbers apart by spaces, it is {line[:40]!r}") from None
    count = 3 * (joints or (len(values) - _BEFORE) // 3)
    row, rest = values[_BEFORE : _BEFORE + count], values[_BEFORE + count :]
    if len(row) < max(count, 3) or len(rest) > 2:
        raise ValueError(
            f"{where}: {len(values)} numbers are not a class, a box and x, y, confidence of "
            f"{joints or 'some'} joints; name the layout of the file"
        )
    tracked = bool(rest) and rest[-1].is_integer() and (len(rest) == 2 or rest[-1] >= 1)
    return row, f"{rest[-1]:.0f}" if tracked else ""


def _is_person(line: str) -> bool:
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    box = values[1:_BEFORE]
    return len(values) >= _FEWEST and words[0].isdecimal() and all(0 <= v <= 1 for v in box)
