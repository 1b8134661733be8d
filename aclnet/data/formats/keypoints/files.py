"""Finding keypoint files: recordings in folders, and frames in the order of their numbers."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

IndexArray = npt.NDArray[np.int64]
Kind = Literal["video", "frame", ""]
"""What a file has: the frames of a video, a single frame, or nothing that would say which."""

_HEAD_LENGTH = 4096
_LONGEST_HEAD = 1 << 24
_HEADS = 20
_LONGEST_HEADER = 100_000
_DEEPEST = 4
# Numbers in names that leave more than this many gaps a frame are times or ids, not frames.
_LONGEST_STEP = 100
# So many frames on a grid of rounded numbers are no chance, as in fewer gaps of 2 or 3 may be.
_FEWEST_ROUNDED = 5
TIME_STEP = 8
"""From this step on rounded numbers are times, such as milliseconds; below, frames of a video."""
# The frames without anybody at the start of a JSON file without white space: in a list as [], null
# or {"frame_id":3,"instances":[]}, in an object each behind the name of its image.
_NOTHING = r"(?:null|\[\]|\[\[\]\]|\{\})"
_KEY = r'"[^"]*":'
_FLAT = rf'{_KEY}(?:-?[\d.]+|"[^"]*"|{_NOTHING})'
_EMPTY = rf"(?:{_NOTHING}|\{{(?:{_FLAT},)*{_KEY}{_NOTHING}(?:,{_FLAT})*\}}),"
_EMPTY_FRAMES = re.compile(
    rf'(\A(?:[\[{{]|{_KEY})*?)(?:(?<=\[)(?:{_EMPTY})+|(?<=\{{)(?:"[^"]*\d[^"]*":{_EMPTY})+)'
)
_WITHOUT_CONTENT = re.compile(r"(?:[\[\]{},]|null)*")
_LONGEST_NAME = 4096  # of an image
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,18})(?:_keypoints)?(?:\.[A-Za-z]\w*)?\Z")


_CAMERA = re.compile(r"(\A|[^A-Za-z])(cam|camera|view|kinect)[_-]?\Z", re.IGNORECASE)
_MOST_CAMERAS, _FEWEST_FRAMES = 4, 10


class Recording(NamedTuple):
    """One video's keypoints on disk.

    Attributes:
        key: its path below the root, without the ending.
        files: in the order of their names.
        folder: the name of the folder that it lies in.
        kind: of the files, where a format has files of both kinds.
        part: its share of the file, where a file holds several recordings; the format's own form.
    """

    key: str
    files: tuple[Path, ...]
    folder: str
    kind: Kind = ""
    part: Any = None

    @property
    def place(self) -> Path:
        """The path in an error message: the file, or the folder of the files."""
        return self.files[0] if len(self.files) == 1 else self.files[0].parent


def natural_order(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that takes digits as numbers: 2.jpg before 12.jpg."""
    parts = re.split(r"(\d+)", text)
    return tuple(
        (1, int(part), "") if part.isdecimal() and len(part) < 1000 else (0, 0, part)
        for part in parts
    )


