"""A baseline that a learned embedding must beat: bone lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from aclnet.clips.body import common_body
from aclnet.clips.joints import present
from aclnet.clips.settings import Body, Scale
from aclnet.clips.transforms import scale_by_torso
from aclnet.data.store import Store

_SAME = 1e-5


def bone_lengths(store: Store, body: Body = "own") -> npt.NDArray[np.float64]:
    """Median length of every bone over the frames of a sample's first person.

    Lengths in metres stay as they are; others are divided by the torso's length, as pixels depend
    on the camera. Frames in which an end of a bone is missing are skipped.

    Args:
        store: N samples.
        body: whose bones (`aclnet.clips.settings.NormaliseSettings.body`).

    Returns:
        (N, V - 1) float64; NaN for a bone that is never seen in a sample.
    """
    child, parent = torch.tensor(store.layout.bone_index).unbind(dim=1)
    dims = store.info.dims
    rows = np.empty((len(store), len(child)))
    for i in range(len(store)):
        clip = torch.from_numpy(store.clip(i)[:, :1]).transpose(0, 1).unsqueeze(0)
        scale: Scale = "none" if store.info.unit == "metre" else "torso"
        if scale == "torso":
            clip = scale_by_torso(clip, store.layout, dims)
        if body == "common":
            clip = common_body(clip, store.layout, dims, scale)
        seen = present(clip, dims)[0, 0]
        joints = clip[0, 0, :, :, :dims]
        length = (joints[:, child] - joints[:, parent]).norm(dim=-1)
        length = torch.where(seen[:, child] & seen[:, parent], length, torch.nan)
        rows[i] = length.nanquantile(0.5, dim=0).numpy()
    return rows


def standardised_bone_lengths(
    train: Store, test: Store, body: Body = "own"
) -> npt.NDArray[np.float32]:
    """Bone lengths of test samples, standardised by mean and standard deviation of training ones.

    A bone that is never seen in a test sample is set to the training mean, so that no test sample
    depends on the others.

    Args:
        train: samples from which the mean and standard deviation are computed.
        test: N samples.
        body: as of `bone_lengths`.

    Returns:
        (N, V - 1) float32, to compare by Euclidean distance.
    """
    known = bone_lengths(train, body)
    measured = np.isfinite(known)
    count = np.maximum(measured.sum(axis=0), 1)
    mean = np.where(measured, known, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(measured, known - mean, 0) ** 2).sum(axis=0) / count)
    # A bone of equal length in all samples has only rounding errors as spread: not divided by it.
    scores = (bone_lengths(test, body) - mean) / np.where(spread > _SAME * mean, spread, 1)
    return np.asarray(np.nan_to_num(scores), dtype=np.float32)
