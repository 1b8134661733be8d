"""Training clips sample by sample, with the work of PYSKL's pipeline in its order.

A plain reading of what PYSKL (and the ACLNet release, a fork of it) does for each sample of NTU's
shape, transform by transform: a deep copy of the annotation, PreNormalize3D (without the turn to an
upright spine, as in the release), RandomRot, GenSkeFeat on all frames, UniformSampleDecode,
FormatGCNInput, and the default collation. Loops over frames and joints and the types of numbers
(half precision as stored, double after the rotation, single in bones and at the end) are its own.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]


def training_batch(
    annotations: Sequence[dict[str, Any]],
    streams: Sequence[str],
    frames: int,
    angle: float,
    parents: Sequence[int],
    random: np.random.RandomState,
    prepared: bool = False,
) -> torch.Tensor:
    """(N, 1, M, T, V, C) clips of N annotations with `keypoint` (M, T, V, 3).

    Args:
        annotations: the samples.
        streams: of j, b, jm, bm.
        frames: T of a clip.
        angle: the largest of the random rotation, in radians.
        parents: (V,) of the joints.
        random: NumPy's generator of the older kind, as there.
        prepared: whether the samples have been normalised before.
    """
    clips = []
    for annotation in annotations:
        keypoint = copy.deepcopy(annotation)["keypoint"]
        if not prepared:
            keypoint = centre(keypoint)
        features = {"j": turn(keypoint, angle, random)}
        if any(stream[0] == "b" for stream in streams):
            features["b"] = bones(features["j"], parents)
        for stream in streams:
            if stream.endswith("m"):
                features[stream] = motion(features[stream[0]])
        joined = np.concatenate([features[stream] for stream in streams], axis=-1)
        clip = joined.astype(np.float32)[:, sample(joined.shape[1], frames, random)].copy()
        clips.append(torch.from_numpy(format_input(clip, people=2)))
    return torch.utils.data.default_collate(clips)


def centre(keypoint: Array) -> Array:
    """The person with the most frames first, about its spine in its first frame."""
    count = keypoint.shape[1]
    if keypoint.sum() == 0:
        return keypoint
    there = [
        [frame for frame in range(count) if not np.all(np.isclose(person[frame], 0))]
        for person in keypoint
    ]
    if len(there) == 2 and len(there[0]) < len(there[1]):
        keypoint = keypoint[:, np.array(there[1])][[1, 0]]
    else:
        keypoint = keypoint[:, np.array(there[0])]
    middle = keypoint[0, 0, 1].copy()
    seen = ((keypoint != 0).sum(-1) > 0)[..., None]
    return np.asarray((keypoint - middle) * seen)


def turn(keypoint: Array, angle: float, random: np.random.RandomState) -> Array:
    """A random rotation of the whole sample, unless it is empty."""
    if np.all(np.isclose(keypoint, 0)):
        return keypoint
    angles = random.uniform(-angle, angle, size=3)
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    matrix = about_z @ (about_y @ about_x)
    return np.asarray(np.einsum("ab,mtvb->mtva", matrix, keypoint))


def bones(keypoint: Array, parents: Sequence[int]) -> Array:
    """Each joint minus its parent, joint by joint."""
    made = np.zeros(keypoint.shape, dtype=np.float32)
    for joint, parent in enumerate(parents):
        made[..., joint, :] = keypoint[..., joint, :] - keypoint[..., parent, :]
    return made


def motion(feature: Array) -> Array:
    """The next frame minus this one, zero at the end."""
    made = np.zeros_like(feature)
    made[:, :-1] = np.diff(feature, axis=1)
    return made


def sample(length: int, frames: int, random: np.random.RandomState) -> Array:
    """The frames of a random clip over the whole sample."""
    random.rand()
    random.randint(1)
    if length < frames:
        start = random.randint(0, length)
        return np.arange(start, start + frames) % length
    if length < 2 * frames:
        skipped = np.zeros(frames + 1, dtype=np.int64)
        skipped[random.choice(frames + 1, length - frames, replace=False)] = 1
        return np.arange(frames) + np.cumsum(skipped)[:-1]
    bounds = np.array([place * length // frames for place in range(frames + 1)])
    return np.asarray(bounds[:-1] + random.randint(np.diff(bounds)))


def format_input(clip: Array, people: int) -> Array:
    """(1, M, T, V, C) of the network's number of people."""
    if len(clip) < people:
        absent = np.zeros((people - len(clip), *clip.shape[1:]), dtype=clip.dtype)
        clip = np.concatenate([clip, absent], axis=0)
    return np.ascontiguousarray(clip[:people][None])
