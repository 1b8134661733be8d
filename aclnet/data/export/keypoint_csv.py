"""Recordings as plain keypoint CSV, which `aclnet.data.formats.keypoint_csv` reads.

A row a frame and person, `frame, person, <joint>_x, <joint>_y[, _z][, _conf]`; the cells of a joint
that was not found are empty, and a frame without anybody is a row of its number alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aclnet.data.export.recordings import Form, number
from aclnet.data.formats.keypoints.frames import BoolArray
from aclnet.data.formats.keypoints.tracks import seen_joints
from aclnet.data.sample import Sample
from aclnet.data.store import Store

_ENDINGS = {"confidence": "conf"}


def _check(store: Store) -> None:
    channels = store.info.channels
    rest = channels[store.info.dims :]
    if channels[: store.info.dims] not in (tuple("xy"), tuple("xyz")) or rest not in (
        (),
        ("confidence",),
    ):
        raise ValueError(
            f"{store.path or store.info.name}: channels {', '.join(channels)} cannot be written as "
            "CSV, only x, y[, z][, confidence]"
        )


def _texts(store: Store, sample: Sample) -> Iterator[tuple[str, str]]:
    channels = [_ENDINGS.get(name, name) for name in store.info.channels]
    head = [f"{joint}_{channel}" for joint in store.layout.joints for channel in channels]
    empty = [""] * len(channels)
    frames, dims = sample.frames, store.info.dims
    seen: BoolArray = seen_joints(frames) if len(channels) > dims else np.any(frames != 0, axis=-1)
    rows = [",".join(["frame", "person", *head])]
    for t, frame in enumerate(sample.numbers.tolist()):
        people = np.flatnonzero(seen[t].any(axis=-1)).tolist()
        for person in people:
            cells = [
                cell
                for joint, there in zip(frames[t, person].tolist(), seen[t, person], strict=True)
                for cell in (map(number, joint) if there else empty)
            ]
            rows.append(",".join([str(frame), str(person + 1), *cells]))
        if not people:
            rows.append(",".join([str(frame), "", *[""] * len(head)]))
    yield "", "\n".join(rows) + "\n"


def _options(store: Store) -> dict[str, str]:
    info = store.info
    size = {"image_size": "x".join(map(str, info.image_size))} if info.image_size else {}
    rate = {"fps": f"{info.fps:g}"} if info.fps else {}
    persons = str(store.frames.shape[1])
    own = {"layout": store.layout.name, "unit": info.unit, **rate, **size}
    return {**own, "persons": persons, "numbers": "frames"}


FORM = Form(".csv", _check, _texts, _options)
"""A file a recording."""
