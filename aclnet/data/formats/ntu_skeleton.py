"""NTU RGB+D's own text files: `SsssCcccPpppRrrrAaaa.skeleton`, one recording each.

Source: Shahroudy et al., "NTU RGB+D", CVPR 2016, and Liu et al., "NTU RGB+D 120", TPAMI 2019;
Kinect v2, metres, x to the sensor's left, y up, z depth, 30 frames per second.

A file has the number of frames; a frame has the number of bodies; a body has a line of 10 numbers
(its own number first), the number of joints and a line of 12 numbers for each joint: x, y, z
(metres), its place in the depth and the colour image, its orientation and whether it was tracked.
Source: `read_skeleton_file.m` of the data set's authors names the fields.

A Kinect gives a person it lost for a moment a new body, and takes chairs for people, so bodies are
joined into two tracks by the published cleaning; bodies that find no place there are counted. Two
bodies of one frame that share a number are told apart by where each was last. Sources: the noise
filters and their thresholds, Zhang et al., "View adaptive neural networks", TPAMI 2019, whose
scripts most later work uses; the order of the steps, the data preparation of Duan et al., "PYSKL",
ACM MM 2022, which made the published annotation files (`spec/action.md` 4.7).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.class_names import class_names
from aclnet.data.formats import Progress, with_progress
from aclnet.data.missing import ntu_missing, read_names
from aclnet.data.names import RecordingName, parse_ntu
from aclnet.data.numbering import Numbers
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.arrays import to_float32
from aclnet.foreign.text import read_text
from aclnet.skeleton import Layout, load_layout

Benchmark = Literal["ntu60", "ntu120"]
Precision = Literal["float32", "float16"]
FloatArray = npt.NDArray[np.float32]
Name = tuple[str, int]
"""A body's number in the file, and how many others had it before."""
Count = Callable[[str, int], None]

LONGEST_NOISE = 11
"""Frames; of several bodies, those seen for no more than this are noise."""
WIDEST_PERSON = 0.8
"""Width over height; a body is wide in the frames above it."""
WIDE_SHARE = 0.69754
"""Of several bodies, those with at least this share of wide frames are noise."""
_EMPTY = 1e-3
_SPINE_MID = 1
_FPS = 30.0
_BODY_NUMBERS = 10
_JOINT_NUMBERS = 12
_MOST_DIGITS = 10
_MOST_BODIES = 50  # a Kinect follows six


