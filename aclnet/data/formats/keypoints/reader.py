"""The common reader of keypoint files: people followed, gaps kept, metadata by folder or table.

A format of a pose estimator adds which recordings lie at a path, how one of them is loaded, and
which layouts its joints may have.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from aclnet.data.formats import Progress, with_progress
from aclnet.data.formats.keypoints.files import TIME_STEP, IndexArray, Recording
from aclnet.data.formats.keypoints.frames import KeypointFrames, Unit
from aclnet.data.formats.keypoints.joints import LayoutsByCount, choose_joints, unit_of
from aclnet.data.formats.keypoints.labels import NOBODY, PERSON, read_labels
from aclnet.data.formats.keypoints.tracks import (
    Track,
    find_tracks,
    seen_joints,
    track_frames,
    without_twins,
)
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout

People = Literal["together", "apart"]
LabelFrom = Literal["none", "folder"]
NumbersOf = Literal["auto", "frames", "milliseconds"]

_ALL_APART = (
    "no two consecutive frames have a person: the frames between were treated as gaps; if the "
    "frame numbers are times, write 0, 1, 2 instead and give the frame rate"
)
_TRACKING = (
    "the file's ids; without one, the nearest in centre and size, found again after at most "
    "max_gap frames"
)


# Bytes of the samples of a recording, beside those of the people in it.
_MOST_GAPS = 64 << 20
_MOST_GAPS_A_BYTE = 64


@dataclass(frozen=True, kw_only=True)
class KeypointOptions:
    """The options that all keypoint readers have.

    Attributes:
        layout: the joints; by default found by their names in the file, or by their number.
        people: "together" makes one sample a recording with its people side by side, as action
            recognition needs them (NTU: two); "apart" one sample a person, as gait recognition
            does, from the first to the last frame with that person; its key
            `<recording>/person-<track>` is the identity too, unless the table has another.
        persons: M, the number of people in a sample: those with most frames, in that order; with
            fewer people the rest is zeros. With "apart" it is 1.
        max_gap: for how many frames a person without an id may be missing and be found again.
        numbers: what the numbers of frames count, where they rise in steps: "frames" (of the video,
            of which only some are there) or "milliseconds". With "auto" an exact step is of frames
            and a rounded one (33, 34, 33) of times, which the store's notes say.
        label_from: "folder" takes the name of a recording's folder as its label, "none" that of
            the file, if it has one.
        labels: a CSV of the recordings' metadata (`aclnet.data.formats.keypoints.labels`); it
            overrides the folder.

    Raises:
        ValueError: a value is not one of these.
    """

    layout: Layout | None = None
    people: People = "together"
    persons: int = 2
    max_gap: int = 30
    numbers: NumbersOf = "auto"
    label_from: LabelFrom = "none"
    labels: str | Path | None = None

    def __post_init__(self) -> None:
        for name, kind in (("people", People), ("numbers", NumbersOf), ("label_from", LabelFrom)):
            if (value := getattr(self, name)) not in (allowed := get_args(kind)):
                raise ValueError(f"{name} must be {' or '.join(allowed)}, not {value!r}")
        for name, least in (("persons", 1), ("max_gap", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} must be a whole number from {least} on, not {value!r}")

    @property
    def size(self) -> int:
        """M, the people of a sample."""
        return self.persons if self.people == "together" else 1

    def settings(self) -> dict[str, Any]:
        """The options as the store's description has them."""
        return {
            "people": self.people,
            "persons": self.size,
            "tracks": _TRACKING,
            "max_gap": self.max_gap,
            **({} if self.numbers == "auto" else {"numbers": self.numbers}),
            "label_from": self.label_from,
            "labels": Path(self.labels).name if self.labels else "",
        }


