"""Cuts recordings into the short sequences that re-identification compares."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from aclnet.clips.released import cut_as_released
from aclnet.clips.settings import ClipSettings, Rows
from aclnet.clips.windows import sliding_windows
from aclnet.config import Settings
from aclnet.data.store import Store
from protocols.reid.walks import FIRST_FRAME_MARK


class SequenceSettings(Settings):
    """How recordings are cut into sequences of `clip.frames` frames.

    Has no effect on data that are already cut (TranSG's folders).

    Attributes:
        border_frames: frames cut off both ends of every recording, in training too (IAS-Lab, BIWI,
            KGBD: 10, where people enter and leave the picture).
        stride: distance between the first frames of successive test sequences; by default they
            adjoin. Frames at the end that fill no sequence are dropped and counted.
        training: "anywhere": a training recording gives a sequence at a random position each time;
            "fixed": it is cut like the test recordings, and each sequence is a training sample,
            as in the data that TranSG's authors distribute for KGBD; "released": it is cut by
            `cutting`, and each sequence is a training sample.
        cutting: cut training and test recordings, borders included, like this data set's released
            files (`aclnet.clips.released`); needs `training: released`.
    """

    border_frames: int = Field(default=0, ge=0, le=1_000_000)
    stride: int | None = Field(default=None, ge=1, le=1_000_000)
    training: Literal["anywhere", "fixed", "released"] = "anywhere"
    cutting: Literal["ks20", "kgbd", "ias", "biwi"] | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> SequenceSettings:
        if (self.training == "released") != (self.cutting is not None):
            raise ValueError(
                "training: released and cutting need each other: set both, such as cutting: kgbd, "
                "or neither"
            )
        if self.cutting is not None and (self.border_frames or self.stride is not None):
            raise ValueError(
                f"cutting: {self.cutting} defines borders and stride itself: set border_frames to "
                "0 and remove stride"
            )
        return self


class Sequences(NamedTuple):
    """Sequences, and what remains of their recordings.

    Attributes:
        store: one sample per sequence, named `<recording>@<first frame>` by that frame's number in
            the recording as it was filmed; frames are shared.
        left_over: frames of the recordings that are in no sequence.
        border_frames: frames that a released rule cut off the ends of recordings.
        short: recordings without a sequence under a released rule.
    """

    store: Store
    left_over: int
    border_frames: int = 0
    short: int = 0


def cut_before(store: Store) -> bool:
    """Whether every sample is already a window, as in TranSG's folders.

    Only their reader (`aclnet.data.formats.transg_npy`) stores the number of frames per window
    under this name; others store nothing or a range of lengths.
    """
    frames = store.info.settings.get("frames")
    return isinstance(frames, int) and bool((store.lengths == frames).all())


def without_border(store: Store, frames: int) -> Store:
    """Cut off the first and last frames of recordings, but not of windows already cut.

    Args:
        store: N recordings.
        frames: number of frames to cut off each end.

    Returns:
        A store of the same N rows over the same frames; short recordings have length 0.
    """
    if not frames or cut_before(store):
        return store
    rows, first = np.arange(len(store)), np.minimum(frames, store.lengths)
    return store.cut(rows, first, np.maximum(store.lengths - 2 * frames, 0))


def cut_sequences(
    store: Store, clip: ClipSettings, settings: SequenceSettings, *, train: bool = False
) -> Sequences:
    """Cut recordings into sequences; a shorter recording is a sequence by itself.

    The network sees such short recordings reflected (`aclnet.clips.windows.reflect`), unless they
    are dropped before (`tasks.samples.open.without_short`). A released rule (`settings.cutting`)
    drops them itself.

    Args:
        store: N recordings without their borders (`without_border`), each of at least one frame.
        clip: frames of a sequence and the step between them.
        settings: the stride, and the border already cut off; or the released rule.
        train: whether these are training recordings, which a released rule may cut differently.
    """
    if settings.cutting is not None and not cut_before(store):
        cut = cut_as_released(store.lengths, clip.frames, settings.cutting, train=train)
        marked = np.ones(len(cut.owner), dtype=np.bool_)
        sequences = _sequences(store, cut.owner, cut.frames[:, 0], clip.frames, marked)
        return Sequences(sequences, cut.leftover_frames, cut.border_frames, cut.short_recordings)
    extent = (clip.frames - 1) * clip.step + 1
    owner, frames = sliding_windows(
        store.lengths, clip.frames, settings.stride or extent, clip.step
    )
    windows = np.bincount(owner, minlength=len(store))
    # With a stride above their length, sequences also leave frames between them.
    each = min(settings.stride or extent, extent)
    covered = np.minimum((windows - 1) * each + extent, store.lengths)
    # Recordings of a single sequence (such as data already cut) keep their names.
    sequences = _sequences(store, owner, frames[:, 0], extent, windows[owner] > 1)
    return Sequences(sequences, int((store.lengths - covered).sum()))


def _sequences(
    store: Store, owner: Rows, first: Rows, extent: int, marked: npt.NDArray[np.bool_]
) -> Store:
    """A store of W sequences over the same frames.

    Args:
        store: N recordings.
        owner: (W,) recording of each sequence.
        first: (W,) its first frame there.
        extent: frames from its first to its last.
        marked: (W,) whether its first frame is in its name; else it keeps the recording's name.
    """
    cut = store.cut(owner, first, np.minimum(store.lengths[owner], extent))
    firsts = cut.first_numbers
    names = [f"{n}{FIRST_FRAME_MARK}{f}" for n, f in zip(cut.index["sample"], firsts, strict=True)]
    cut.index["sample"] = np.where(marked, names, cut.index["sample"])
    return cut
