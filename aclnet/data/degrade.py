"""Recordings made worse by a known amount: noise, missing joints, fewer frames.

What is drawn depends on the seed and on the recording's key alone: recordings do not change each
other, and a higher level of a kind adds to what a lower one did (the same noise, larger; the same
joints, and more).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from aclnet.data.sample import Frames, Sample
from aclnet.seeding import derive_seed

Kind = Literal["noise", "joints", "gaps", "length", "rate"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Mask = npt.NDArray[np.bool_]


def degrade(sample: Sample, kind: Kind, level: float, dims: int, seed: int = 0) -> Sample:
    """Make a recording worse.

    Args:
        sample: frames (T, M, V, C); a joint that was not seen has confidence 0 or, without a
            confidence, zeros.
        kind: "noise": normal noise on the coordinates of every seen joint, in every frame anew, its
            standard deviation `level` times the body's size (`body_size`); "joints": a share
            `level` of each person's joints is absent in all frames; "gaps": a share `level` of all
            single joints in single frames is absent; "length": the share `level` of the frames in
            the middle; "rate": the share `level` of the frames, at equal steps, so 1, 1/2, 1/3 ...
        level: strength; 0 of the first three and 1 of the others give the sample itself.
        dims: coordinates a joint; a further channel is the confidence.
        seed: of what is drawn.

    Returns:
        The sample with other frames, which keep their numbers. Absent joints are zero in all
        channels, as undetected ones are.

    Raises:
        ValueError: the kind is unknown, or there is no such level of it.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known kinds are {', '.join(KINDS)}")
    keeps = kind in ("length", "rate")
    if not 0 <= level <= (np.inf if kind == "noise" else 1) or (keeps and level == 0):
        raise ValueError(f"{kind}: {level:g} is not a level; expected a share of {_OF[kind]}")
    if level == int(keeps):
        return sample
    if kind == "length":
        return _middle(sample, level)
    if kind == "rate":
        return _thinned(sample, level)
    generator = np.random.default_rng(derive_seed(f"{kind} {sample.sample}", seed))
    return replace(sample, frames=_CHANGES[kind](sample.frames, level, dims, generator))


def body_size(frames: Frames, dims: int) -> float:
    """Root mean square distance of a body's seen joints from their mean, in the joints' unit.

    The median over all frames and people with two seen joints or more; 0 where there is none. Of
    somebody who stands it is about the length of the torso.

    Args:
        frames: (T, M, V, C).
        dims: coordinates a joint.
    """
    seen = seen_joints(frames, dims)[..., None]
    count = seen.sum(axis=2, keepdims=True)
    places = frames[..., :dims].astype(np.float64)
    middle = (places * seen).sum(axis=2, keepdims=True) / np.maximum(count, 1)
    square = (np.square(places - middle) * seen).sum(axis=(2, 3))
    several = count[:, :, 0, 0] > 1
    extent = np.sqrt(square[several] / count[:, :, 0, 0][several])
    return float(np.median(extent)) if len(extent) else 0.0


def seen_joints(frames: Frames, dims: int) -> Mask:
    """Which joints were seen: confidence above 0, or (without one) any coordinate not 0.

    Args:
        frames: (T, M, V, C).
        dims: coordinates a joint.

    Returns:
        bool (T, M, V).
    """
    seen = frames[..., dims] > 0 if frames.shape[-1] > dims else (frames != 0).any(axis=-1)
    return np.asarray(seen, dtype=np.bool_)


def _with_noise(frames: Frames, level: float, dims: int, generator: np.random.Generator) -> Frames:
    made = frames.copy()
    drawn = generator.standard_normal((*frames.shape[:-1], dims))
    drawn *= level * body_size(frames, dims) * seen_joints(frames, dims)[..., None]
    made[..., :dims] += drawn.astype(frames.dtype)
    return made


def _without_joints(
    frames: Frames, level: float, dims: int, generator: np.random.Generator
) -> Frames:
    made = frames.copy()
    seen = seen_joints(frames, dims)
    for person in range(frames.shape[1]):
        joints = generator.permutation(np.flatnonzero(seen[:, person].any(axis=0)))
        made[:, person, joints[: round(level * len(joints))]] = 0
    return made


def _with_gaps(frames: Frames, level: float, dims: int, generator: np.random.Generator) -> Frames:
    made = frames.copy()
    places = generator.permutation(np.argwhere(seen_joints(frames, dims)))
    made[tuple(places[: round(level * len(places))].T)] = 0
    return made


def _middle(sample: Sample, share: float) -> Sample:
    length = len(sample.frames)
    kept = max(int(share * length), 1)
    first = (length - kept) // 2
    return sample.keep(slice(first, first + kept))


def _thinned(sample: Sample, share: float) -> Sample:
    step = round(1 / share)
    if abs(share * step - 1) > _ROUNDING:
        raise ValueError(f"rate: {share:g} is not a level: every nth frame is 1/n, such as 0.5")
    return sample.keep(slice(None, None, step))


_ROUNDING = 1e-2
"""0.33 is every third frame."""

_OF: dict[Kind, str] = {
    "noise": "the body's size, 0 or more",
    "joints": "the joints, from 0 to 1",
    "gaps": "the joints, from 0 to 1",
    "length": "the frames, above 0 and at most 1",
    "rate": "the frames, above 0 and at most 1",
}

_CHANGES: dict[str, Callable[[Frames, float, int, np.random.Generator], Frames]] = {
    "noise": _with_noise,
    "joints": _without_joints,
    "gaps": _with_gaps,
}
