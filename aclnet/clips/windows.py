"""Windows: which frames of a sequence make a clip.

All functions return frame numbers within the sequence, so that a whole batch of clips is gathered
by one indexing operation (`Store.gather`). A sequence shorter than the window is walked back and
forth, never extended by empty frames, which a network would take for motion. GaitGraph2 reflects
too, but at both ends, and repeats the first and last frame if it reflects more than once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.int64]


def reflect(frames: Frames, lengths: Frames) -> Frames:
    """Reflect frame numbers beyond a sequence's end back into it: 0 1 2 3 2 1 0 1 ….

    Args:
        frames: (N, T) frame numbers, negative ones before the beginning.
        lengths: (N,) frames in each sequence, at least 1.

    Returns:
        (N, T) int64 within 0..length-1.

    >>> reflect(np.arange(6)[None], np.array([3])).tolist()
    [[0, 1, 2, 1, 0, 1]]
    """
    period = np.maximum(2 * (lengths - 1), 1)[:, None]
    folded = frames % period
    return np.where(folded >= lengths[:, None], period - folded, folded)


def windows_at(starts: Frames, lengths: Frames, frame_count: int, step: int = 1) -> Frames:
    """The frames of windows that begin at `starts`.

    Args:
        starts: (N,) first frames.
        lengths: (N,) frames in each sequence.
        frame_count: T, frames in a window.
        step: distance of consecutive frames; 2 halves the frame rate.

    Returns:
        (N, T) int64.
    """
    frames = starts[:, None] + step * np.arange(frame_count, dtype=np.int64)[None]
    return reflect(frames, lengths)


def random_windows(
    lengths: Frames, frame_count: int, generator: np.random.Generator, step: int = 1
) -> Frames:
    """One window a sequence, every place equally likely, the last one too.

    GaitGraph never draws the last window and refuses a sequence of exactly T frames, an off-by-one
    error that is not repeated here.

    Returns:
        (N, T) int64.
    """
    room = _last_start(lengths, frame_count, step)
    starts = np.floor(generator.random(len(lengths)) * (room + 1)).astype(np.int64)
    return windows_at(starts, lengths, frame_count, step)


def windows_at_phase(lengths: Frames, frame_count: int, phase: float, step: int = 1) -> Frames:
    """The window at a place of each sequence, from 0 (first) over 0.5 (middle) to 1 (last).

    Returns:
        (N, T) int64.

    >>> windows_at_phase(np.array([7, 8, 2]), frame_count=3, phase=0.5).tolist()
    [[2, 3, 4], [2, 3, 4], [0, 1, 0]]
    """
    starts = (_last_start(lengths, frame_count, step) * phase).astype(np.int64)
    return windows_at(starts, lengths, frame_count, step)


def sliding_windows(
    lengths: Frames, frame_count: int, stride: int, step: int = 1
) -> tuple[Frames, Frames]:
    """All windows of each sequence, `stride` frames apart; at least one a sequence.

    Up to `stride` - 1 frames at a sequence's end may be in no window.

    Args:
        lengths: (N,) frames in each sequence.
        frame_count: T, frames in a window.
        stride: frames between the starts of neighbouring windows.
        step: distance of consecutive frames.

    Returns:
        The sequence of each window (W,), in order, and its frames (W, T).

    >>> owner, frames = sliding_windows(np.array([5, 2]), frame_count=3, stride=2)
    >>> owner.tolist(), frames.tolist()
    ([0, 0, 1], [[0, 1, 2], [2, 3, 4], [0, 1, 0]])
    """
    counts = _last_start(lengths, frame_count, step) // stride + 1
    owner = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    starts = (np.arange(len(owner), dtype=np.int64) - first) * stride
    return owner, windows_at(starts, lengths[owner], frame_count, step)


def _last_start(lengths: Frames, frame_count: int, step: int) -> Frames:
    """Where the last whole window of each sequence begins, 0 where none fits: (N,) int64."""
    return np.maximum(lengths - ((frame_count - 1) * step + 1), 0)
