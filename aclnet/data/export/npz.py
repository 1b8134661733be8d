"""A store as the arrays of an `.npz` file, which `aclnet.data.formats.npz` reads back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats import Progress
from aclnet.data.formats.npz import ABOUT, FIELD_KEYS
from aclnet.data.sample import FPS_COLUMN, FRAMES_COLUMN, SIZE_COLUMN
from aclnet.data.store import Store
from aclnet.files import whole_file

_COORDINATES = (("x", "y"), ("x", "y", "z"))


def write_npz(store: Store, out: Path, _: Progress | None = None) -> None:
    """Write a store as one file, whole or not at all.

    Raises:
        ValueError: as of `npz_arrays`.
    """
    arrays = npz_arrays(store)
    with whole_file(out) as draft:
        np.savez(draft, allow_pickle=False, **arrays)


def npz_arrays(store: Store) -> dict[str, npt.NDArray[Any]]:
    """The N samples of a store, F frames in all, as the arrays of the exchange format.

    Frames are the recordings' own (`frame_numbers`, `fps`); what only a store's description says
    (layout, unit, what was left out) is text under `about`.

    Returns:
        By key as in `aclnet.data.formats.npz`, of the store's type: bit-equal frames.

    Raises:
        ValueError: the channels are not x, y[, z][, confidence], or frame numbers are damaged.
    """
    info, index = store.info, store.index
    coordinates, dims = tuple(info.channels[: info.dims]), info.dims
    if coordinates not in _COORDINATES or info.channels[dims:] not in ((), ("confidence",)):
        raise ValueError(
            f"{store.path or info.name}: channels {', '.join(info.channels)} cannot be exported, "
            "only x, y[, z][, confidence]"
        )
    spans = zip(store.starts.tolist(), store.lengths.tolist(), strict=True)
    frames = np.concatenate([store.frames[start : start + count] for start, count in spans])
    arrays: dict[str, npt.NDArray[Any]] = {
        "joints": frames[..., :dims],
        "offsets": np.concatenate([[0], np.cumsum(store.lengths)]).astype(np.int64),
        "joint_names": _texts(store.layout.joints),
        "bones": np.array(
            [[store.layout.index(joint) for joint in bone] for bone in store.layout.bones],
            dtype=np.int64,
        ).reshape(-1, 2),
        "sequence_name": _texts(index["sample"]),
    }
    if len(info.channels) > dims:
        arrays["confidence"] = frames[..., dims]
    for field, key in {**FIELD_KEYS, "split": "split"}.items():
        if (index[field] != "").any():
            arrays[key] = _texts(index[field])
    if info.classes:
        number = {name: place for place, name in enumerate(info.classes)}
        arrays["class_names"] = _texts(info.classes)
        arrays["label"] = np.array([number[label] for label in index["label"]], dtype=np.int64)
    elif (index["label"] != "").any():
        arrays["label"] = _texts(index["label"])
    arrays |= _times(store)
    if SIZE_COLUMN in index:
        sizes = [size.partition("x")[::2] if size else (0, 0) for size in index[SIZE_COLUMN]]
        arrays["image_size"] = np.array(sizes, dtype=np.int64).reshape(-1, 2)
    about = info.model_dump(mode="json", exclude={"fingerprint"})
    arrays[ABOUT] = np.array(json.dumps(about, ensure_ascii=False))
    return arrays


def _times(store: Store) -> dict[str, npt.NDArray[Any]]:
    """Frame numbers (F,) and frames per second, one value or (N,), NaN where they are not known."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    rows = range(len(store))
    if FRAMES_COLUMN in store.index:
        arrays["frame_numbers"] = np.concatenate([store.frame_numbers(row) for row in rows])
    if FPS_COLUMN in store.index:
        rates = [store.fps(row) for row in rows]
        arrays["fps"] = np.array([np.nan if one is None else one for one in rates])
    elif store.info.fps is not None:
        arrays["fps"] = np.array(store.info.fps)
    return arrays


def _texts(values: Any) -> npt.NDArray[np.str_]:
    return np.array(list(values), dtype=np.str_)