def frame_numbers(names: Sequence[str]) -> tuple[IndexArray, IndexArray]:
    """The frame of each image name or frame number.

    The number at the end of a name (the last that is not the same in all) is its frame, so a
    missing number is a gap. Numbers with a constant step, exact or rounded (every fifth frame,
    milliseconds), are frames one after another: the step is the frame rate. Names that do not all
    end in a number behind the same text, or whose numbers lie too far apart to count frames (times,
    say), are put in natural order, one frame after another.

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
    parsed = _numbered(distinct)
    numbers = np.array([int(match["number"]) for match in parsed if match], np.int64)
    places = times = np.arange(len(distinct), dtype=np.int64)
    if (
        len(distinct) == len(np.unique(numbers))
        and len({match["prefix"] for match in parsed if match}) == 1
    ):
        step = _constant_step(numbers)
        grid = np.rint((numbers - numbers[0]) / step).astype(np.int64)
        if grid[-1] <= _LONGEST_STEP * len(numbers):
            places = grid
            times = numbers[0] + np.rint(np.arange(grid[-1] + 1) * step).astype(np.int64)
            times[places] = numbers
    frame_of = dict(zip(distinct, places.tolist(), strict=True))
    return np.array([frame_of[name] for name in names], dtype=np.int64), times


def _numbered(names: Sequence[str]) -> list[re.Match[str] | None]:
    """The number at the end of each name, without what all names end in (…_cam2.jpg)."""
    letters = zip(*map(reversed, names), strict=False) if len(names) > 1 else ()
    same = itertools.takewhile(lambda letter: len(set(letter)) == 1, letters)
    end = "".join(letter[0] for letter in same)[::-1].lstrip("0123456789")  # no part of a number
    return [
        _NUMBERED.match(name.removesuffix(end)) if len(name) <= _LONGEST_NAME else None
        for name in names
    ]


def _constant_step(numbers: IndexArray) -> float:
    """The step of rising numbers (N,) that lie on a grid, most of them side by side; else 1."""
    gaps = np.diff(numbers)
    if len(gaps) < 2 or gaps.min() < 2:
        return 1.0
    slack = 1 if gaps.min() >= TIME_STEP or len(numbers) >= _FEWEST_ROUNDED else 0
    counts = np.rint(gaps / gaps[gaps <= gaps.min() + slack].mean())
    offsets, places = numbers[1:] - numbers[0], np.cumsum(counts)
    step = float(offsets[-1] / places[-1])
    on_grid = np.abs(offsets - places * step).max() <= slack
    return step if on_grid and 2 * np.count_nonzero(counts == 1) >= len(gaps) else 1.0


def first_head(path: Path, suffix: str = ".json") -> str:
    """The start of a file, or of a folder's first file with content, without white space.

    Frames without anybody at the start are left out, so that it begins with what says something.
    For `recognises`: it reads no deeper than four folders down.
    """
    return next(filter(None, map(_head, _walk(path, suffix))), "")


def _head(file: Path) -> str:
    head = ""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        for _ in range(_LONGEST_HEAD // _HEAD_LENGTH):
            read = stream.read(_HEAD_LENGTH)
            head = _EMPTY_FRAMES.sub(r"\1", head + "".join(read.split()))
            if not read or len(head) >= _HEAD_LENGTH:
                break
    return "" if _WITHOUT_CONTENT.fullmatch(head) else head


def first_lines(path: Path, suffix: str) -> Iterator[str]:
    """The first line of a file, or of each of a folder's first files, as `first_head`.

    Files without content are passed over.
    """
    return itertools.islice(filter(None, (_line(file) for file in _walk(path, suffix))), _HEADS)


def _line(file: Path) -> str:
    """The first line that is not blank."""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        lines = iter(lambda: stream.readline(_LONGEST_HEADER), "")
        return next((line for line in lines if not line.isspace()), "")


def find_recordings(path: Path, suffixes: tuple[str, ...] = (".json",)) -> list[Recording]:
    """One recording a file: the file itself, or all files of a folder with one of the endings.

    Raises:
        ValueError: there is none.
    """
    files = [file for suffix in suffixes for file in _walk(path, suffix, deepest=None)]
    if not files:
        raise ValueError(
            f"{path}: contains no {' or '.join(suffixes)} file; give the keypoint file or its "
            "folder"
        )
    return [
        Recording(recording_key(path, file.with_suffix("")), (file,), file.resolve().parent.name)
        for file in sorted(files, key=lambda file: natural_order(file.as_posix()))
    ]


def find_frame_folders(path: Path, suffix: str = ".json") -> list[Recording]:
    """Recordings of one file a frame: one recording a folder, or one for each name in a folder.

    `clip_000000000001_keypoints.json` belongs to `clip`, `f_000300_cam2_keypoints.json` to
    `f_cam2`: the frame is the last number that runs, but for a camera's (see `_recording_names`);
    a file whose name has no number is a recording of one frame.

    Raises:
        ValueError: there is no file, it is open which of two numbers counts the frames, or two
            files of a recording have one number.
    """
    if path.is_file():
        return [Recording(path.stem, (path,), path.resolve().parent.name)]
    groups: dict[tuple[Path, str], list[Path]] = {}
    by_folder = itertools.groupby(_walk(path, suffix, deepest=None), lambda file: file.parent)
    for folder, inside in by_folder:
        files = list(inside)
        for file, name in zip(files, _recording_names(files), strict=True):
            groups.setdefault((folder, name), []).append(file)
    if not groups:
        raise ValueError(f"{path}: contains no {suffix} file; give the folder of the frames' files")
    names_in = Counter(folder for folder, _ in groups)
    recordings = []
    for (folder, name), files in groups.items():
        shared = names_in[folder] > 1 and bool(name)
        key = recording_key(path, folder / name if shared else folder)
        place = folder if shared else folder.resolve().parent
        ordered = tuple(sorted(files, key=lambda file: natural_order(file.name)))
        check_one_video((file.name for file in ordered), ordered[0].parent)
        recordings.append(Recording(key, ordered, place.resolve().name))
    return sorted(recordings, key=lambda recording: natural_order(recording.key))


def _recording_names(files: Sequence[Path]) -> list[str]:
    """The recording that each file of a folder is a frame of: its name without the frame's number.

    Of the numbers in names that are alike but for their numbers, the frame is the last one that is
    not the same in all of them, unless a word before it says that it is a camera's; if all are the
    same, the last one.

    Raises:
        ValueError: that number has so few values that it may be a camera's.
    """
    alike: dict[tuple[str, ...], list[int]] = {}
    parts = [re.split(r"(\d{1,18})", re.sub(r"_keypoints\Z", "", file.stem)) for file in files]
    for row, part in enumerate(parts):
        alike.setdefault(tuple(part[::2]), []).append(row)
    names = [file.stem for file in files]
    short: dict[str, set[str]] = defaultdict(set)
    for words, rows in alike.items():
        numbers = np.array([[int(number) for number in parts[row][1::2]] for row in rows])
        free = [place for place in range(len(words) - 1) if not _CAMERA.search(words[place])]
        if not free:
            continue
        runs = [place for place in free if (numbers[:, place] != numbers[0, place]).any()]
        frame = (runs or free)[-1]
        if len(runs) > 1:
            _check_no_camera(numbers[:, runs[-2]], numbers[:, frame], files[rows[0]])
        for row in rows:
            before, after = parts[row][: 2 * frame + 1], "".join(parts[row][2 * frame + 2 :])
            names[row] = "".join(before) + after
            short[names[row]].add("".join(before).rstrip("_-. ") + after)
    # Without the text between name and number where that tells no two names apart (f_1 and f1).
    times = Counter(name for each in short.values() for name in each)
    return [name if times[one := min(short[name] or {name})] > 1 else one for name in names]


def _check_no_camera(before: IndexArray, last: IndexArray, file: Path) -> None:
    """Refuse numbers (N,) of which the last one may be a camera's and the one before a frame's."""
    few, many = np.unique(last), np.unique(before)
    if len(few) <= _MOST_CAMERAS and len(many) >= _FEWEST_FRAMES:
        raise ValueError(
            f"{file}: is its frame {last[0]} or {before[0]}? The last number of such names "
            f"has {len(few)} values, the one before {len(many)}; put each video's files in its own "
            "folder, or write cam before a camera's number"
        )


def find_videos(path: Path, kind_of: Callable[[Path], Kind]) -> list[Recording]:
    """One recording a file, or one a folder if its files are frames.

    The first file that says what it is decides; the format's loader calls `check_kind` with each.

    Args:
        path: a file or folder of JSON files.
        kind_of: the kind of a file.

    Raises:
        ValueError: there is no file.
    """
    recordings = find_recordings(path)
    kinds = (kind_of(recording.place) for recording in recordings)
    kind: Kind = next((one for one in kinds if one), "frame")
    found = recordings if kind == "video" else find_frame_folders(path)
    return [recording._replace(kind=kind) for recording in found]


def check_kind(recording: Recording, file: Path, kind: Kind) -> None:
    """Refuse a file of another kind than its recording's.

    Raises:
        ValueError: it is.
    """
    if kind and kind != recording.kind:
        texts = ("a single frame", "the frames of a video")
        mine, others = texts if kind == "frame" else texts[::-1]
        raise ValueError(
            f"{file}: has {mine}, other files there have {others}; convert them separately"
        )


def check_frames_once(frames: Iterable[str], file: Path) -> None:
    """Refuse a list of frames with one twice, most likely two videos.

    Raises:
        ValueError: there is one.
    """
    frame, count = next(iter(Counter(frames).most_common(1)), ("", 0))
    if count > 1:
        raise ValueError(f"{file}: has frame {frame} {count} times; write a file for each video")


def check_all_numbered(numbered: Iterable[bool], file: Path) -> None:
    """Refuse frames of which only some have a number of their own.

    Raises:
        ValueError: there are.
    """
    if len(set(numbered)) > 1:
        raise ValueError(f"{file}: some frames have a number and others do not; number all or none")


def check_one_folder(images: Iterable[str], file: Path) -> None:
    """Refuse images of several folders or videos, which are several recordings.

    Raises:
        ValueError: there are.
    """
    names = list(images)
    folders = sorted({image.replace("\\", "/").rpartition("/")[0] for image in names})
    if len(folders) > 1:
        raise ValueError(
            f"{file}: has images of {len(folders)} folders, {folders[0] or '(none)'} and "
            f"{folders[1]} among them; write a file for each"
        )
    check_one_video(names, file)


def check_one_video(images: Iterable[str], file: Path) -> None:
    """Refuse images of which several have one number, as those of two videos in a file.

    Raises:
        ValueError: there are.
    """
    first: dict[int, str] = {}
    again: list[tuple[str, str]] = []
    names = list(dict.fromkeys(images))
    for image, match in zip(names, _numbered(names), strict=True):
        if match and (other := first.setdefault(int(match["number"]), image)) != image:
            again.append((other, image))
    # Of names that count nothing two may end alike.
    if len(again) > 1 and len(again) * 3 >= len(first):
        raise ValueError(
            f"{file}: has images {again[0][0]} and {again[0][1]}, which seem to belong to two "
            "videos; write a file for each, or number the images consecutively"
        )


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
            file = Path(folder) / name
            if name.lower().endswith(suffix) and not name.startswith(".") and file.is_file():
                yield file
