"""The project's own exchange format: one `.npz` of joints, offsets and per-sample fields.

Keys: `joints` (F, M, V, D) with D 2 or 3, `offsets` (N+1,): sample i is
`joints[offsets[i]:offsets[i+1]]`; and optionally `joint_names` (V,), `bones` (V-1, 2),
`confidence` (F, M, V), `frame_numbers` (F,), each frame's number in its recording, `fps`, one value
or one a sample (NaN: not known), `image_size` (N, 2), width and height (0: not known), and one
value a sample in `subject`, `label` (with `class_names`), `condition`, `view`, `repetition`,
`camera`, `split*`, `sequence_name`: text, or numbers, of which NaN is none. `about` is the
description of the store that was exported (`aclnet.data.export`), as JSON: it says layout, unit and
what else the arrays do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from aclnet.data.formats import Progress, with_progress
from aclnet.data.formats.keypoints.picture_unit import one_unit
from aclnet.data.formats.keypoints.third_number import third_is_score
from aclnet.data.sample import FASTEST_FPS, SCHEMA_VERSION, SLOWEST_FPS, Sample, StoreInfo
from aclnet.foreign.arrays import member_names, read_arrays
from aclnet.foreign.version import json_version, refuse_newer
from aclnet.skeleton import Layout, canonical_name, find_layout, layout_from_dict
from aclnet.skeleton.library import reordered_layout

Arrays = Mapping[str, npt.NDArray[Any]]
Unit = Literal["pixel", "metre", "normalised"]

_CENTRES = ("hip_centre", "spine_base", "pelvis", "torso", "spine", "neck", "nose")
# Above this a 2-D coordinate is a pixel, not a share of a body; shares of a picture are smaller.
_PIXELS_ABOVE = 10.0
_FEW_NEGATIVE = 0.02
_SAID = {"fps", "image_size", "synthetic", "dropped", "notes"}
"""What only the description of an exported store says, besides its layout and unit."""
_ALL_SPLITS = "*"  # in place of a split key: all of them
ABOUT = "about"
FIELD_KEYS = {
    "identity": "subject",
    "condition": "condition",
    "view": "view",
    "take": "repetition",
    "camera": "camera",
}
"""The key of each field of a sample that has one value, text or a number, a sample."""
_KEYS = (
    *("joints", "offsets", "joint_names", "bones", "confidence", "frame_numbers", "fps", "label"),
    *("class_names", "sequence_name", "image_size", ABOUT, *FIELD_KEYS.values()),
)
_SPLITS = {"1": "train", "2": "test"}


def recognises(path: Path) -> bool:
    """Whether it is an `.npz` with joints and offsets."""
    named = path.is_file() and path.suffix.lower() == ".npz"
    return named and {"joints", "offsets"} <= set(member_names(path))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    split: str | None = None,
    confidence: bool = True,
    keep: str = "",
    metres: str = "",
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read an `.npz`; its joints are held in memory while samples are drawn.

    Args:
        path: the file.
        layout: the joints; by default those of `joint_names`, built from `bones` if no shipped
            layout has them.
        progress: called with the number of the sample and their total.
        split: the key to take as the split (such as split_xsub or fold); by default the file's
            only split key. In a split key the numbers 1 and 2 become train and test. "*" takes all
            keys that start with split, as words with a space between: split_xview gives
            xview_train or xview_test, split1 gives 1_train or 1_test, a key that is just split its
            value alone.
        confidence: whether to read `confidence`; without it a joint of confidence 0 keeps its
            position, as some sensors write 0 for joints that they only infer.
        keep: the key of a boolean (or 1 or 0) a sample, such as used_in_cvpr12; samples with False
            are dropped and counted.
        metres: a factor for each coordinate by which it is in metres, such as "-2.56,-1.92,1.28" of
            SBU Kinect Interaction, whose y then points up.

    Raises:
        ValueError: a key is missing, has the wrong shape or does not belong to the layout, the
            third number of joints is a score, samples in pixels and in shares are mixed, or
            `metres` is not one number a coordinate.
    """
    found = read_arrays(path, lambda keys: _read_keys(keys, split, keep, path))
    arrays = {key: _text_of_bytes(array) for key, array in found.items()}
    _check(arrays, path)
    if not confidence:
        arrays.pop("confidence", None)
    key = _split_key(arrays, split, path)
    kept = _kept_samples(arrays, keep, path)
    if metres:
        arrays["joints"] = arrays["joints"] * _factors(metres, arrays["joints"].shape[-1], path)
    columns = _sample_columns(arrays, key, path)
    whole, rates = _rates(arrays)
    about = _about(arrays, layout, columns["sample"], path)
    about["settings"]["split"] = key
    about["unit"] = "metre" if metres else about["unit"]
    about["fps"] = whole or about.get("fps")
    rates = [None if rate == about["fps"] else rate for rate in rates]
    info = StoreInfo.of_file(path, about.pop("layout"), classes=_class_order(arrays), **about)
    if not kept.all():
        info.count_dropped(f"not {keep}", int((~kept).sum()))
    offsets = arrays["offsets"].tolist()

    def samples() -> Iterator[Sample]:
        spans = with_progress(itertools.pairwise(offsets), len(kept), progress)
        for i, (start, end) in enumerate(spans):
            if not kept[i]:
                continue
            if start == end:
                info.count_dropped("empty sequences")
                continue
            fields: dict[str, Any] = {name: values[i] for name, values in columns.items()}
            if "frame_numbers" in arrays:
                fields["frame_numbers"] = arrays["frame_numbers"][start:end]
            if "image_size" in arrays and arrays["image_size"][i].all():
                fields["image_size"] = tuple(arrays["image_size"][i].tolist())
            yield Sample(frames=_frames(arrays, start, end), fps=rates[i], **fields)

    return info, samples()


