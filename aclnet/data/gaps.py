"""Joints that a detector lost for a moment, filled on the line from their last to their next place.

The longest gap is given in seconds, since how far a joint moves unseen, and so how far the line is
from where it was, depends on the time and not on the frames of a camera. Recordings of an unknown
rate are taken to have 30 frames a second, the rate that the recipes expect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.degrade import Mask, seen_joints
from aclnet.data.numbering import Numbers
from aclnet.data.sample import Frames, Sample, StoreInfo
from aclnet.data.store import Store

USUAL_FPS = 30.0
"""Of recordings whose rate is not known."""
LONGEST_SECONDS = 60.0

_SLACK = 1e-6
"""Of a frame; seconds times a rate have rounding errors."""


class _Ends(NamedTuple):
    """The missing joints that are filled, K of them, and the frames at the ends of their gaps."""

    place: tuple[npt.NDArray[np.intp], ...]
    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]


def fill_samples(
    info: StoreInfo, samples: Iterator[Sample], seconds: float
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples with short gaps of their joints filled; the notes say how many joints.

    Args:
        info: the description; `settings["fill_gaps"]` of the new one has the seconds and, after the
            last sample, the numbers of joints that were missing between a person's first and last
            frame, and of those that were filled.
        samples: the samples.
        seconds: longest gap, see `fill`.

    Raises:
        ValueError: no gap can be as long.
    """
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(
            f"fill_gaps must be above 0 and at most {LONGEST_SECONDS:g} seconds, not {seconds}"
        )
    done = {"seconds": seconds, "missing": 0, "filled": 0}
    # The copy shares the counts with the reader, which keeps counting there.
    made = info.model_copy(update={"settings": {**info.settings, "fill_gaps": done}})

    def each() -> Iterator[Sample]:
        changed, unknown = 0, False
        for sample in samples:
            rate = sample.fps or info.fps
            frames, count = fill(
                sample.frames, sample.numbers, seconds, rate or USUAL_FPS, info.dims
            )
            done["missing"] += _missing(seen_joints(sample.frames, info.dims))
            done["filled"] += count
            changed += count > 0
            unknown = unknown or (rate is None and count > 0)
            yield replace(sample, frames=frames)
        if changed:
            rates = f", at {USUAL_FPS:g} frames a second where not known (fps)" if unknown else ""
            made.notes[
                f"{done['filled']:,} of {done['missing']:,} missing joints filled, in gaps of up "
                f"to {seconds:g} s{rates}"
            ] = changed

    return made, each()


def to_be_filled(store: Store, seconds: float) -> bool:
    """Whether `fill_samples` would change a sample of a store."""
    for row in range(len(store)):
        seen = seen_joints(store.clip(row), store.info.dims)
        longest = seconds * (store.fps(row) or USUAL_FPS)
        if len(_gaps(seen, store.frame_numbers(row), longest).before):
            return True
    return False


def fill(
    frames: Frames, numbers: Numbers, seconds: float, rate: float, dims: int = 3
) -> tuple[Frames, int]:
    """A recording with the short gaps of its joints filled, linear in time.

    A missing joint is placed between the nearest frames before and after it in which that joint of
    that person was seen, if no more than `seconds` lie between these two. It stays absent in longer
    gaps, and at the beginning and end of the recording. So a person who is gone altogether comes
    back for no longer than a joint does. No frame is added.

    The confidence of a filled joint is the lower one of the two ends; other joints stay as they
    are, bit for bit.

    Args:
        frames: (T, M, V, C), the first `dims` channels coordinates, a further one the confidence. A
            missing joint has confidence 0 or, without a confidence, zeros.
        numbers: (T,) rising, the number of each frame in the recording as it was filmed.
        seconds: most between the two frames.
        rate: frames a second of the numbers.
        dims: coordinates a joint.

    Returns:
        (T, M, V, C) of the same type, the recording itself if nothing is filled; and the number of
        joints that were filled.

    >>> walk = np.array([1.0, 0, 0, 4, 0, 0, 0, 8]).reshape(8, 1, 1, 1)
    >>> made, count = fill(walk, np.arange(8), 0.1, rate=30, dims=1)
    >>> made.ravel().tolist(), count
    ([1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 8.0], 2)
    """
    found = _gaps(seen_joints(frames, dims), numbers, seconds * rate)
    if not len(found.before):
        return frames, 0
    row, *joint = found.place
    made = frames.copy()
    one = frames[found.before, *joint].astype(np.float64)
    other = frames[found.after, *joint].astype(np.float64)
    start, end = numbers[found.before], numbers[found.after]
    share = ((numbers[row] - start) / (end - start))[:, None]
    values = one + share * (other - one)
    values[:, dims:] = np.minimum(one, other)[:, dims:]
    made[row, *joint] = values
    return made, len(found.before)


def _gaps(seen: Mask, numbers: Numbers, longest: float) -> _Ends:
    """The joints (T, M, V) in gaps of which no more than `longest` numbers lie between the ends."""
    row = np.arange(len(seen), dtype=np.int32)[:, None, None]
    length = np.int32(len(seen))
    before = np.maximum.accumulate(np.where(seen, row, np.int32(-1)), axis=0)
    after = np.minimum.accumulate(np.where(seen, row, length)[::-1], axis=0)[::-1]
    place = np.nonzero(~seen & (before >= 0) & (after < len(seen)))
    first, last = before[place], after[place]
    short = numbers[last] - numbers[first] <= longest + _SLACK
    return _Ends(tuple(axis[short] for axis in place), first[short], last[short])


def _missing(seen: Mask) -> int:
    """Joints missing between a person's first and last frame."""
    there: Mask = np.asarray(seen.any(axis=2))
    since = np.maximum.accumulate(there, axis=0)
    until = np.maximum.accumulate(there[::-1], axis=0)[::-1]
    return int((~seen & (since & until)[..., None]).sum())
