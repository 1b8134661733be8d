"""Checking a store: each finding names the sample and the field that it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.degrade import seen_joints
from aclnet.data.sample import FIELDS
from aclnet.data.store import Store, file_fingerprint

Severity = Literal["error", "warning"]
Problem = tuple[str, str, Severity]
"""Field, problem and severity."""
Clip = npt.NDArray[np.float32]

_UNBALANCED = 10.0
"""From this ratio of the largest to the smallest group on, the groups are called unbalanced."""
_MANY_EMPTY = 0.1
_MANY_LOST = 0.01
"""Share of missing joints."""
_NAMED = 3


class Finding(NamedTuple):
    """One fault: `sample` is a key, or empty where it is about the whole store."""

    sample: str
    field: str
    problem: str
    severity: Severity


def validate(
    store: Store, min_frames: int = 10, progress: Callable[[int, int], None] | None = None
) -> list[Finding]:
    """Check every frame and every row of a store.

    Args:
        store: the store; its fingerprint is checked if it lies in a folder.
        min_frames: samples with fewer frames are called short.
        progress: called with the number of samples checked and their total.

    Returns:
        The faults: first of the store as a whole, then sample by sample, then of the groups.
    """
    findings = [Finding("", field, problem, "error") for field, problem in _whole(store)]
    if any(finding.field == "frames" for finding in findings):
        return findings
    seen: dict[bytes, int] = {}
    lost = np.zeros((2, store.layout.joint_count), dtype=np.int64)
    for i, sample in enumerate(store.index["sample"]):
        findings += [Finding(str(sample), *problem) for problem in _one(store, i, min_frames, seen)]
        lost += _lost(store, i)
        if progress:
            progress(i + 1, len(store))
    findings += [Finding("", "frames", problem, "warning") for problem in _lost_joints(store, lost)]
    for field in ("identity", "label"):
        findings += [Finding("", field, problem, "warning") for problem in _groups(store, field)]
    findings += _missing_fields(store)
    return findings


def _whole(store: Store) -> Iterator[tuple[str, str]]:
    joints, channels = store.frames.shape[2:]
    layout = store.layout
    if joints != layout.joint_count:
        problem = f"{joints} joints per frame, layout {layout.name} has {layout.joint_count}"
        yield "frames", problem
    if channels != len(store.info.channels):
        yield "frames", f"{channels} channels, the description has {', '.join(store.info.channels)}"
    if len(store) == 0:
        yield "index", "there is no sample"
    if store.path is not None and file_fingerprint(store.path) != store.info.fingerprint:
        problem = (
            "the files have changed since they were written (damaged or edited); convert again"
        )
        yield "fingerprint", problem


def _one(store: Store, i: int, min_frames: int, seen: dict[bytes, int]) -> Iterator[Problem]:
    start, length = int(store.starts[i]), int(store.lengths[i])
    if length < 0 or start < 0 or start + length > len(store.frames):
        problem = f"it has frames {start} to {start + length} of {len(store.frames)} in all"
        yield "length", problem, "error"
        return
    if length == 0:
        yield "frames", "empty: no frame", "error"
        return
    if length < min_frames:
        yield "length", f"short: {length} frames, fewer than {min_frames}", "warning"
    clip = np.asarray(store.frames[start : start + length], dtype=np.float32)
    try:
        store.frame_numbers(i)
    except ValueError as error:
        yield "frames", str(error), "error"
        return
    yield from _not_finite(store, i, clip)
    yield from _zero_skeletons(store, clip)
    yield from _confidences(store, clip)
    if clip.any():
        first = seen.setdefault(hashlib.sha256(clip.tobytes()).digest(), i)
        if first != i:
            yield _duplicate(store, i, first)


def _not_finite(store: Store, i: int, clip: Clip) -> Iterator[Problem]:
    bad = np.argwhere(~np.isfinite(clip))
    if len(bad):
        frame, person, joint, channel = bad[0].tolist()
        yield (
            store.info.channels[channel],
            f"{len(bad)} values are NaN or infinite, the first in frame "
            f"{store.frame_numbers(i)[frame]}, person {person}, joint {store.layout.joints[joint]}",
            "error",
        )


def _zero_skeletons(store: Store, clip: Clip) -> Iterator[Problem]:
    share = float((clip[..., : store.info.dims] == 0).all(axis=(1, 2, 3)).mean())
    if share == 1:
        yield "frames", "zero skeleton: every joint is zero in every frame", "error"
    elif share > _MANY_EMPTY:
        problem = f"zero skeleton: every joint is zero in {share:.0%} of the frames"
        yield "frames", problem, "warning"


def _confidences(store: Store, clip: Clip) -> Iterator[Problem]:
    if "confidence" not in store.info.channels:
        return
    values = clip[..., store.info.channels.index("confidence")]
    if np.any((values < 0) | (values > 1)):
        low, high = float(values.min()), float(values.max())
        yield "confidence", f"outside 0..1: from {low:.3g} to {high:.3g}", "warning"


def _lost(store: Store, i: int) -> npt.NDArray[np.int64]:
    """How often each joint is missing where its person is seen, and how often they are: (2, V)."""
    start, length = max(int(store.starts[i]), 0), max(int(store.lengths[i]), 0)
    seen = seen_joints(store.frames[start : start + length], store.info.dims)
    there = seen.any(axis=2, keepdims=True)
    return np.stack([one.sum(axis=(0, 1)) for one in (there & ~seen, there | seen)])


def _lost_joints(store: Store, lost: npt.NDArray[np.int64]) -> Iterator[str]:
    missing, whole = lost
    if missing.sum() > _MANY_LOST * whole.sum():
        most = int(missing.argmax())
        yield (
            f"{missing.sum() / whole.sum():.1%} of the joints are missing in frames that show "
            f"their person, {store.layout.joints[most]} most often "
            f"({missing[most] / whole[most]:.0%}): see data.fill_gaps and clip.missing"
        )


def _duplicate(store: Store, i: int, first: int) -> Problem:
    one, other = store.index.iloc[i], store.index.iloc[first]
    problem = f"duplicate of sample {other['sample']}, the same numbers"
    apart = [name for name in ("identity", "label", "split") if one[name] != other[name]]
    if apart:
        values = (f"{name} {one[name]!r} against {other[name]!r}" for name in apart)
        problem += f", with {' and '.join(values)}"
    contradiction = {"identity", "label"} & set(apart)
    return "frames", problem, "error" if contradiction else "warning"


def _groups(store: Store, field: str) -> Iterator[str]:
    """The problems of the groups that a field makes."""
    counts = store.index[field][store.index[field] != ""].value_counts()
    if counts.empty:
        return
    largest, smallest = int(counts.iloc[0]), int(counts.iloc[-1])
    if len(counts) == 1:
        yield f"constant: all {largest} samples with a value have {counts.index[0]!r}"
        return
    if largest >= _UNBALANCED * smallest:
        yield (
            f"unbalanced: {counts.index[0]!r} has {largest} samples, {counts.index[-1]!r} "
            f"{smallest}"
        )
    alone = sorted(str(name) for name in counts.index[counts == 1])
    if alone:
        names = ", ".join(alone[:_NAMED]) + (", …" if len(alone) > _NAMED else "")
        yield f"{len(alone)} of {len(counts)} have only one sample: {names}"


def _missing_fields(store: Store) -> Iterator[Finding]:
    index = store.index
    if (index["identity"] == "").all() and (index["label"] == "").all() and len(store):
        yield Finding("", "identity", "no sample has an identity or a label", "warning")
    for field in FIELDS:
        lacking = index["sample"][index[field] == ""]
        if 0 < len(lacking) < len(store):
            problem = f"missing, as in {len(lacking)} of {len(store)} samples"
            yield Finding(str(lacking.iloc[0]), field, problem, "warning")
