"""Following people through a video: detections in frames become tracks.

The file's own ids are used where it has them. A person without one is matched to the people of the
frames before, the best pair first: the cost of a pair is how far the centre has moved, in body
sizes, plus how much the size has changed (absolute log ratio); above 1 it is not a match. The
result depends on the numbers alone: ties go to the older track and to the person listed first. A
person who is missing for up to `max_gap` frames is found again, after that is a new one.

This simple rule is weaker than a tracker that sees the images (appearance): people who cross may
change their tracks. Where that matters, track in the pose estimator.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.formats.keypoints.files import IndexArray
from aclnet.data.formats.keypoints.frames import BoolArray, KeypointFrames, Points

Floats = npt.NDArray[np.float64]

_WORST_MATCH = 1.0
# Above this share of repeated ids the file's ids are not tracks (AlphaPose without tracking
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
    centre, size = centres_and_sizes(found.points)
    follower = Follower(max_gap, taken=set(ids))
    found_rows: dict[str, list[int]] = {}
    for frame, group in itertools.groupby(range(len(found)), key=found.frame.tolist().__getitem__):
        rows = list(group)
        here = [ids[row] for row in rows]
        for row, name in zip(
            rows, follower.follow(frame, here, centre[rows], size[rows]), strict=True
        ):
            found_rows.setdefault(name, []).append(row)
    tracks = [Track(name, np.array(rows, np.int64)) for name, rows in found_rows.items()]
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


class Follower:
    """Follows people from frame to frame; it knows only who was seen in the last frames.

    Args:
        max_gap: for how many frames a person without an id may be missing and be found again.
        taken: names that new tracks do not get.
        names: those that they get; by default 1, 2, ...
    """

    def __init__(
        self, max_gap: int, taken: Iterable[str] = (), names: Iterator[str] | None = None
    ) -> None:
        self._max_gap = max_gap
        fresh = map(str, itertools.count(1)) if names is None else names
        there = set(taken)
        self._names = (name for name in fresh if name not in there)
        self._last: dict[str, tuple[int, Floats, float]] = {}

    def follow(self, frame: int, ids: Sequence[str], centre: Floats, size: Floats) -> list[str]:
        """The tracks of a frame's people.

        Args:
            frame: its number, above that of the frame before.
            ids: N ids; empty texts for people without one, who get the nearest track, or a new one.
            centre: (N, dims) as of `centres_and_sizes`.
            size: (N,).
        """
        names = list(ids)
        for name in [one for one, at in self._last.items() if frame - at[0] - 1 > self._max_gap]:
            del self._last[name]
        nameless = [row for row, name in enumerate(names) if not name]
        free = [name for name in self._last if name not in names] if nameless else []
        cost = self._costs(free, centre[nameless], size[nameless])
        found: set[int] = set()
        near = np.argwhere(cost <= _WORST_MATCH)
        order = np.lexsort((near[:, 1], near[:, 0], cost[tuple(near.T)]))
        for place, column in near[order].tolist():
            if not names[nameless[column]] and place not in found:
                names[nameless[column]] = free[place]
                found.add(place)
                if len(found) == min(cost.shape):
                    break
        for row, name in enumerate(names):
            names[row] = name or next(self._names)
            self._last[names[row]] = frame, centre[row], float(size[row])
        return names

    def _costs(self, tracks: Sequence[str], centre: Floats, size: Floats) -> Floats:
        """(B, N) of where tracks were last seen, and people in this frame."""
        if not tracks:
            return np.zeros((0, len(size)))
        last = [self._last[name] for name in tracks]
        old, former = np.array([at[1] for at in last])[:, None], np.array([[at[2]] for at in last])
        moved = np.linalg.norm(centre - old, axis=-1)
        cost: Floats = 2 * moved / (size + former) + np.abs(np.log(size / former))
        return cost


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


def centres_and_sizes(points: Points) -> tuple[Floats, Floats]:
    """Of the joints that were seen: the mean (D, dims) and the box's diagonal (D,)."""
    place = points[..., :-1].astype(np.float64)
    seen = seen_joints(points)[..., None]
    centre = (place * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    low = np.where(seen, place, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, place, -np.inf).max(axis=1, initial=-np.inf)
    size = np.linalg.norm(high - low, axis=-1)
    # One joint alone has no size; a tiny one keeps the cost defined and such people apart.
    return centre, np.maximum(size, np.finfo(np.float32).tiny)
