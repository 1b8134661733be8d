"""Sequences of f frames, cut from walks as in the released re-identification data.

The data sets of the TranSG family of papers are distributed cut; these are their rules, for whole
recordings (`spec/reid.md`, part a, from the preprocessing scripts of Locality-Awareness-SGE and
TranSG). Other windows: `aclnet.clips.windows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from aclnet.clips.windows import Frames

Border = tuple[int, int]
"""Frames cut off a recording at its beginning and at its end."""


@dataclass(frozen=True)
class CuttingRule:
    """How the recordings of a data set were cut.

    Attributes:
        overlapping: training windows are `overlapping_windows`; all others are adjacent.
        border: frames cut off the recordings of the test sets.
        train_border: frames cut off the recordings of the training set.
    """

    overlapping: bool
    border: Border = (10, 10)
    train_border: Border = (10, 10)


RULES: Mapping[str, CuttingRule] = MappingProxyType(
    {
        "ks20": CuttingRule(overlapping=True, border=(0, 0), train_border=(0, 0)),
        "kgbd": CuttingRule(overlapping=False),
        # The released training script forgets the end of IAS-Lab's recordings.
        "ias": CuttingRule(overlapping=True, train_border=(10, 0)),
        "biwi": CuttingRule(overlapping=True),
    }
)


@dataclass(frozen=True)
class CutSequences:
    """Windows cut from N recordings, and what was left over.

    Attributes:
        owner: the recording of each window, int64 (W,).
        frames: frame numbers within the whole recording, int64 (W, T).
        border_frames: frames cut off at the ends of recordings.
        leftover_frames: further frames that are in no window.
        short_recordings: recordings shorter than a window, which have none.
    """

    owner: Frames
    frames: Frames
    border_frames: int
    leftover_frames: int
    short_recordings: int


def cut_as_released(
    lengths: Frames, frame_count: int, rule: str, *, train: bool, border: Border | None = None
) -> CutSequences:
    """Cut recordings by the rule of a released data set.

    Args:
        lengths: (N,) frames in each recording.
        frame_count: T, frames in a window.
        rule: a key of `RULES`.
        train: whether these are training recordings.
        border: frames cut off at the beginning and the end, in place of the rule's.

    Raises:
        ValueError: the rule is unknown, or a number of frames is too small.

    >>> cut = cut_as_released(np.array([33, 20]), 6, "kgbd", train=False)
    >>> cut.frames.tolist(), cut.leftover_frames, cut.short_recordings
    ([[10, 11, 12, 13, 14, 15], [16, 17, 18, 19, 20, 21]], 1, 1)
    """
    if rule not in RULES:
        raise ValueError(f"no cutting rule {rule!r}; there are {', '.join(RULES)}")
    found = RULES[rule]
    first, last = border or (found.train_border if train else found.border)
    if frame_count < 1 or min(first, last) < 0:
        raise ValueError(
            "a window must have at least 1 frame and a border at least 0, got "
            f"{frame_count} and {first}, {last}"
        )
    lengths = np.asarray(lengths, dtype=np.int64)
    inner = np.maximum(lengths - first - last, 0)
    if found.overlapping and train:
        owner, frames = overlapping_windows(inner, frame_count)
    else:
        owner, frames = whole_windows(inner, frame_count)
    begins = np.cumsum(inner) - inner
    used = np.unique(begins[owner][:, None] + frames)
    return CutSequences(
        owner=owner,
        frames=frames + first,
        border_frames=int((lengths - inner).sum()),
        leftover_frames=int(inner.sum()) - len(used),
        short_recordings=int((inner < frame_count).sum()),
    )


def whole_windows(lengths: Frames, frame_count: int) -> tuple[Frames, Frames]:
    """Adjacent windows from a recording's first frame on; the remainder is left out.

    Unlike in `aclnet.clips.windows.sliding_windows` a recording shorter than a window has none.

    Args:
        lengths: (N,) frames in each recording.
        frame_count: T, frames in a window.

    Returns:
        The recording of each window (W,), and its frames (W, T); both int64.

    >>> whole_windows(np.array([5, 1]), 2)[1].tolist()
    [[0, 1], [2, 3]]
    """
    return _cut(lengths[None], np.zeros(1, dtype=np.int64), frame_count, frame_count)


def overlapping_windows(lengths: Frames, frame_count: int) -> tuple[Frames, Frames]:
    """Half-overlapping windows from each of the first T frames on.

    All recordings are cut from frame 0, then all from frame 1, and so on. Every run of T frames
    occurs, most of them twice, as in the released files.

    Args:
        lengths: (N,) frames in each recording.
        frame_count: T, frames in a window.

    Returns:
        The recording of each window (W,), and its frames (W, T); both int64, in that order.

    >>> overlapping_windows(np.array([4, 2]), 2)[1].tolist()
    [[0, 1], [1, 2], [2, 3], [0, 1], [1, 2], [2, 3]]
    """
    offsets = np.arange(frame_count, dtype=np.int64)
    return _cut(lengths[None] - offsets[:, None], offsets, frame_count, max(frame_count // 2, 1))


def _cut(left: Frames, offsets: Frames, frame_count: int, stride: int) -> tuple[Frames, Frames]:
    """Whole windows from each of the offsets (S,), where recordings have `left` (S, N) frames."""
    counts = np.where(left >= frame_count, (left - frame_count) // stride + 1, 0).reshape(-1)
    place = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    number = np.arange(len(place), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = offsets[place // left.shape[1]] + stride * number
    return place % left.shape[1], starts[:, None] + np.arange(frame_count, dtype=np.int64)
