"""Recordings at another frame rate: linear in time, joint by joint.

Motion capture has 120 frames per second, cameras and recipes 30. Frame k of a resampled
recording is its moment k / fps, so that frame numbers still count from where it was filmed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from aclnet.data.degrade import seen_joints
from aclnet.data.numbering import Numbers
from aclnet.data.sample import FRAMES_COLUMN, Frames, Sample, StoreInfo
from aclnet.data.store import Store

_SAME_RATE = 5e-3
"""As 29.97 and 30 are."""
_SAME_PLACE = 1e-6
"""Of a frame; frame numbers times a ratio of rates have rounding errors."""
_MOST_A_FRAME = 100
"""Frames made of each."""


def resample_samples(
    info: StoreInfo, samples: Iterator[Sample], fps: float, *, upsample: bool = False
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples at another frame rate; the notes say which were changed, and which not.

    A recording of fewer frames per second, or of a rate that is not known, stays as it is.

    Args:
        info: the description.
        samples: the samples.
        fps: frames per second, of those that have poses.
        upsample: also make frames between those of slower recordings.

    Raises:
        ValueError: fps is not a rate, or upsampling would make more than 100 frames of each.
    """
    if not 0 < fps < float("inf"):
        raise ValueError(f"resample_fps must be above 0, not {fps}")
    whole = fps if info.fps is not None and _changes(info.fps, fps, upsample) else info.fps
    settings = {**info.settings, "resample_fps": fps}
    # The copy shares the counts with the reader, which keeps counting there.
    made = info.model_copy(update={"fps": whole, "settings": settings})

    def each() -> Iterator[Sample]:
        for sample in samples:
            rate = sample.fps or info.fps
            if rate is None:
                made.note(f"frames per second are not known (fps): not resampled to {fps:g}")
                yield sample
                continue
            own = _usual_rate(sample.numbers, rate)
            if _changes(own, fps, upsample):
                made.note(f"resampled from {own:g} to {fps:g} frames per second")
                sample, rate = _resampled(sample, rate, fps, info.dims), fps
            elif not _same(own, fps):
                made.note(f"has {own:g} frames per second: not resampled to {fps:g} (upsample)")
            yield replace(sample, fps=None if rate == whole else rate)

    return made, each()


def to_be_resampled(store: Store, fps: float, *, upsample: bool = False) -> bool:
    """Whether `resample_samples` would change a sample of a store."""
    numbered = FRAMES_COLUMN in store.index
    rows = range(len(store))
    own = (store.frame_numbers(row).tobytes() if numbered else b"" for row in rows)
    found = set(zip(map(store.fps, rows), own, strict=True))
    return any(
        rate is not None
        and _changes(_usual_rate(np.frombuffer(numbers, np.int64), rate), fps, upsample)
        for rate, numbers in found
    )


def resample(
    frames: Frames, numbers: Numbers, rate: float, fps: float, dims: int = 3
) -> tuple[Frames, Numbers]:
    """A recording at another frame rate.

    A frame lies between two that are at most a frame of either rate apart: where more are missing,
    none is made. A joint is where it was seen (`aclnet.data.degrade.seen_joints`) in both of
    them; else it is zero. A frame that falls on one of the recording's is that one.

    Args:
        frames: (T, M, V, C), the first `dims` channels coordinates.
        numbers: (T,) rising, the number of each frame in the recording as it was filmed.
        rate: frames per second of these numbers.
        fps: the wanted rate.
        dims: coordinates a joint.

    Returns:
        (T', M, V, C) of the same type, and their numbers (T',); one frame at least where there was
        one.

    >>> made, numbers = resample(np.arange(1.0, 10).reshape(9, 1, 1, 1), np.arange(9), 120, 30, 1)
    >>> made.ravel().tolist(), numbers.tolist()
    ([1.0, 5.0, 9.0], [0, 1, 2])
    """
    ratio = rate / fps
    widest = max(ratio, _step(numbers)) + _SAME_PLACE
    ends = np.flatnonzero(np.diff(numbers) > widest) + 1
    runs = np.split(np.arange(len(numbers)), ends)
    wanted = np.concatenate([_moments(numbers[run], ratio) for run in runs])
    if not len(wanted) and len(numbers):
        return frames[:1], np.rint(numbers[:1] / ratio).astype(np.int64)
    place = wanted * ratio
    place = np.where(np.abs(place - np.rint(place)) < _SAME_PLACE, np.rint(place), place)
    left = np.clip(np.searchsorted(numbers, place, side="right") - 1, 0, None)
    made = frames[left]
    between = np.flatnonzero(numbers[left] != place)
    start, end = left[between], left[between] + 1
    share = (place[between] - numbers[start]) / (numbers[end] - numbers[start])
    made[between] = _mixed(frames[start], frames[end], share, dims)
    return made, wanted


def _mixed(first: Frames, second: Frames, share: npt.NDArray[np.float64], dims: int) -> Frames:
    """Frames (K, M, V, C) between two, at a share (K,) of the way."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    seen = seen_joints(first, dims) & seen_joints(second, dims)
    places = one + share[:, None, None, None] * (other - one)
    return np.asarray(np.where(seen[..., None], places, 0.0)).astype(first.dtype)


def _moments(numbers: Numbers, ratio: float) -> Numbers:
    """The numbers of the wanted frames from the first to the last of a run."""
    if not len(numbers):
        return numbers
    first, last = numbers[0] / ratio, numbers[-1] / ratio
    slack = _SAME_PLACE / ratio
    return np.arange(np.ceil(first - slack), np.floor(last + slack) + 1).astype(np.int64)


def _resampled(sample: Sample, rate: float, fps: float, dims: int) -> Sample:
    most = _MOST_A_FRAME * max(len(sample.frames), 1)
    if (span := _step(sample.numbers) * len(sample.frames) * fps / rate) > most:
        raise ValueError(
            f"sample {sample.sample!r}: {fps:g} frames per second would make {span:.0f} frames of "
            f"{len(sample.frames)}; choose a lower rate (resample_fps)"
        )
    frames, numbers = resample(sample.frames, sample.numbers, rate, fps, dims)
    return replace(sample, frames=frames, frame_numbers=numbers)


def _step(numbers: Numbers) -> int:
    """The usual distance of two frames that have poses."""
    return int(np.median(np.diff(numbers))) if len(numbers) > 1 else 1


def _usual_rate(numbers: Numbers, rate: float) -> float:
    """Frames a second that have poses, of a recording of `rate`."""
    return rate / _step(numbers)


def _same(rate: float, fps: float) -> bool:
    return abs(rate / fps - 1) <= _SAME_RATE


def _changes(rate: float, fps: float, upsample: bool) -> bool:
    return not _same(rate, fps) and (rate > fps or upsample)
