"""What is wrong with a store, each finding with the sample and the field that it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from aclnet.data.sample import FIELDS
from aclnet.data.store import Store, file_fingerprint

Severity = Literal["error", "warning"]

_UNBALANCED = 10.0
"""From this ratio of the largest to the smallest group on, the groups are called unbalanced."""
_MANY_EMPTY = 0.1
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `sample` is a key, or empty where it is about the whole store."""

    sample: str
    field: str
    problem: str
    severity: Severity


def validate(
    store: Store, min_frames: int = 10, progress: Callable[[int, int], None] | None = None
) -> list[Finding]:
    """Look at every frame and every row of a store.

    Args:
        store: the store; its fingerprint is checked where it lies in a folder.
        min_frames: samples with fewer frames are called short.
        progress: told the samples checked and the samples there are.

    Returns:
        What is wrong: first the store as a whole, then sample by sample, then the groups.
    """
    findings = list(_whole(store))
    if any(finding.severity == "error" and finding.field == "frames" for finding in findings):
        return findings
    seen: dict[bytes, int] = {}
    for i in range(len(store)):
        findings += _one(store, i, min_frames, seen)
        if progress:
            progress(i + 1, len(store))
    for field in ("identity", "label"):
        findings += _groups(store, field)
    findings += _missing_fields(store)
    return findings


def _whole(store: Store) -> Iterator[Finding]:
    joints, channels = store.frames.shape[2:]
    if joints != store.layout.joint_count:
        yield Finding(
            "",
            "frames",
            f"{joints} joints a frame, layout {store.layout.name} has {store.layout.joint_count}",
            "error",
        )
    if channels != len(store.info.channels):
        names = ", ".join(store.info.channels)
        yield Finding("", "frames", f"{channels} channels, the store says {names}", "error")
    if len(store) == 0:
        yield Finding("", "index", "there is no sample", "error")
    if store.path is not None and file_fingerprint(store.path) != store.info.fingerprint:
        yield Finding(
            "",
            "fingerprint",
            "the files are not those that were written (damaged or edited); convert again",
            "error",
        )


def _one(store: Store, i: int, min_frames: int, seen: dict[bytes, int]) -> list[Finding]:
    sample = str(store.index["sample"].iat[i])
    start, length = int(store.starts[i]), int(store.lengths[i])
    if length < 0 or start < 0 or start + length > len(store.frames):
        problem = (
            f"frames {start} to {start + length} are asked, there are {len(store.frames)} in all"
        )
        return [Finding(sample, "length", problem, "error")]
    if length == 0:
        return [Finding(sample, "frames", "empty: no frame", "error")]
    findings = []
    if length < min_frames:
        problem = f"short: {length} frames, fewer than {min_frames}"
        findings.append(Finding(sample, "length", problem, "warning"))
    clip = store.clip(i)
    problems = [
        *_not_finite(store, clip),
        *_zero_skeletons(store, clip),
        *_confidences(store, clip),
    ]
    findings += [Finding(sample, *problem) for problem in problems]
    if clip.any():
        digest = hashlib.sha256(clip.tobytes()).digest()
        first = seen.setdefault(digest, i)
        if first != i:
            findings.append(_duplicate(store, i, first))
    return findings


Problem = tuple[str, str, Severity]
Clip = npt.NDArray[np.float32]


def _not_finite(store: Store, clip: Clip) -> Iterator[Problem]:
    bad = ~np.isfinite(clip)
    if bad.any():
        frame, person, joint, channel = (int(place) for place in np.argwhere(bad)[0])
        yield (
            store.info.channels[channel],
            f"{int(bad.sum())} values are NaN or infinite, the first in frame {frame}, person "
            f"{person}, joint {store.layout.joints[joint]}",
            "error",
        )


def _zero_skeletons(store: Store, clip: Clip) -> Iterator[Problem]:
    share = float((clip[..., : store.info.dims] == 0).all(axis=(1, 2, 3)).mean())
    if share == 1:
        yield "frames", "zero skeleton: every joint is zero in every frame", "error"
    elif share > _MANY_EMPTY:
        yield (
            "frames",
            f"zero skeleton: every joint is zero in {share:.0%} of the frames",
            "warning",
        )


def _confidences(store: Store, clip: Clip) -> Iterator[Problem]:
    if "confidence" not in store.info.channels:
        return
    values = clip[..., store.info.channels.index("confidence")]
    if np.any((values < 0) | (values > 1)):
        low, high = float(values.min()), float(values.max())
        yield "confidence", f"outside 0..1: from {low:.3g} to {high:.3g}", "warning"


def _duplicate(store: Store, i: int, first: int) -> Finding:
    one, other = store.index.iloc[i], store.index.iloc[first]
    problem = f"duplicate of sample {other['sample']}, the same numbers"
    apart = [name for name in ("identity", "label", "split") if one[name] != other[name]]
    if apart:
        says = " and ".join(f"{name} {one[name]!r} against {other[name]!r}" for name in apart)
        problem += f", with {says}"
    contradiction = {"identity", "label"} & set(apart)
    return Finding(str(one["sample"]), "frames", problem, "error" if contradiction else "warning")


def _groups(store: Store, field: str) -> Iterator[Finding]:
    counts = store.index[field][store.index[field] != ""].value_counts()
    if counts.empty:
        return
    if len(counts) == 1:
        problem = (
            f"constant: all {int(counts.iloc[0])} samples that have one have {counts.index[0]!r}"
        )
        yield Finding("", field, problem, "warning")
        return
    largest, smallest = int(counts.iloc[0]), int(counts.iloc[-1])
    if largest >= _UNBALANCED * smallest:
        yield Finding(
            "",
            field,
            f"unbalanced: {counts.index[0]!r} has {largest} samples, {counts.index[-1]!r} "
            f"{smallest}",
            "warning",
        )
    alone = sorted(str(name) for name in counts.index[counts == 1])
    if alone:
        names = ", ".join(alone[:_NAMED]) + (", …" if len(alone) > _NAMED else "")
        problem = f"{len(alone)} of {len(counts)} have one sample only: {names}"
        yield Finding("", field, problem, "warning")


def _missing_fields(store: Store) -> Iterator[Finding]:
    index = store.index
    if (index["identity"] == "").all() and (index["label"] == "").all() and len(store):
        yield Finding("", "identity", "no sample has an identity or a label", "warning")
    for field in FIELDS:
        lacking = index["sample"][index[field] == ""]
        if 0 < len(lacking) < len(store):
            problem = f"missing, as in {len(lacking)} of {len(store)} samples"
            yield Finding(str(lacking.iloc[0]), field, problem, "warning")
