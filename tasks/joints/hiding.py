"""Hides groups of joints for a part of the time, as if a detector had not found them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from aclnet.data.sample import Frames
from aclnet.data.store import Store
from aclnet.runs.windows import window_store
from aclnet.skeleton import Layout

Score = Callable[[Store, Rows], npt.NDArray[np.float64]]
"""A function of W recordings and the number (W,) of the test sample that each one shows: its right
score (W,), NaN where it has none."""

_FRAMES = 2**15
"""Frames of hidden copies that are scored at once; one copy at least."""


@dataclass(frozen=True, eq=False)
class Hiding:
    """What is hidden in turn: each group of joints, and all joints, in each segment of the time.

    Attributes:
        names: of the P groups.
        groups: columns of the joints of each.
        joints: V.
        segments: S, parts of equal length of the recording.
    """

    names: tuple[str, ...]
    groups: tuple[Rows, ...]
    joints: int
    segments: int

    @classmethod
    def of(cls, layout: Layout, by: Literal["part", "joint"], segments: int) -> Hiding:
        """Hide the parts of a layout, or each of its joints.

        Raises:
            ValueError: the layout names no parts.
        """
        if by == "joint":
            groups = tuple(np.array([joint]) for joint in range(layout.joint_count))
            names = tuple(joint.replace("_", " ") for joint in layout.joints)
            return cls(names, groups, layout.joint_count, segments)
        if not layout.parts:
            raise ValueError(f"layout {layout.name} names no parts of the body: set --by joint")
        found = tuple(layout.part_index(part) for part in layout.parts)
        parts = tuple(part.replace("_", " ") for part in layout.parts)
        return cls(parts, found, layout.joint_count, segments)

    @property
    def shape(self) -> tuple[int, int]:
        """Of a sample's scores: P groups and all joints, S segments and the whole time."""
        return len(self.groups) + 1, self.segments + 1

    @property
    def where(self) -> npt.NDArray[np.bool_]:
        """(P + 1, V): the joints of each group, and all joints."""
        where = np.zeros((len(self.groups) + 1, self.joints), dtype=np.bool_)
        for place, group in enumerate(self.groups):
            where[place, group] = True
        where[-1] = True
        return where

    def when(self, length: int) -> npt.NDArray[np.bool_]:
        """(S + 1, T): the frames of each segment of a recording, and all frames.

        Segments of a recording with fewer frames than segments may be empty.
        """
        segment = np.arange(length) * self.segments // max(length, 1)
        parts = segment == np.arange(self.segments)[:, None]
        return np.concatenate([parts, np.ones((1, length), dtype=np.bool_)])


def hidden_scores(
    samples: Store,
    rows: Sequence[int],
    hiding: Hiding,
    score: Score,
    progress: Callable[[int, int], object] | None = None,
) -> npt.NDArray[np.float64]:
    """The right scores of samples with each part hidden in each segment of the time.

    Hidden joints are set to zero in the recording as it is stored, like undetected ones: before
    clips are cut, normalised and turned into streams (as the study of Table IX does).

    Args:
        samples: the test samples.
        rows: N of them.
        hiding: what is hidden in turn.
        score: the right score of recordings; it takes many copies at once.
        progress: called with the samples that are done, and N.

    Returns:
        (N, P + 1, S + 1): a row a group and one of all joints, a column a segment and one of the
        whole time. All joints in the whole time would leave nothing: there nothing is hidden, and
        the score is that of the recording as it is. NaN where a segment shows none of the joints,
        or there is no score.
    """
    found = np.full((len(rows), *hiding.shape), np.nan)
    flat = found.reshape(len(rows), -1)
    for copies, places, cases in _copies(samples, rows, hiding):
        store = window_store(copies, samples.info)
        flat[places, cases] = score(store, np.asarray(rows, dtype=np.int64)[places])
        if progress is not None:
            progress(int(places[-1]) + (cases[-1] == flat.shape[1] - 1), len(rows))
    return found


def _copies(
    samples: Store, rows: Sequence[int], hiding: Hiding
) -> Iterator[tuple[list[Frames], Rows, Rows]]:
    """Copies of samples with the places of their samples among the rows, and of their cases."""
    copies: list[Frames] = []
    of: list[tuple[int, int]] = []
    frames = 0
    for place, row in enumerate(rows):
        clip = samples.clip(row)
        there = (clip != 0).any(axis=(1, 3))
        cases = list(product(hiding.where, hiding.when(len(clip))))
        for case, (joints, times) in enumerate(cases):
            copy = clip.copy()
            if case < len(cases) - 1:
                mask = times[:, None] & joints
                if not (mask & there).any():
                    continue
                copy.transpose(0, 2, 1, 3)[mask] = 0
            copies.append(copy)
            of.append((place, case))
            frames += len(clip)
            if frames >= _FRAMES:
                yield copies, *np.array(of, dtype=np.int64).T
                copies, of, frames = [], [], 0
    if copies:
        yield copies, *np.array(of, dtype=np.int64).T