def recognises(path: Path) -> bool:
    """Whether it is a `.skeleton` file, or a folder with one, at most one level down."""
    if path.is_file():
        return path.suffix.lower() == ".skeleton"
    return any(next(path.glob(pattern), None) for pattern in ("*.skeleton", "*/*.skeleton"))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    benchmark: Benchmark | None = None,
    missing: str = "listed",
    persons: int = 2,
    precision: Precision = "float32",
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a folder of recordings, or one, file by file, with the published cleaning.

    Args:
        path: the folder or file.
        layout: another layout for the lines of a body; Kinect v2's 25 joints by default.
        progress: called with the number of the file that is read and their total.
        benchmark: the data set whose classes the labels have; ntu60 drops the actions above 60. By
            default ntu120 if there is such an action, else ntu60.
        missing: "listed" drops the 535 recordings that the data set's authors list, "keep" reads
            them too; the path of a text file drops the names in it besides the 535.
        persons: tracks of a sample, 1 or 2; see `clean_bodies`. An empty track is zero.
        precision: float16 rounds as in the published annotation files.

    Raises:
        ValueError: there is no such file, an option is not one of the above or an action is not
            one of the data set's; while samples are drawn: a file is damaged.
    """
    files = [path] if path.is_file() else [*path.glob("*.skeleton"), *path.glob("*/*.skeleton")]
    files.sort(key=lambda file: file.stem)
    if not files:
        raise ValueError(f"{path}: contains no *.skeleton file")
    _check_options(benchmark, persons, precision)
    left_out = _left_out(missing)
    names = [parse_ntu(file.name) for file in files]
    benchmark = benchmark or _benchmark(files, names, path)
    chosen = layout or load_layout("ntu25")
    labels = class_names(benchmark)
    info = StoreInfo.of_file(
        path,
        chosen,
        channels=("x", "y", "z"),
        unit="metre",
        fps=_FPS,
        # A store with classes has a label for every sample; files with other names have none.
        classes=labels if all(names) else (),
        settings={
            "benchmark": benchmark,
            "missing": missing if missing in ("listed", "keep") else Path(missing).name,
            "persons": persons,
            "precision": precision,
        },
    )

    def recordings() -> Iterator[Sample]:
        for file, name in with_progress(zip(files, names, strict=True), len(files), progress):
            if file.stem in left_out:
                info.count_dropped("recordings listed as without skeleton")
            elif name and name.action > len(labels):
                info.count_dropped(f"recordings of actions above {len(labels)}")
            elif not (found := _read_bodies(file, chosen, info.count_dropped)).bodies:
                info.count_dropped("recordings without a body")
            else:
                tracks, start = _cleaned(found.bodies, info.count_dropped)
                if lost := found.length - len(tracks):
                    info.count_dropped("frames without a person", lost)
                numbers = found.occupied[start : start + len(tracks)]
                if tracks[:, persons:].any():
                    info.count_dropped("second tracks beside the one person asked for")
                tracks = tracks[:, :persons]
                lacking = persons - tracks.shape[1]
                frames = np.pad(tracks, ((0, 0), (0, lacking), (0, 0), (0, 0)))
                label = labels[name.action - 1] if name else ""
                fields = name.fields if name else {}
                made = frames.astype(precision)
                yield Sample(file.stem, made, label=label, frame_numbers=numbers, **fields)

    return info, recordings()


def _left_out(missing: str) -> frozenset[str]:
    if missing == "keep":
        return frozenset()
    return ntu_missing() if missing == "listed" else ntu_missing() | read_names(missing)


def _benchmark(
    files: Sequence[Path], names: Sequence[RecordingName | None], path: Path
) -> Benchmark:
    """ntu60, unless there is an action above 60."""
    largest = len(class_names("ntu120"))
    found: Benchmark = "ntu60"
    for file, name in zip(files, names, strict=True):
        if name and not 1 <= name.action <= largest:
            raise ValueError(
                f"{path}: {file.name} names action {name.action}, NTU RGB+D 120 has 1 to {largest}"
            )
        if name and name.action > len(class_names("ntu60")):
            found = "ntu120"
    return found


def _check_options(benchmark: str | None, persons: int, precision: str) -> None:
    for name, value, known in (
        ("benchmark", benchmark, (None, "ntu60", "ntu120")),
        ("persons", persons, (1, 2)),
        ("precision", precision, ("float32", "float16")),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, not {value!r}")


def _read_bodies(file: Path, layout: Layout, dropped: Count) -> _Bodies:
    """The bodies of one `.skeleton` file in the order of appearance."""
    lines = _Lines(file)
    starts: dict[Name, int] = {}
    frames: dict[Name, list[FloatArray]] = {}
    occupied: list[int] = []
    count = lines.number("the number of frames")
    for frame in range(count):
        bodies = lines.number(f"the number of bodies in frame {frame + 1} of {count}")
        if bodies > _MOST_BODIES:
            raise lines.wrong(f"at most {_MOST_BODIES} bodies in a frame")
        seen: dict[str, list[FloatArray]] = {}
        for _ in range(bodies):
            body = lines.row(_BODY_NUMBERS, "a body")[0]
            joints = lines.number("the number of joints")
            if joints != layout.joint_count:
                raise lines.wrong(f"{layout.joint_count} joints (layout {layout.name})")
            pose = lines.joints(joints)
            if any(np.array_equal(pose, other) for other in seen.get(body, [])):
                dropped("bodies listed twice in a frame", 1)
            else:
                seen.setdefault(body, []).append(pose)
        for body, poses in seen.items():
            for name, pose in zip(_names(body, poses, frames), poses, strict=True):
                starts.setdefault(name, len(occupied))
                frames.setdefault(name, []).append(pose)
        if bodies:
            occupied.append(frame)
    lines.check_end(count)
    found = [Body(start, np.stack(frames[name])) for name, start in starts.items()]
    return _Bodies(found, np.array(occupied, dtype=np.int64), count)


def _names(
    number: str, poses: Sequence[FloatArray], frames: Mapping[Name, Sequence[FloatArray]]
) -> list[Name]:
    """Names of the bodies of one frame that share a number: that of the nearest, or a new one."""
    known = [name for name in frames if name[0] == number]
    pairs = sorted(
        (float(np.abs(pose - frames[name][-1]).sum()), place, name)
        for place, pose in enumerate(poses)
        for name in known
    )
    found: dict[int, Name] = {}
    for _, place, name in pairs:
        if place not in found and name not in found.values():
            found[place] = name
    new = ((number, k) for k in itertools.count(len(known)))
    return [found[place] if place in found else next(new) for place in range(len(poses))]


class _Lines:
    """A file's lines, read one after another; an error names the line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines = read_text(file, errors="replace").rstrip().splitlines()
        self._next = 0

    def number(self, what: str) -> int:
        """The next line as a count."""
        text = self._take(what).strip()
        if not (text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS):
            raise self.wrong(what)
        return int(text)

    def row(self, count: int, what: str) -> list[str]:
        """The words of the next line, `count` of them."""
        words = self._take(what).split()
        if len(words) != count:
            raise self.wrong(f"{count} numbers of {what}")
        return words

    def joints(self, count: int) -> FloatArray:
        """x, y and z of the next lines: (V, 3)."""
        what = "a joint (x, y and z finite)"
        values = []
        for _ in range(count):
            words = self.row(_JOINT_NUMBERS, what)
            try:
                values.append([float(words[0]), float(words[1]), float(words[2])])
            except ValueError:
                raise self.wrong(f"{_JOINT_NUMBERS} numbers of {what}") from None
        joints = to_float32(values)
        if not np.isfinite(joints).all():
            self._next += int(np.isfinite(joints).all(axis=1).argmin()) + 1 - count
            raise self.wrong(f"{_JOINT_NUMBERS} numbers of {what}")
        return joints

    def check_end(self, frames: int) -> None:
        """Refuse lines after the last frame."""
        if self._next < len(self._lines):
            self._next += 1
            raise self.wrong(f"the end of the file after {frames} frames")

    def wrong(self, expected: str) -> ValueError:
        """The error about the line read last."""
        came = "but the file ends there"
        if self._next <= len(self._lines):
            came = f"got {self._lines[self._next - 1].strip()[:60]!r}"
        return ValueError(
            f"{self._file}: line {self._next}: expected {expected}, {came}; fetch the file again, "
            "or leave it out (option missing: a text file with its name)"
        )

    def _take(self, what: str) -> str:
        self._next += 1
        if self._next > len(self._lines):
            raise self.wrong(what)
        return self._lines[self._next - 1]