class KeypointReader:
    """The `read` of a keypoint format; its signature shows the options.

    Args:
        find: returns the recordings at a path.
        load: reads the people of one recording, with the options.
        by_count: the format's layouts by their number of joints; none where the files name their
            joints.
        options: the class of the options, where the format has more than the common ones.
    """

    def __init__(
        self,
        find: Callable[[Path], list[Recording]],
        load: Callable[[Recording, Any], KeypointFrames],
        by_count: LayoutsByCount = MappingProxyType({}),
        options: type[KeypointOptions] = KeypointOptions,
    ) -> None:
        self._find, self._load, self._by_count, self._options = find, load, by_count, options
        own = inspect.signature(self.__call__).parameters
        known = inspect.signature(options).parameters.values()
        self.__signature__ = inspect.Signature([own["path"], *known, own["progress"]])

    def __call__(
        self, path: Path, *, progress: Progress | None = None, **options: Any
    ) -> tuple[StoreInfo, Iterator[Sample]]:
        """Read a file, or a folder of them, one recording at a time.

        Args:
            path: the file or folder.
            progress: called with the number of the recording and their total.
            **options: those of the options' class.

        Returns:
            The description, and the samples as they are read; channels x, y, [z,] confidence.

        Raises:
            ValueError: an option is wrong, there is no file, no recording has a person, the joints
                belong to no layout or to another, the labels do not fit; while samples are drawn
                also: a file is of another format, or the labels name a person who is not there.
        """
        chosen = self._options(**options)
        recordings: Sequence[Recording] = self._find(path)
        table = read_labels(chosen.labels) if chosen.labels else None
        if table:
            # The table may lie among the files, as a CSV too.
            recordings = [one for one in recordings if not one.place.samefile(table.path)]
            keys = (recording.key for recording in recordings)
            table.check(keys, apart=chosen.people == "apart")
        dropped: Counter[str] = Counter()
        loaded = _with_people(recordings, lambda one: self._load(one, chosen), dropped, progress)
        first = next(loaded, None)
        if first is None:
            raise ValueError(
                f"{path}: nobody was found in any of the {len(recordings)} recordings; check the "
                "pose estimator's input"
            )
        layout, columns = choose_joints(first[1], self._by_count, chosen.layout, first[0].place)
        fitting = (
            (one, _fit(one, found, self._by_count, layout, chosen))
            for one, found in itertools.chain([first], loaded)
        )
        # A recording may say nothing of the unit: only the joints that are left out were seen.
        known: list[tuple[Recording, KeypointFrames]] = []
        while not (known and _unit(known[-1][1])) and (one := next(fitting, None)):
            known.append(one)
        info = _describe(path, first[1], layout, columns, chosen, _unit(known[-1][1]))
        # `_with_people` keeps counting there.
        info = info.model_copy(update={"dropped": dropped})

        def samples() -> Iterator[Sample]:
            made: list[str] = []
            for recording, found in itertools.chain(known, fitting):
                _check_coordinates(recording, found, info)
                for sample in _samples(recording, found, chosen, info):
                    made.append(sample.sample)
                    named = table.fill(sample) if table else sample
                    if table and named.identity == NOBODY:
                        info.count_dropped("samples that the labels leave out")
                    else:
                        yield named
            if table:
                table.check_people(made)

        return info, samples()

    def read_file(self, file: Path, **options: Any) -> tuple[Layout | None, KeypointFrames]:
        """The people of one file as they are found, such as those of a single frame.

        Args:
            file: it.
            **options: as of a whole reading; nobody is followed, and there are no labels.

        Returns:
            The layout, and the people with its joints; None if there is nobody.

        Raises:
            ValueError: an option is wrong, the file is of another format, or its joints fit no
                layout or another.
        """
        chosen = self._options(**options)
        (recording,) = self._find(file)
        found = self._load(recording, chosen)
        if not len(found):
            return None, found
        layout, columns = choose_joints(found, self._by_count, chosen.layout, file)
        return layout, replace(found, points=found.points[:, columns])


def _with_people(
    recordings: Sequence[Recording],
    load: Callable[[Recording], KeypointFrames],
    dropped: Counter[str],
    progress: Progress | None,
) -> Iterator[tuple[Recording, KeypointFrames]]:
    """The recordings with people; joints that were not found are zero in all channels."""
    for recording in with_progress(recordings, len(recordings), progress):
        found = load(recording)
        seen = seen_joints(found.points)
        kept = np.asarray(seen.any(axis=1))
        people = replace(found, points=found.points * seen[..., None]).select(kept)
        once = without_twins(people)
        for reason, count in (
            ("people without a joint", len(found) - len(people)),
            ("people listed twice in a frame", len(people) - len(once)),
            ("recordings without a person", int(len(people) == 0)),
        ):
            if count:
                dropped[reason] += count
        if len(once):
            yield recording, once


def _describe(
    path: Path,
    first: KeypointFrames,
    layout: Layout,
    columns: IndexArray,
    options: KeypointOptions,
    unit: Unit | None,
) -> StoreInfo:
    """The store's description, after its first recording."""
    joints, channels = first.points.shape[1:]
    settings = options.settings()
    if len(columns) < joints:
        settings["joints_left_out"] = joints - len(columns)
    return StoreInfo(
        name=path.resolve().stem,
        layout=layout.to_dict(),
        channels=(*("x", "y", "z")[: channels - 1], "confidence"),
        unit=unit or "normalised",
        source=path.name,
        settings=settings,
    )


def _fit(
    recording: Recording,
    found: KeypointFrames,
    by_count: LayoutsByCount,
    layout: Layout,
    options: KeypointOptions,
) -> KeypointFrames:
    """The people with the store's joints; another recording's names say nothing of these."""
    _, columns = choose_joints(found, by_count, layout, recording.place)
    if not found.joints and options.layout is None:
        own, _ = choose_joints(found, by_count, None, recording.place)
        if own.joints != layout.joints:
            raise ValueError(
                f"{recording.place}: its joints are those of {own.name}, the first recording's "
                f"those of {layout.name}; convert them separately, or name the layout"
            )
    return replace(found, points=found.points[:, columns])