def _text_of_bytes(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Bytes, as MATLAB and HDF5 have names, as text in UTF-8; other arrays as they are."""
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def _factors(text: str, dims: int, path: Path) -> npt.NDArray[np.float32]:
    """The factors of the option `metres`: (dims,)."""
    try:
        factors = np.array([float(number) for number in text.split(",")], dtype=np.float32)
    except ValueError:
        factors = np.zeros(0, dtype=np.float32)
    if factors.shape != (dims,) or not np.isfinite(factors).all() or not factors.all():
        raise ValueError(
            f"{path}: metres must be {dims} numbers other than 0, one for each coordinate, with "
            f"commas between, got {text[:40]!r}"
        )
    return factors


def _read_keys(keys: list[str], split: str | None, keep: str, path: Path) -> list[str]:
    """The keys to read among those of the file."""
    for key in ("joints", "offsets"):
        if key not in keys:
            raise ValueError(f"{path}: has no key {key!r}; it has {', '.join(keys)}")
    if keep and keep not in keys:
        raise ValueError(f"{path}: no key {keep!r} to keep samples by; it has {', '.join(keys)}")
    return [key for key in keys if key in (*_KEYS, split, keep) or key.startswith("split")]


def _frames(arrays: Arrays, start: int, end: int) -> npt.NDArray[Any]:
    """(T, M, V, C), with the confidence if there is one."""
    frames = arrays["joints"][start:end]
    if "confidence" not in arrays:
        return frames
    return np.concatenate([frames, arrays["confidence"][start:end, ..., None]], axis=-1)


def _about(
    arrays: Arrays, layout: Layout | None, names: Sequence[str], path: Path
) -> dict[str, Any]:
    """What a description says that neither is an option nor stands in keys of its own.

    In a file that was exported the store's description says it.
    """
    said: dict[str, Any] = {"settings": {}}
    joints = arrays["joints"]
    if ABOUT in arrays:
        own = _exported(arrays[ABOUT], path)
        said = own.model_dump(include={*_SAID, "settings", "unit"})
        chosen = layout or layout_from_dict(own.layout, f"{path}: {ABOUT}")
    else:
        chosen = layout or _own_layout(arrays, path)
    if chosen.joint_count != joints.shape[2]:
        raise ValueError(
            f"{path}: joints has {joints.shape[2]} joints, layout {chosen.name} has "
            f"{chosen.joint_count}"
        )
    if "unit" not in said:
        said["unit"] = _unit_of(arrays, names, path)
    channels = ("x", "y", "z")[: joints.shape[3]]
    scored = "confidence" in arrays
    return {**said, "layout": chosen, "channels": (*channels, *["confidence"] * scored)}


def _exported(about: npt.NDArray[Any], path: Path) -> StoreInfo:
    """The description of the store that the file was exported from."""
    problem = "is not text"
    if about.shape == () and about.dtype.kind == "U":
        refuse_newer(path, json_version(str(about), "schema_version"), SCHEMA_VERSION)
        try:
            return StoreInfo.model_validate_json(str(about))
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(map(str, first['loc']))[:40]!r}: {first['msg'][:80]}"
    raise ValueError(f"{path}: {ABOUT}: {problem}; export the store again, or leave the key out")


def _own_layout(arrays: Arrays, path: Path) -> Layout:
    if "joint_names" not in arrays:
        raise ValueError(f"{path}: has no joint_names; name the layout")
    names = [str(name) for name in arrays["joint_names"].tolist()]
    found = find_layout(names)
    if found is None and "bones" not in arrays:
        found = reordered_layout(names)
    if found is not None:
        return found
    if "bones" not in arrays:
        raise ValueError(
            f"{path}: no shipped layout has the joints {', '.join(names)} and the file has no "
            "bones; give a layout file"
        )
    joints = [canonical_name(name) for name in names]
    centre = next((joint for joint in _CENTRES if joint in joints), joints[0])
    bones = [[joints[a], joints[b]] for a, b in arrays["bones"].tolist()]
    data = {"name": path.stem, "joints": joints, "bones": bones, "centre": centre}
    return layout_from_dict(data, f"{path}: joint_names and bones")


def _unit_of(arrays: Arrays, names: Sequence[str], path: Path) -> Unit:
    """2-D is pixel or normalised by its size; 3-D is metre, or normalised.

    Normalised 3-D has x and y counted from an image's corner, so they are hardly ever negative; a
    sensor counts them from its axis.
    """
    joints = arrays["joints"]
    if joints.shape[3] == 3:
        finite = joints[..., :2][np.isfinite(joints[..., :2])]
        return "metre" if (finite < 0).mean() > _FEW_NEGATIVE else "normalised"
    spans = itertools.pairwise(arrays["offsets"].tolist())
    samples = ((name, joints[a:b]) for name, (a, b) in zip(names, spans, strict=True))
    unit, checked = one_unit(
        samples, lambda one: (f"{path}: sample {one[0]!r}", one[1]), _PIXELS_ABOVE
    )
    for _ in checked:
        pass
    return unit or "normalised"


def _check(arrays: Arrays, path: Path) -> None:
    joints, offsets = arrays["joints"], arrays["offsets"]
    if joints.ndim != 4 or joints.shape[3] not in (2, 3) or joints.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: joints must be numbers (frames, persons, joints, 2 or 3), they are "
            f"{joints.dtype} {joints.shape}"
        )
    sound = offsets.ndim == 1 and len(offsets) > 1 and offsets.dtype.kind in "iu"
    if not sound or offsets[0] != 0 or offsets[-1] != len(joints) or (np.diff(offsets) < 0).any():
        raise ValueError(
            f"{path}: offsets must increase from 0 to the {len(joints)} frames of joints, one "
            "number more than there are samples"
        )
    _check_times(arrays, path)
    sizes = arrays.get("image_size", np.zeros((len(offsets) - 1, 2), np.int64))
    if sizes.shape != (len(offsets) - 1, 2) or sizes.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: image_size must be width and height in whole pixels of each of the "
            f"{len(offsets) - 1} samples, it is {sizes.dtype} {sizes.shape}"
        )
    _check_lists(arrays, path)
    if "confidence" in arrays and arrays["confidence"].shape != joints.shape[:3]:
        raise ValueError(
            f"{path}: confidence has shape {arrays['confidence'].shape}, joints needs "
            f"{joints.shape[:3]}"
        )
    scored = joints.shape[3] == 3 and ABOUT not in arrays
    if scored and third_is_score(joints, arrays.get("confidence")):
        raise ValueError(
            f"{path}: the third number of joints looks like a score; write x and y as joints (F, "
            "M, V, 2) and the score as confidence (F, M, V)"
        )


def _rates(arrays: Arrays) -> tuple[float | None, list[float | None]]:
    """Frames a second of all samples, and of each of the N samples that has its own."""
    count = len(arrays["offsets"]) - 1
    if "fps" not in arrays:
        return None, [None] * count
    if arrays["fps"].ndim == 0:
        return float(arrays["fps"]), [None] * count
    rates = arrays["fps"].astype(np.float64)
    return None, [None if np.isnan(rate) else rate for rate in rates.tolist()]


def _check_times(arrays: Arrays, path: Path) -> None:
    frames = len(arrays["joints"])
    if "frame_numbers" in arrays and arrays["frame_numbers"].shape != (frames,):
        raise ValueError(
            f"{path}: frame_numbers has shape {arrays['frame_numbers'].shape}, it must be one "
            f"number for each of the {frames} frames of joints"
        )
    rates, count = arrays.get("fps", np.ones(())), len(arrays["offsets"]) - 1
    sound = rates.dtype.kind in "fiu" and (
        ((rates >= SLOWEST_FPS) & (rates <= FASTEST_FPS)) | (np.isnan(rates) & (rates.ndim > 0))
    )
    if rates.shape not in ((), (count,)) or not np.all(sound):
        raise ValueError(
            f"{path}: fps must be one number from {SLOWEST_FPS:g} to {FASTEST_FPS:g}, or one for "
            f"each of the {count} samples, it is {rates.dtype} {rates.shape}"
        )


def _check_lists(arrays: Arrays, path: Path) -> None:
    for key in ("joint_names", "class_names", "label", "sequence_name", *FIELD_KEYS.values()):
        if key in arrays and arrays[key].ndim != 1:
            raise ValueError(f"{path}: {key} must be one list, it has shape {arrays[key].shape}")
    bones, joints = arrays.get("bones", np.zeros((0, 2), int)), arrays["joints"].shape[2]
    pairs = bones.shape[1:] == (2,) and bones.dtype.kind in "iu"
    if not pairs or ((bones < 0) | (bones >= joints)).any():
        raise ValueError(f"{path}: bones must be pairs of whole numbers from 0 to {joints - 1}")


def _sample_columns(arrays: Arrays, split: str, path: Path) -> dict[str, list[str]]:
    """The fields of the N samples, by a `Sample`'s field name; `split` as of `_split_key`."""
    count = len(arrays["offsets"]) - 1
    columns = {field: _texts(arrays[key]) for field, key in FIELD_KEYS.items() if key in arrays}
    if "label" in arrays:
        columns["label"] = _labels(arrays, path)
    if split == _ALL_SPLITS:
        columns["split"] = _all_splits(arrays, path)
    elif split:
        columns["split"] = _split_values(arrays, split)
    if "sequence_name" in arrays:
        columns["sample"] = [str(name) for name in arrays["sequence_name"].tolist()]
    else:
        columns["sample"] = [f"{path.stem}-{i:05d}" for i in range(count)]
    for field, texts in columns.items():
        if len(texts) != count:
            raise ValueError(f"{path}: {len(texts)} values of {field} for {count} samples")
    return columns


def _texts(values: npt.NDArray[Any]) -> list[str]:
    """Names and numbers as text: NaN is none, as pandas has it, and 1.0 is 1."""
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    whole = (int(value) if value.is_integer() else value for value in values.tolist())
    return ["" if value != value else str(value) for value in whole]


def _split_key(arrays: Arrays, split: str | None, path: Path) -> str:
    """The split key to read: the one named, or else the only one, or none ("")."""
    present = [key for key in arrays if key.startswith("split")]
    if split is None:
        return present[0] if len(present) == 1 else ""
    if split == _ALL_SPLITS and present:
        return split
    if split and (split not in arrays or arrays[split].ndim != 1):
        raise ValueError(f"{path}: no split {split!r}; it has {', '.join(present) or 'none'}")
    return split


def _kept_samples(arrays: Arrays, key: str, path: Path) -> npt.NDArray[np.bool_]:
    """Which samples the values of a key keep: (N,); all without a key."""
    count = len(arrays["offsets"]) - 1
    if not key:
        return np.ones(count, dtype=np.bool_)
    values = arrays[key]
    sound = values.shape == (count,) and values.dtype.kind in "bui"
    if not sound or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{path}: {key} must be {count} times True or False (or 1 or 0) to keep samples by, it "
            f"is {values.dtype} {values.shape}"
        )
    return values.astype(np.bool_)


