"""Recordings cut into the short sequences that re-identification compares."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from aclnet.config import Settings
from aclnet.data.store import Store
from aclnet.data.windows import sliding_windows
from protocols.walks import FIRST_FRAME_MARK
from tasks.clips import ClipSettings


class SequenceSettings(Settings):
    """How recordings become sequences of `clip.frames` frames.

    Data that were cut already (TranSG's folders) stay as they are.

    Attributes:
        border_frames: frames cut off both ends of every recording, in training too (IAS-Lab, BIWI,
            KGBD: 10, as people enter and leave the picture there).
        stride: frames between the first frames of neighbouring test sequences; by default they
            adjoin. Frames at the end that fill no sequence are left out and counted.
        training: "anywhere": a training recording gives a sequence from a random place each time;
            "fixed": it is cut as the test recordings are, and each sequence is a training sample,
            as in the data that TranSG's authors distribute for KGBD.
    """

    border_frames: int = Field(default=0, ge=0)
    stride: int | None = Field(default=None, ge=1)
    training: Literal["anywhere", "fixed"] = "anywhere"


class Sequences(NamedTuple):
    """Sequences, and what was left over of their recordings.

    Attributes:
        store: one sample a sequence, named `<recording>@<first frame>`; frames are shared.
        left_over: frames of the recordings that stand in no sequence.
    """

    store: Store
    left_over: int


def without_border(store: Store, frames: int) -> Store:
    """The recordings without their first and last frames; one that has no more ends up empty.

    Args:
        store: N recordings.
        frames: how many frames to cut off each end.

    Returns:
        A store of the same N rows over the same frames, some of them of length 0.
    """
    if not frames:
        return store
    index = store.index.copy()
    index["start"] = store.starts + np.minimum(frames, store.lengths)
    index["length"] = np.maximum(store.lengths - 2 * frames, 0)
    return Store(store.info, index, store.frames, store.path)


def cut_sequences(store: Store, clip: ClipSettings, settings: SequenceSettings) -> Sequences:
    """Cut recordings into test sequences; a recording shorter than one is one by itself.

    Where such short recordings are not wanted they are left out before
    (`tasks.data_sources.without_short`); otherwise the network sees them walked back and forth
    (`aclnet.data.windows.reflect`).

    Args:
        store: N recordings without their borders (`without_border`), each of at least one frame.
        clip: frames of a sequence and their distance.
        settings: the stride, and the border that is cut off already.
    """
    extent = (clip.frames - 1) * clip.step + 1
    owner, frames = sliding_windows(
        store.lengths, clip.frames, settings.stride or extent, clip.step
    )
    first = frames[:, 0]
    index = store.index.iloc[owner].reset_index(drop=True)
    index["start"] = store.starts[owner] + first
    index["length"] = np.minimum(store.lengths[owner], extent)
    # Recordings that are one sequence (data cut before) keep their names.
    several = np.bincount(owner, minlength=len(store))[owner] > 1
    # Frames are counted in the whole recording, its border included.
    begin = first + settings.border_frames
    marked = [f"{n}{FIRST_FRAME_MARK}{f}" for n, f in zip(index["sample"], begin, strict=True)]
    index["sample"] = np.where(several, marked, index["sample"])
    further = np.bincount(owner, minlength=len(store)) - 1
    # Sequences further apart than they are long leave frames over between them too.
    each = min(settings.stride or extent, extent)
    covered = np.minimum(further * each + extent, store.lengths)
    return Sequences(
        Store(store.info, index, store.frames, store.path), int((store.lengths - covered).sum())
    )