def _unit(found: KeypointFrames) -> Unit | None:
    return found.unit or unit_of(found.points)


def _check_coordinates(recording: Recording, found: KeypointFrames, info: StoreInfo) -> None:
    """Refuse other channels or another unit than the store's.

    In space the range of coordinates alone tells no unit for sure.
    """
    dims = found.points.shape[2] - 1
    unit = _unit(found) if dims == 2 else found.unit
    if dims != info.dims or unit not in (None, info.unit):
        raise ValueError(
            f"{recording.place}: coordinates are {dims}-D and {unit or info.unit}, the first "
            f"recording's {info.dims}-D and {info.unit}; convert them separately"
        )


def _samples(
    recording: Recording, found: KeypointFrames, options: KeypointOptions, info: StoreInfo
) -> Iterator[Sample]:
    tracks = find_tracks(found, options.max_gap)
    numbers, rate, note = _times(found, options.numbers)
    for sentence in (*found.notes, *note):
        info.note(sentence)
    label = recording.folder if options.label_from == "folder" else found.label
    _check_length(recording, found, tracks, options)
    if options.people == "together":
        if len(tracks) > options.persons:
            reason = f"people beyond the {options.persons} seen in most frames"
            info.count_dropped(reason, len(tracks) - options.persons)
        frames = track_frames(
            found, tracks[: options.persons], 0, len(found.numbers), options.persons
        )
        yield Sample(recording.key, frames, label=label, frame_numbers=numbers, fps=rate)
        return
    for track in tracks:
        # An id counts within its file only: identity 1 of one video is another person than identity
        # 1 of the next, so the identity is the whole key.
        key = f"{recording.key}{PERSON}{track.name}"
        start, end = int(found.frame[track.rows[0]]), int(found.frame[track.rows[-1]]) + 1
        frames = track_frames(found, [track], start, end, 1)
        own = numbers[start:end]
        yield Sample(key, frames, identity=key, label=label, frame_numbers=own, fps=rate)


def _check_length(
    recording: Recording, found: KeypointFrames, tracks: Sequence[Track], options: KeypointOptions
) -> None:
    """Refuse samples that would be nearly all gaps, and far larger than the file."""
    frames = len(found.numbers) * options.persons
    if options.people == "apart":
        ends = [found.frame[track.rows[[0, -1]]] for track in tracks]
        frames = sum(int(end - start) + 1 for start, end in ends)
    needed = frames * found.points[:1].nbytes
    if needed > _MOST_GAPS + _MOST_GAPS_A_BYTE * found.points.nbytes:
        raise ValueError(
            f"{recording.place}: people in {len(found)} places, and gaps, would take "
            f"{needed >> 20} MiB; split the recording where nobody is seen for long"
        )


def _times(
    found: KeypointFrames, counted: NumbersOf
) -> tuple[IndexArray, float | None, tuple[str, ...]]:
    """(T,) the frames' numbers, the frames per second where those in the file are times, and notes.

    Times are rounded; an exact step is every so many frames. Milliseconds would be less than a
    frame in four seconds where the file has a smaller unit.
    """
    steps = np.diff(found.numbers)
    count, span = len(steps), int(steps.sum())
    auto = counted == "auto"
    if not count or (auto and span == count):
        apart = np.diff(np.unique(found.frame))
        notes = (_ALL_APART,) if auto and len(apart) > 1 and apart.min() > 1 else ()
        return found.numbers, None, notes
    rise = span / count
    rounded = len(np.unique(steps)) > 1 and steps.min() >= TIME_STEP
    if counted == "frames" or (auto and not rounded):
        note = (
            f"frame numbers increase by {rise:.4g}: read as 1 frame in {rise:.4g} of the video; "
            f"if they are milliseconds ({1000 / rise:.4g} frames per second), set the option "
            "numbers=milliseconds"
        )
        return found.numbers, None, (note,) if auto else ()
    second = next((u for u in (10**3, 10**6) if not auto or span < 4 * u * count), 10**9)
    rate = round(second / rise, 2)
    if abs(span - second * count / round(rate or 1)) <= 1:  # a whole rate, but for the rounding
        rate = float(round(rate))
    note = (
        f"frame numbers increase by {rise:.4g}: read as times, {rate:g} frames per second; if they "
        "count frames, set the option numbers=frames"
    )
    start = round(int(found.numbers[0]) * rate / second)
    numbers = start + np.arange(count + 1, dtype=np.int64)
    return numbers, rate or None, (note,) if auto else ()