def _class_order(arrays: Arrays) -> tuple[str, ...]:
    """The K class names in their order, if there are labels and no name appears twice."""
    if not {"label", "class_names"} <= set(arrays):
        return ()
    names = tuple(str(name) for name in arrays["class_names"].tolist())
    return names if len(set(names)) == len(names) and "" not in names else ()


def _labels(arrays: Arrays, path: Path) -> list[str]:
    labels = arrays["label"].tolist()
    if "class_names" not in arrays:
        return _texts(arrays["label"])
    names = arrays["class_names"].tolist()
    if arrays["label"].dtype.kind not in "iu":
        raise ValueError(
            f"{path}: label must be whole numbers, the places in class_names, it is "
            f"{arrays['label'].dtype}; leave class_names out where labels are names"
        )
    for label in labels:
        if not 0 <= label < len(names):
            raise ValueError(f"{path}: label {label} has no name, class_names has {len(names)}")
    return [str(names[label]) for label in labels]


def _split_values(arrays: Arrays, key: str) -> list[str]:
    values = _texts(np.atleast_1d(arrays[key]))
    named = arrays[key].dtype.kind in "biuf" and set(values) <= set(_SPLITS)
    named &= key.startswith("split")
    return [_SPLITS[value] for value in values] if named else values


def _all_splits(arrays: Arrays, path: Path) -> list[str]:
    """One text a sample: its value in each split key, after the key's own part of its name."""
    count = len(arrays["offsets"]) - 1
    columns = []
    for key in (key for key in arrays if key.startswith("split")):
        values = _split_values(arrays, key) if arrays[key].shape == (count,) else []
        if len(values) != count or any(len(value.split()) != 1 for value in values):
            raise ValueError(f"{path}: {key} must have one word or number per sample")
        name = key.removeprefix("split").lstrip("_")
        columns.append([f"{name}_{value}" if name else value for value in values])
    return [" ".join(words) for words in zip(*columns, strict=True)]
