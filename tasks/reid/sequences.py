"""Recordings cut into the short sequences that re-identification compares."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from aclnet.clips.released import cut_as_released
from aclnet.clips.settings import ClipSettings, Rows
from aclnet.clips.windows import sliding_windows
from aclnet.config import Settings
from aclnet.data.store import Store
from protocols.reid.walks import FIRST_FRAME_MARK


class SequenceSettings(Settings):
    """How recordings become sequences of `clip.frames` frames.

    Data that were cut already (TranSG's folders) stay as they are, whatever is set here.

    Attributes:
        border_frames: frames cut off both ends of every recording, in training too (IAS-Lab, BIWI,
            KGBD: 10, as people enter and leave the picture there).
        stride: frames between the first frames of neighbouring test sequences; by default they
            adjoin. Frames at the end that fill no sequence are left out and counted.
        training: "anywhere": a training recording gives a sequence from a random place each time;
            "fixed": it is cut as the test recordings are, and each sequence is a training sample,
            as in the data that TranSG's authors distribute for KGBD; "released": by the rule of
            `cutting`, each sequence a training sample.
        cutting: cut training and test recordings as those of this data set were for the released
            files (`aclnet.clips.released`, borders included); with `training: released`.
    """

    border_frames: int = Field(default=0, ge=0)
    stride: int | None = Field(default=None, ge=1)
    training: Literal["anywhere", "fixed", "released"] = "anywhere"
    cutting: Literal["ks20", "kgbd", "ias", "biwi"] | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> SequenceSettings:
        if (self.training == "released") != (self.cutting is not None):
            raise ValueError(
                "training: released and cutting go together: set both, such as cutting: kgbd, or "
                "neither"
            )
        if self.cutting is not None and (self.border_frames or self.stride is not None):
            raise ValueError(
                f"cutting: {self.cutting} says itself where windows begin: set border_frames to 0 "
                "and leave stride out"
            )
        return self


class Sequences(NamedTuple):
    """Sequences, and what was left over of their recordings.

    Attributes:
        store: one sample a sequence, named `<recording>@<first frame>`; frames are shared.
        left_over: frames of the recordings that stand in no sequence.
        border_frames: frames that a released rule cut off the ends of recordings.
        short: recordings without a sequence under a released rule.
    """

    store: Store
    left_over: int
    border_frames: int = 0
    short: int = 0


def cut_before(store: Store) -> bool:
    """Whether every sample is a window that was cut already, as in TranSG's folders.

    Their reader notes the windows' frames in the store (`aclnet.data.formats.transg_npy`); other
    readers note nothing of that name, or a range of lengths.
    """
    frames = store.info.settings.get("frames")
    return isinstance(frames, int) and bool((store.lengths == frames).all())


def without_border(store: Store, frames: int) -> Store:
    """The recordings without their first and last frames; one that has no more ends up empty.

    Windows that were cut already keep all their frames: their recordings' ends are gone.

    Args:
        store: N recordings.
        frames: how many frames to cut off each end.

    Returns:
        A store of the same N rows over the same frames, some of them of length 0.
    """
    if not frames or cut_before(store):
        return store
    index = store.index.copy()
    index["start"] = store.starts + np.minimum(frames, store.lengths)
    index["length"] = np.maximum(store.lengths - 2 * frames, 0)
    return Store(store.info, index, store.frames, store.path)


def cut_sequences(
    store: Store, clip: ClipSettings, settings: SequenceSettings, *, train: bool = False
) -> Sequences:
    """Cut recordings into sequences; a recording shorter than one is one by itself.

    Where such short recordings are not wanted they are left out before
    (`tasks.samples.open.without_short`); otherwise the network sees them walked back and forth
    (`aclnet.clips.windows.reflect`). A released rule (`settings.cutting`) leaves them out itself.

    Args:
        store: N recordings without their borders (`without_border`), each of at least one frame.
        clip: frames of a sequence and their distance.
        settings: the stride, and the border that is cut off already; or the released rule.
        train: whether these are training recordings, which a released rule may cut otherwise.
    """
    if settings.cutting is not None and not cut_before(store):
        cut = cut_as_released(store.lengths, clip.frames, settings.cutting, train=train)
        first = cut.frames[:, 0]
        sequences = _sequences(store, cut.owner, first, clip.frames, first)
        return Sequences(sequences, cut.leftover_frames, cut.border_frames, cut.short_recordings)
    extent = (clip.frames - 1) * clip.step + 1
    owner, frames = sliding_windows(
        store.lengths, clip.frames, settings.stride or extent, clip.step
    )
    windows = np.bincount(owner, minlength=len(store))
    # Frames are counted in the whole recording, its border included.
    border = 0 if cut_before(store) else settings.border_frames
    # Recordings that are one sequence (data cut before) keep their names.
    marks = np.where(windows[owner] > 1, frames[:, 0] + border, -1)
    # Sequences further apart than they are long leave frames over between them too.
    each = min(settings.stride or extent, extent)
    covered = np.minimum((windows - 1) * each + extent, store.lengths)
    sequences = _sequences(store, owner, frames[:, 0], extent, marks)
    return Sequences(sequences, int((store.lengths - covered).sum()))


def _sequences(store: Store, owner: Rows, first: Rows, extent: int, marks: Rows) -> Store:
    """A store of sequences over the same frames.

    Args:
        store: N recordings.
        owner: (W,) the recording of each sequence.
        first: (W,) its first frame there.
        extent: frames from its first to its last.
        marks: (W,) the first frame in its name; -1: it has the recording's name.
    """
    index = store.index.iloc[owner].reset_index(drop=True)
    index["start"] = store.starts[owner] + first
    index["length"] = np.minimum(store.lengths[owner], extent)
    marked = [f"{n}{FIRST_FRAME_MARK}{f}" for n, f in zip(index["sample"], marks, strict=True)]
    index["sample"] = np.where(marks >= 0, marked, index["sample"])
    return Store(store.info, index, store.frames, store.path)
