"""Uniform sampling: clips that span a whole recording, one frame of each of its parts.

PYSKL's sampler, as the ACLNet release uses it (there with p_interval 1, so that a clip spans all of
a recording). `released_frames` draws as the release does, from NumPy's legacy generator, one
recording at a time; `uniform_frames` has the same distribution, for a whole batch at once.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.int64]
Places = npt.NDArray[np.float64]
"""Places between frames: 2.25 lies a quarter of the way from frame 2 to frame 3."""

Rule = Literal["decode", "frames"]

RELEASED_TEST_SEED = 255
"""The release seeds its generator with this before every recording of a test."""


def uniform_frames(lengths: Frames, clip_frames: int, generator: np.random.Generator) -> Frames:
    """One random clip a recording, over all of it.

    With T frames in a clip and L in the recording: for L < T, consecutive frames from a random
    start, continuing at frame 0; for T <= L < 2 T, all frames but L - T random ones; for L >= 2 T,
    a random frame of each of T equal parts.

    Args:
        lengths: (N,) frames in each recording, at least 1.
        clip_frames: T.
        generator: draws.

    Returns:
        (N, T) int64 frame numbers.
    """
    step = np.arange(clip_frames, dtype=np.int64)
    length = lengths[:, None]
    start = np.floor(generator.random((len(lengths), 1)) * length).astype(np.int64)
    wrapped = (start + step) % length
    # Ranks of random numbers: the first L - T of T + 1 places, without replacement.
    rank = generator.random((len(lengths), clip_frames + 1)).argsort(axis=1).argsort(axis=1)
    skipped = np.cumsum(rank < length - clip_frames, axis=1)[:, :-1]
    bounds = np.arange(clip_frames + 1, dtype=np.int64) * length // clip_frames
    within = generator.random((len(lengths), clip_frames)) * np.diff(bounds, axis=1)
    segments = bounds[:, :-1] + np.floor(within).astype(np.int64)
    long = np.where(length < 2 * clip_frames, step + skipped, segments)
    return np.where(length < clip_frames, wrapped, long)


def stretched_frames(lengths: Frames, clip_frames: int, phase: npt.ArrayLike) -> Frames:
    """A frame of each of T equal parts; shorter recordings are slowed down, not repeated.

    Args:
        lengths: (N,) frames in each recording.
        clip_frames: T.
        phase: place within the parts, from 0 to below 1; broadcast to (N, T).

    Returns:
        (N, T) int64, never decreasing.

    >>> stretched_frames(np.array([2, 8]), 4, 0.5).tolist()
    [[0, 0, 1, 1], [1, 3, 5, 7]]
    """
    place = (np.arange(clip_frames) + np.asarray(phase)) * (lengths[:, None] / clip_frames)
    frames: Frames = np.minimum(np.floor(place).astype(np.int64), lengths[:, None] - 1)
    return frames


def resized_places(lengths: Frames, clip_frames: int) -> Places:
    """The middles of T equal parts, as places between frames (half-pixel centres).

    Linear interpolation there is that of `torch.nn.functional.interpolate` without
    `align_corners`, with which AimCLR and ActCLR bring recordings to one length.

    Args:
        lengths: (N,) frames in each recording.
        clip_frames: T.

    Returns:
        (N, T), from 0 to the last frame, never decreasing.

    >>> resized_places(np.array([2, 8]), 4).tolist()
    [[0.0, 0.25, 0.75, 1.0], [0.5, 2.5, 4.5, 6.5]]
    """
    places: Places = (np.arange(clip_frames) + 0.5) * (lengths[:, None] / clip_frames) - 0.5
    return np.clip(places, 0, lengths[:, None] - 1)


def released_frames(
    length: int,
    clip_frames: int,
    clips: int,
    random: np.random.RandomState,
    *,
    rule: Rule = "decode",
    test: bool = True,
) -> Frames:
    """Clips of one recording, drawn number by number as the released code draws them.

    Args:
        length: frames in the recording.
        clip_frames: T.
        clips: how many clips.
        random: NumPy's legacy generator; the release's test seeds it with `RELEASED_TEST_SEED`
            before each recording.
        rule: the release's sampler: "decode" for its 3-D data, "frames" for its 2-D data. They
            differ in where a clip of a short recording begins in a test.
        test: whether it is a test; matters for "frames" only.

    Returns:
        (clips, T) int64.
    """
    made = [_released_clip(i, length, clip_frames, clips, random, rule, test) for i in range(clips)]
    return np.stack(made) % length


def _released_clip(
    clip: int,
    length: int,
    clip_frames: int,
    clips: int,
    random: np.random.RandomState,
    rule: Rule,
    test: bool,
) -> Frames:
    step = np.arange(clip_frames, dtype=np.int64)
    random.rand()  # drawn by the release for the share of the recording, which is always 1
    if length < clip_frames:
        if rule == "frames" and test:
            return step + (clip if length < clips else clip * length // clips)
        return step + int(random.randint(length))
    if length < 2 * clip_frames:
        skipped = np.zeros(clip_frames + 1, dtype=np.int64)
        skipped[random.choice(clip_frames + 1, length - clip_frames, replace=False)] = 1
        return step + np.cumsum(skipped)[:-1]
    bounds = np.arange(clip_frames + 1, dtype=np.int64) * length // clip_frames
    return bounds[:-1] + random.randint(np.diff(bounds))


def released_test_frames(
    lengths: Frames, clip_frames: int, clips: int, rule: Rule = "decode"
) -> Frames:
    """The release's test clips of many recordings; equal lengths have the same frames.

    Returns:
        (N, clips, T) int64.
    """
    distinct, place = np.unique(lengths, return_inverse=True)
    made = np.zeros((len(distinct), clips, clip_frames), dtype=np.int64)
    for row, length in enumerate(distinct.tolist()):
        random = np.random.RandomState(RELEASED_TEST_SEED)
        made[row] = released_frames(length, clip_frames, clips, random, rule=rule)
    return made[place]