class Body(NamedTuple):
    """One body that the sensor followed.

    Attributes:
        start: its first frame, counted from 0 over the frames with any body.
        joints: (T, V, 3) metres, its frames one after another. A body that was lost and found again
            under its own number has its frames joined without the gap, as in the published files.
    """

    start: int
    joints: FloatArray

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.start + len(self.joints)


class _Bodies(NamedTuple):
    """The bodies of a file.

    Attributes:
        bodies: in the order of appearance.
        occupied: numbers of the frames with any body, to which `Body.start` is a place.
        length: frames in all.
    """

    bodies: list[Body]
    occupied: Numbers
    length: int


def clean_bodies(bodies: Sequence[Body], count: Count = lambda *_: None) -> FloatArray:
    """The tracks of a recording's people.

    A single body is taken as it is. Of several, (1) the short ones are dropped, (2) the wide ones
    are dropped, (3) the others, those that move most first, go to track 0, or to track 1 where they
    overlap with it in time, or nowhere where they overlap with both, (4) empty frames at both ends
    are cut off, (5) the tracks change places if the first frame is empty in track 0 only.

    A step of (1) and (2) that would leave nobody is skipped; the published script stops there.

    Args:
        bodies: at least one, each with at least one frame, all with V joints.
        count: called with what is left out and how many.

    Returns:
        (T, M, V, 3) float32, M 1 if one body is left before step 3, otherwise 2; zeros where a
        track is empty.

    Raises:
        ValueError: there is no body.
    """
    if not bodies:
        raise ValueError("there is no body to clean")
    return _cleaned(bodies, count)[0]


