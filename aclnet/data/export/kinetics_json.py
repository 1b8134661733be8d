"""Recordings as ST-GCN's Kinetics-skeleton JSON, which `aclnet.data.formats.kinetics_json` reads.

Coordinates are shares of the image. ST-GCN's own table of labels, `OUT_label.json`, lies beside the
folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from aclnet.data.export.recordings import Form, number
from aclnet.data.formats.keypoints.frames import BoolArray
from aclnet.data.formats.keypoints.tracks import seen_joints
from aclnet.data.sample import Sample
from aclnet.data.store import Store

_TABLE = "_label"


def _check(store: Store) -> None:
    info, where = store.info, store.path or store.info.name
    if info.channels[:2] != ("x", "y") or info.channels[2:] not in ((), ("confidence",)):
        raise ValueError(
            f"{where}: Kinetics JSON holds x, y and a score, but the store has "
            f"{', '.join(info.channels)}"
        )
    sized = info.unit == "normalised" or not np.isnan(store.image_width).any()
    if not sized or info.unit == "metre":
        raise ValueError(
            f"{where}: Kinetics JSON holds fractions of the image size, but the store has "
            f"{info.unit}s of images of unknown size: convert the recordings with --image-size"
        )
    named = store.index["sample"].str.endswith(_TABLE)
    if named.any():
        raise ValueError(
            f"sample {store.index['sample'].iat[int(named.argmax())]!r}: files that end in "
            f"{_TABLE} are tables of labels; rename it"
        )


def _texts(store: Store, sample: Sample) -> Iterator[tuple[str, str]]:
    frames = sample.frames
    scored = len(store.info.channels) > 2
    seen: BoolArray = seen_joints(frames) if scored else np.any(frames != 0, axis=-1)
    size = sample.image_size or store.info.image_size
    if store.info.unit == "pixel" and size:
        frames = np.concatenate([frames[..., :2] / size, frames[..., 2:]], axis=-1)
    data = []
    for t, frame in enumerate(sample.numbers.tolist()):
        people = np.flatnonzero(seen[t].any(axis=-1)).tolist()
        skeleton = []
        for person in people:
            own = np.where(seen[t, person, :, None], frames[t, person], 0)
            score = own[:, 2] if scored else seen[t, person]
            skeleton.append({"pose": _numbers(own[:, :2]), "score": _numbers(score)})
        data.append({"frame_index": frame, "skeleton": skeleton})
    about = {"label": sample.label, "label_index": _classes(store).get(sample.label, -1)}
    yield "", json.dumps({"data": data, **about}, ensure_ascii=False) + "\n"


def _beside(store: Store) -> dict[str, str]:
    numbers = _classes(store)
    rows = zip(store.index["sample"], store.index["label"], strict=True)
    table = {
        key: {"has_skeleton": True, "label": label, "label_index": numbers.get(label, -1)}
        for key, label in rows
    }
    return {f"{_TABLE}.json": json.dumps(table, ensure_ascii=False, indent=1) + "\n"}


def _options(store: Store) -> dict[str, str]:
    rate = {"fps": f"{store.info.fps:g}"} if store.info.fps else {}
    return {"layout": store.layout.name, **rate, "persons": str(store.frames.shape[1])}


def _classes(store: Store) -> dict[str, int]:
    names = store.info.classes or sorted(set(store.index["label"]) - {""})
    return {name: place for place, name in enumerate(names)}


def _numbers(values: np.ndarray) -> list[float]:
    return [float(number(value)) for value in values.ravel().tolist()]


FORM = Form(".json", _check, _texts, _options, _beside)
"""A file a recording, with its label."""
