"""What any learned embedding must beat: the body's bone lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from aclnet.data.store import Store
from aclnet.transforms import present, scale_by_torso


def bone_lengths(store: Store) -> npt.NDArray[np.float64]:
    """Median length of every bone over a sample's frames, of its first person.

    Lengths in the picture (2-D) are divided by the torso's length, as pixels measure the camera and
    not the body; lengths in the room stay as they are. A bone of which an end is missing in a frame
    does not count there; a bone never seen has the median of the other samples.

    Args:
        store: N samples.

    Returns:
        (N, V - 1) float64.
    """
    child, parent = store.layout.bone_index.T
    dims = store.info.dims
    rows = np.empty((len(store), len(child)))
    for i in range(len(store)):
        clip = torch.from_numpy(store.clip(i)[None, :, :1].transpose(0, 2, 1, 3, 4).copy())
        if store.info.unit == "pixel":
            clip = scale_by_torso(clip, store.layout, dims)
        seen = present(clip, dims)[0, 0]
        joints = clip[0, 0, :, :, :dims]
        length = (joints[:, child] - joints[:, parent]).norm(dim=-1)
        length = torch.where(seen[:, child] & seen[:, parent], length, torch.nan)
        rows[i] = length.nanmedian(dim=0).values.numpy()
    typical = np.nan_to_num(np.nanmedian(np.where(np.isfinite(rows), rows, np.nan), axis=0))
    return np.where(np.isfinite(rows), rows, typical)


def standardised_bone_lengths(train: Store, test: Store) -> npt.NDArray[np.float32]:
    """The test samples' bone lengths, standardised by the training samples' mean and spread.

    Args:
        train: samples whose mean and standard deviation are taken; never the tested ones.
        test: N samples.

    Returns:
        (N, V - 1) float32, to be compared by Euclidean distance.
    """
    known, wanted = bone_lengths(train), bone_lengths(test)
    spread = known.std(axis=0)
    scores = (wanted - known.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.asarray(scores, dtype=np.float32)
