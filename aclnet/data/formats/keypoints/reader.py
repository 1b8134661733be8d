"""How all keypoint readers read: people followed, gaps kept, metadata by folder or by table.

A reader of files that pose estimators write says which recordings lie at a path, how one of them
is loaded, and which layouts its joints may have; the options, and the way from there to samples,
are here.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import IndexArray, Recording
from aclnet.data.formats.keypoints.frames import KeypointFrames
from aclnet.data.formats.keypoints.joints import LayoutsByCount, choose_joints, unit_of
from aclnet.data.formats.keypoints.labels import PERSON, read_labels
from aclnet.data.formats.keypoints.tracks import Track, find_tracks, seen_joints, track_frames
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout

People = Literal["together", "apart"]
LabelFrom = Literal["none", "folder"]

_FLAT = ("x", "y", "confidence")
_SPACE = ("x", "y", "z", "confidence")
_CHOICES = {"people": ("together", "apart"), "label_from": ("none", "folder")}
_TRACKING = (
    "the file's ids; without one, the nearest in centre and size, found again after at most "
    "max_gap frames"
)


@dataclass(frozen=True, kw_only=True)
class KeypointOptions:
    """The options that all keypoint readers have.

    Attributes:
        layout: the joints, where the user names them; else by their names in the file, or by
            their number.
        people: "together" makes one sample a recording with its people side by side, as action
            recognition takes them (NTU: two); "apart" one sample a person, as gait recognition
            does, from the first to the last frame where he is; its key `<recording>/person-<track>`
            is his identity too, unless the table says who he is.
        persons: M, how many people a sample has: those who are there longest, longest first;
            with fewer people the rest is zeros. With "apart" it is 1.
        max_gap: for how many frames a person without an id may be away and be found again.
        label_from: "folder" takes the name of the folder that a recording lies in as its label.
        labels: a CSV of what is known about the recordings
            (`aclnet.data.formats.keypoints.labels`); what it says goes before what the folder says.

    Raises:
        ValueError: a value is not one of these.
    """

    layout: Layout | None = None
    people: People = "together"
    persons: int = 2
    max_gap: int = 30
    label_from: LabelFrom = "none"
    labels: str | Path | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {' or '.join(allowed)}, not {getattr(self, name)!r}")
        for name, least in (("persons", 1), ("max_gap", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} is a whole number from {least} on, not {value!r}")

    @property
    def size(self) -> int:
        """M, the people of a sample."""
        return self.persons if self.people == "together" else 1

    def settings(self) -> dict[str, Any]:
        """What the store says about them."""
        return {
            "people": self.people,
            "persons": self.size,
            "tracks": _TRACKING,
            "max_gap": self.max_gap,
            "label_from": self.label_from,
            "labels": Path(self.labels).name if self.labels else "",
        }


class KeypointReader:
    """The `read` of a keypoint format; its signature shows the options.

    Args:
        find: the recordings at a path.
        load: reads the people of one recording, given the options.
        by_count: the layouts that the format has, by their number of joints; none where the files
            name their joints.
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
            progress: told the recordings read and the recordings there are.
            **options: as the options' class has them.

        Returns:
            The description, and the samples as they are read; channels x, y, [z,] confidence.

        Raises:
            ValueError: an option is wrong, there is no file, nobody is in any recording, the joints
                belong to no layout or to another, the labels do not fit; while samples are drawn
                also: a file is not the format's.
        """
        told = self._options(**options)
        recordings: Sequence[Recording] = self._find(path)
        table = read_labels(told.labels) if told.labels else None
        if table:
            # The table may lie among the files, as a CSV too.
            recordings = [one for one in recordings if not one.place.samefile(table.path)]
            table.check(recording.key for recording in recordings)
        dropped: dict[str, int] = {}
        loaded = _with_people(recordings, lambda one: self._load(one, told), dropped, progress)
        first = next(loaded, None)
        if first is None:
            raise ValueError(
                f"{path}: nobody was found in any of the {len(recordings)} recordings; check the "
                "pose estimator's input"
            )
        layout, columns = choose_joints(first[1], self._by_count, told.layout, first[0].place)
        info = _describe(path, first[1], layout, columns, told)
        # The dict that `_with_people` goes on counting in.
        info = info.model_copy(update={"dropped": dropped})
        samples = (
            sample
            for recording, found in itertools.chain([first], loaded)
            for sample in _samples(
                recording, _fit(recording, found, self._by_count, layout, info), told, info
            )
        )
        return info, (table.fill(sample) for sample in samples) if table else samples


def _describe(
    path: Path, first: KeypointFrames, layout: Layout, columns: IndexArray, options: KeypointOptions
) -> StoreInfo:
    """The store's description, after its first recording."""
    joints, channels = first.points.shape[1:]
    settings = options.settings()
    if len(columns) < joints:
        settings["joints_left_out"] = joints - len(columns)
    return StoreInfo(
        name=path.resolve().stem,
        layout=layout.to_dict(),
        channels=_SPACE if channels == len(_SPACE) else _FLAT,
        unit=first.unit or unit_of(first.points[:, columns]) or "normalised",
        source=path.name,
        settings=settings,
    )


