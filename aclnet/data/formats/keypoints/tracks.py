"""Following people through a video: detections in frames become tracks.

The file's own ids are used where it has them. A person without one is matched to the people of the
frames before, the best pair first: the cost of a pair is how far the centre has moved, in body
sizes, plus how much the size has changed (absolute log ratio); above 1 it is no match. The result
depends on the numbers alone: ties go to the older track and to the person listed first. A person
who is missing for up to `max_gap` frames is found again, after that is a new one.

This simple rule is weaker than a tracker that sees the images (appearance): people who cross may
change their tracks. Where that matters, track in the pose estimator.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.keypoints.files import IndexArray
from aclnet.data.formats.keypoints.frames import BoolArray, KeypointFrames, Points

Floats = npt.NDArray[np.float64]

_WORST_MATCH = 1.0
# Above this share of repeated ids the file's ids are no tracks (AlphaPose without tracking
# gives everybody the same).
_MANY_REPEATED = 0.1


class Track(NamedTuple):
    """One person's detections: name, and row numbers (t,) in the order of their frames."""

    name: str
    rows: IndexArray


def find_tracks(found: KeypointFrames, max_gap: int) -> list[Track]:
    """People followed through a video.

    Args:
        found: D detections ordered by frame, each with a joint that was seen.
        max_gap: for how many frames a person without an id may be missing and be found again.

    Returns:
        The tracks, the one with most frames first; of equals the one that appears first.
    """
    ids = _trusted_ids(found)
    centre, size = _centres_and_sizes(found.points)
    follower = _Follower(centre, size, max_gap, taken=set(ids))
    for frame, group in itertools.groupby(range(len(found)), key=found.frame.tolist().__getitem__):
        rows = list(group)
        for row in rows:
            if ids[row]:
                follower.add(ids[row], row, frame)
        follower.match([row for row in rows if not ids[row]], frame)
    tracks = [Track(name, np.array(rows, np.int64)) for name, rows in follower.rows.items()]
    return sorted(tracks, key=lambda track: -len(track.rows))


def without_twins(found: KeypointFrames) -> KeypointFrames:
    """The detections without those that a frame lists twice, with the same coordinates.

    Two ids that a file gives to one place are two people; a detection without id is neither's.
    """
    mask = np.zeros(len(found), bool)
    names: dict[tuple[int, bytes], set[str]] = {}
    for row in sorted(range(len(found)), key=lambda row: not found.track[row]):
        place = int(found.frame[row]), found.points[row, :, :-1].tobytes()
        there, name = names.setdefault(place, set()), found.track[row]
        mask[row] = name not in there if name else not there
        there.add(name)
    return found.select(mask)


def track_frames(
    found: KeypointFrames, tracks: Sequence[Track], start: int, end: int, persons: int
) -> Points:
    """The frames start..end-1 of tracks; zeros where a person is missing.

    Returns:
        float32 (T, M, V, C), M = persons.
    """
    frames = np.zeros((end - start, persons, *found.points.shape[1:]), np.float32)
    for person, track in enumerate(tracks):
        frames[found.frame[track.rows] - start, person] = found.points[track.rows]
    return frames


def seen_joints(points: Points) -> BoolArray:
    """Which joints were found: (..., V, C) to (..., V).

    A joint without confidence was not, nor was one at an image's very corner, where pose estimators
    put joints that they did not find.
    """
    seen: BoolArray = points[..., -1] > 0
    if points.shape[-1] == 3:
        seen = seen & (points[..., :-1] != 0).any(axis=-1)
    return seen


@dataclass
class _Follower:
    """The tracks so far, and where each was last seen if that is not too long ago."""

    centre: Floats
    size: Floats
    max_gap: int
    taken: set[str]
    rows: dict[str, list[int]] = field(default_factory=dict)
    last_frame: dict[str, int] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, name: str, row: int, frame: int) -> None:
        self.rows.setdefault(name, []).append(row)
        self.last_frame[name] = frame

    def match(self, rows: list[int], frame: int) -> None:
        """Assign each of a frame's people without an id to the nearest track, or a new one."""
        lost = [name for name, last in self.last_frame.items() if frame - last - 1 > self.max_gap]
        for name in lost:
            del self.last_frame[name]
        free = [name for name, last in self.last_frame.items() if last < frame]
        cost = self._costs([self.rows[name][-1] for name in free], rows)
        names: dict[int, str] = {}
        found: set[int] = set()
        near = np.argwhere(cost <= _WORST_MATCH)
        order = np.lexsort((near[:, 1], near[:, 0], cost[tuple(near.T)]))
        for place, column in near[order].tolist():
            if rows[column] not in names and place not in found:
                names[rows[column]] = free[place]
                found.add(place)
                if len(found) == min(cost.shape):
                    break
        for row in rows:
            self.add(names.get(row) or self._new_name(), row, frame)

    def _costs(self, before: Sequence[int], now: Sequence[int]) -> Floats:
        """(B, N) of the last detections of tracks, and detections in this frame."""
        old, new = np.array(before, np.int64)[:, None], np.array(now, np.int64)
        moved = np.linalg.norm(self.centre[new] - self.centre[old], axis=-1)
        ratio = self.size[new] / self.size[old]
        cost: Floats = 2 * moved / (self.size[new] + self.size[old]) + np.abs(np.log(ratio))
        return cost

    def _new_name(self) -> str:
        name = next(text for text in map(str, self.numbers) if text not in self.taken)
        self.taken.add(name)
        return name


def _trusted_ids(found: KeypointFrames) -> list[str]:
    """The file's ids; empty where it has none, or has one twice in a frame."""
    pairs = list(zip(found.frame.tolist(), found.track, strict=True))
    times = Counter(pair for pair in pairs if pair[1])
    repeated = sum(count - 1 for count in times.values())
    only_one = len({name for _, name in times}) == 1
    if repeated > _MANY_REPEATED * len(pairs) or (repeated and only_one):
        return [""] * len(pairs)
    seen: set[tuple[int, str]] = set()
    ids = []
    for pair in pairs:
        ids.append("" if pair in seen else pair[1])
        seen.add(pair)
    return ids


def _centres_and_sizes(points: Points) -> tuple[Floats, Floats]:
    """Of the joints that were seen: the mean (D, dims) and the box's diagonal (D,)."""
    place = points[..., :-1].astype(np.float64)
    seen = seen_joints(points)[..., None]
    centre = (place * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    low = np.where(seen, place, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, place, -np.inf).max(axis=1, initial=-np.inf)
    size = np.linalg.norm(high - low, axis=-1)
    # One joint alone has no size; a tiny one keeps the cost defined and such people apart.
    return centre, np.maximum(size, np.finfo(np.float32).tiny)
