"""Recordings as OpenSim's TRC, which `aclnet.data.formats.mocap.trc` reads.

Source: OpenSim's documentation, "Marker (.trc) files". Tabs between the cells, metres, y up, a file
a person; the cells of a joint that was not found are empty. A frame's number is counted from 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aclnet.data.export.recordings import Form, number
from aclnet.data.formats.keypoints.frames import BoolArray
from aclnet.data.formats.keypoints.labels import PERSON
from aclnet.data.sample import Sample
from aclnet.data.store import Store


def _check(store: Store) -> None:
    info, where = store.info, store.path or store.info.name
    if info.channels[:3] != ("x", "y", "z") or info.unit != "metre":
        raise ValueError(
            f"{where}: TRC holds positions in metres, but the store has {', '.join(info.channels)} "
            f"({info.unit})"
        )
    lacking = [row for row in range(len(store)) if store.fps(row) is None]
    if lacking:
        raise ValueError(
            f"sample {store.index['sample'].iat[lacking[0]]!r}: TRC needs the frame rate, which is "
            "unknown: convert the recordings with --fps"
        )


def _texts(store: Store, sample: Sample) -> Iterator[tuple[str, str]]:
    rate = float(sample.fps or store.info.fps or 0.0)
    numbers, persons = sample.numbers, sample.frames.shape[1]
    joints = store.layout.joints
    about = {
        "DataRate": f"{rate:.9g}",
        "CameraRate": f"{rate:.9g}",
        "NumFrames": len(numbers),
        "NumMarkers": len(joints),
        "Units": "m",
        "OrigDataRate": f"{rate:.9g}",
        "OrigDataStartFrame": int(numbers[:1].sum()) + 1,
        "OrigNumFrames": len(numbers),
    }
    axes = (f"{axis}{place}" for place in range(1, len(joints) + 1) for axis in "XYZ")
    head: list[list[str]] = [
        ["PathFileType", "4", "(X/Y/Z)", f"{sample.sample.rpartition('/')[2]}.trc"],
        list(about),
        [str(value) for value in about.values()],
        ["Frame#", "Time", *(cell for joint in joints for cell in (joint, "", ""))],
        ["", "", *axes],
        [""],
    ]
    for person in range(persons):
        places = sample.frames[:, person, :, :3]
        if persons > 1 and not places.any():
            continue
        seen: BoolArray = np.any(places != 0, axis=-1)
        rows = [
            [str(frame + 1), f"{frame / rate:.9g}", *_cells(places[t], seen[t])]
            for t, frame in enumerate(numbers.tolist())
        ]
        text = "\n".join("\t".join(row) for row in (*head, *rows))
        yield f"{PERSON}{person + 1}" if persons > 1 else "", text + "\n"


def _cells(places: np.ndarray, seen: np.ndarray) -> Iterator[str]:
    for place, there in zip(places.tolist(), seen.tolist(), strict=True):
        yield from map(number, place) if there else ("", "", "")


FORM = Form(".trc", _check, _texts, lambda store: {"layout": store.layout.name})
"""A file a recording and person."""