def _with_people(
    recordings: Sequence[Recording],
    load: Callable[[Recording], KeypointFrames],
    dropped: dict[str, int],
    progress: Progress | None,
) -> Iterator[tuple[Recording, KeypointFrames]]:
    """The recordings with somebody in them; joints that were not found are zero in all channels."""
    for number, recording in enumerate(recordings, 1):
        found = load(recording)
        seen = seen_joints(found.points)
        somebody = seen.any(axis=1)
        _count(dropped, "people without a joint", int((~somebody).sum()))
        found = replace(found, points=found.points * seen[..., None]).select(np.asarray(somebody))
        if progress:
            progress(number, len(recordings))
        if len(found):
            yield recording, found
        else:
            _count(dropped, "recordings without a person", 1)


def _fit(
    recording: Recording,
    found: KeypointFrames,
    by_count: LayoutsByCount,
    layout: Layout,
    info: StoreInfo,
) -> KeypointFrames:
    """The people with the store's joints; refused where channels or unit are not the store's."""
    _, columns = choose_joints(found, by_count, layout, recording.place)
    points = found.points[:, columns]
    unit = found.unit or unit_of(points) or info.unit
    if points.shape[2] != len(info.channels) or (unit != info.unit and points.shape[2] == 3):
        raise ValueError(
            f"{recording.place}: coordinates are {points.shape[2] - 1}-D and {unit}, the first "
            f"recording's {info.dims}-D and {info.unit}; convert them apart"
        )
    return replace(found, points=points)


def _samples(
    recording: Recording, found: KeypointFrames, options: KeypointOptions, info: StoreInfo
) -> Iterator[Sample]:
    tracks = find_tracks(found, options.max_gap)
    label = recording.folder if options.label_from == "folder" else ""
    if options.people == "together":
        beyond = len(tracks) - options.persons
        _count(info.dropped, f"people beyond the {options.persons} longest there", max(beyond, 0))
        frames = track_frames(found, tracks[: options.persons], 0, found.length, options.persons)
        yield Sample(recording.key, frames, label=label)
        return
    for track in tracks:
        yield _one_person(recording, found, track, label)


def _one_person(recording: Recording, found: KeypointFrames, track: Track, label: str) -> Sample:
    """A track from its first to its last frame.

    An id counts within its file only: identity 1 of one video is somebody else than identity 1 of
    the next, so the identity is the whole key.
    """
    key = f"{recording.key}{PERSON}{track.name}"
    start, end = int(found.frame[track.rows[0]]), int(found.frame[track.rows[-1]]) + 1
    frames = track_frames(found, [track], start, end, 1)
    return Sample(key, frames, identity=key, label=label)


def _count(dropped: dict[str, int], reason: str, count: int) -> None:
    if count:
        dropped[reason] = dropped.get(reason, 0) + count
