"""Finding keypoint files: recordings in folders, and frames in the order of their numbers."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IndexArray = npt.NDArray[np.int64]

_HEAD_BYTES = 4096
_HEADS = 20
_LONGEST_HEADER = 100_000
_DEEPEST = 4
# Numbers in names that leave more than this many gaps a frame are times or ids, not frames.
_LONGEST_STEP = 100
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,18})(?:_keypoints)?(?:\.[A-Za-z]\w*)?\Z")


class Recording(NamedTuple):
    """One video's keypoints on disk.

    Attributes:
        key: its path below the root, without the ending.
        files: in the order of their names.
        folder: the name of the folder that it lies in.
    """

    key: str
    files: tuple[Path, ...]
    folder: str

    @property
    def place(self) -> Path:
        """The path in an error message: the file, or the folder of the files."""
        return self.files[0] if len(self.files) == 1 else self.files[0].parent


def natural_order(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that takes digits as numbers: 2.jpg before 12.jpg."""
    parts = re.split(r"(\d+)", text)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)


def frame_numbers(names: Sequence[str]) -> tuple[IndexArray, IndexArray]:
    """The frame of each image name or frame number.

    The number at the end of a name is its frame, so a missing number is a gap. Names that do not
    all end in a number behind the same text, or whose numbers lie too far apart to count frames
    (times, say), are put in natural order, one frame after another.

    Args:
        names: as in the file; a name may occur more than once.

    Returns:
        0-based frame of each name (N,), and the number of each of the T frames in the recording
        (T,): from 0 on where the names are only put in order.

    >>> frames, numbers = frame_numbers(["305.jpg", "302.jpg", "303.jpg"])
    >>> frames.tolist(), numbers.tolist()
    ([3, 0, 1], [302, 303, 304, 305])
    """
    if not names:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    distinct = sorted(set(names), key=lambda name: (natural_order(name), name))
    parsed = [_NUMBERED.match(name) for name in distinct]
    numbers = [int(match["number"]) for match in parsed if match]
    places = {name: place for place, name in enumerate(distinct)}
    first = 0
    if (
        len(numbers) == len(distinct) == len(set(numbers))
        and len({match["prefix"] for match in parsed if match}) == 1
        and max(numbers) - min(numbers) <= _LONGEST_STEP * len(numbers)
    ):
        first = min(numbers)
        places = {name: number - first for name, number in zip(distinct, numbers, strict=True)}
    frames = np.array([places[name] for name in names], dtype=np.int64)
    return frames, first + np.arange(max(places.values()) + 1, dtype=np.int64)


def first_head(path: Path, suffix: str = ".json") -> str:
    """The start of a file, or of a folder's first file with content, without white space.

    For `recognises`: it reads up to 20 files, no deeper than four folders down.
    """
    for file in itertools.islice(_walk(path, suffix), _HEADS):
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace")
        compact = "".join(head.split())
        if compact not in ("", "[]", "{}"):
            return compact
    return ""


def first_lines(path: Path, suffix: str) -> Iterator[str]:
    """The first line of a file, or of each of a folder's first files, as `first_head`."""
    for file in itertools.islice(_walk(path, suffix), _HEADS):
        with file.open(encoding="utf-8-sig", errors="replace") as stream:
            yield stream.readline(_LONGEST_HEADER)


def find_recordings(path: Path, suffixes: tuple[str, ...] = (".json",)) -> list[Recording]:
    """One recording a file: the file itself, or all files of a folder with one of the endings.

    Raises:
        ValueError: there is none.
    """
    files = [file for suffix in suffixes for file in _walk(path, suffix, deepest=None)]
    if not files:
        raise ValueError(
            f"{path}: no {' or '.join(suffixes)} file there; give the keypoint file or its folder"
        )
    return [
        Recording(recording_key(path, file.with_suffix("")), (file,), file.resolve().parent.name)
        for file in sorted(files, key=lambda file: natural_order(file.as_posix()))
    ]


def find_frame_folders(path: Path, suffix: str = ".json") -> list[Recording]:
    """Recordings of one file a frame: one recording a folder, or one for each name in a folder.

    `clip_000000000001_keypoints.json` belongs to `clip`; a file whose name ends in no number is a
    recording of one frame.

    Raises:
        ValueError: there is no file.
    """
    if path.is_file():
        return [Recording(path.stem, (path,), path.resolve().parent.name)]
    groups: dict[tuple[Path, str], list[Path]] = {}
    for file in _walk(path, suffix, deepest=None):
        match = _NUMBERED.match(file.name)
        name = match["prefix"] if match else file.stem
        groups.setdefault((file.parent, name.rstrip("_-. ")), []).append(file)
    if not groups:
        raise ValueError(f"{path}: no {suffix} file there; give the folder of the frames' files")
    names_in = Counter(folder for folder, _ in groups)
    recordings = []
    for (folder, name), files in groups.items():
        shared = names_in[folder] > 1 and bool(name)
        key = recording_key(path, folder / name if shared else folder)
        inside = folder if shared else folder.resolve().parent
        ordered = tuple(sorted(files, key=lambda file: natural_order(file.name)))
        recordings.append(Recording(key, ordered, inside.resolve().name))
    return sorted(recordings, key=lambda recording: natural_order(recording.key))


def find_videos(path: Path, is_video: Callable[[Path], bool], first: int = 20) -> list[Recording]:
    """One recording a file, or one a folder if its files are frames.

    Args:
        path: a file or folder of JSON files.
        is_video: whether a file has the frames of a video, not a single one.
        first: the number of files to ask; those of the first frames may all be empty.

    Raises:
        ValueError: there is no file.
    """
    recordings = find_recordings(path)
    videos = any(is_video(recording.place) for recording in recordings[:first])
    return recordings if videos else find_frame_folders(path)


def recording_key(root: Path, place: Path) -> str:
    """A recording's key: its path below the root, or its own name where it is the root."""
    inner = place.relative_to(root).as_posix() if place.is_relative_to(root) else "."
    return place.resolve().name if inner == "." else inner


def _walk(path: Path, suffix: str, deepest: int | None = _DEEPEST) -> Iterator[Path]:
    if path.is_file():
        if path.suffix.lower() == suffix:
            yield path
        return
    for folder, folders, names in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts)
        folders[:] = [] if deepest is not None and depth >= deepest else sorted(folders)
        for name in sorted(names):
            if name.lower().endswith(suffix) and not name.startswith("."):
                yield Path(folder) / name