def _cleaned(bodies: Sequence[Body], count: Count) -> tuple[FloatArray, int]:
    """The tracks, and their first frame, counted over the frames with any body."""
    left = sorted(bodies, key=lambda body: -motion(body.joints))
    if len(left) > 1:
        long = [body for body in left if len(body.joints) > LONGEST_NOISE] or left
        upright = _upright(long) if len(long) > 1 else long
        count(f"bodies in at most {LONGEST_NOISE} frames (noise)", len(left) - len(long))
        count("bodies wider than people (noise)", len(long) - len(upright))
        left = upright
    if len(left) == 1:
        return left[0].joints[:, None], left[0].start
    tracks, placed = _tracks(left)
    count("bodies beyond the 2 tracks that move most", len(left) - placed)
    tracks, start = _trimmed(tracks)
    if len(tracks):
        seen = np.abs(tracks[0, :, _SPINE_MID]).sum(axis=-1) > _EMPTY
        tracks = tracks[:, ::-1] if seen.tolist() == [False, True] else tracks
    return np.ascontiguousarray(tracks), start


def motion(joints: FloatArray) -> float:
    """How much a body moves: the variances of x, y and z over all joints and frames, added up.

    Args:
        joints: (T, V, 3) metres.

    Returns:
        Square metres.
    """
    return float(joints.reshape(-1, joints.shape[-1]).var(axis=0).sum())


def _upright(bodies: list[Body]) -> list[Body]:
    """Without the wide bodies, in a new order: motion in wide frames is not counted."""
    ranked: list[tuple[float, Body]] = []
    for body in bodies:
        width = np.ptp(body.joints[..., 0], axis=1)
        height = np.ptp(body.joints[..., 1], axis=1)
        narrow = width <= WIDEST_PERSON * height
        if 1 - narrow.mean() < WIDE_SHARE:
            ranked.append((min(motion(body.joints), motion(body.joints[narrow])), body))
    ranked.sort(key=lambda pair: -pair[0])
    return [body for _, body in ranked] or bodies


def _tracks(bodies: list[Body]) -> tuple[FloatArray, int]:
    """(T, 2, V, 3) and how many bodies are there.

    The first body opens track 0, each other one goes where the track is free.
    """
    length = max(body.end for body in bodies)
    tracks = np.zeros((length, 2, *bodies[0].joints.shape[1:]), dtype=np.float32)
    first = bodies[0]
    tracks[first.start : first.end, 0] = first.joints
    # Track 1 counts as occupied from frame 0 on, as in the published script, so a body before its
    # first one does not fit there.
    occupied, placed = [(first.start, first.end), (0, 0)], 1
    for body in bodies[1:]:
        for track, (start, end) in enumerate(occupied):
            if max(start, body.start) >= min(end, body.end):
                tracks[body.start : body.end, track] = body.joints
                occupied[track] = (min(start, body.start), max(end, body.end))
                placed += 1
                break
    return tracks, placed


def _trimmed(tracks: FloatArray) -> tuple[FloatArray, int]:
    """Without the empty frames at both ends, and how many were at the first."""
    seen = np.flatnonzero(np.abs(tracks).sum(axis=(1, 2, 3)) >= _EMPTY)
    return (tracks[seen[0] : seen[-1] + 1], int(seen[0])) if len(seen) else (tracks[:0], 0)
