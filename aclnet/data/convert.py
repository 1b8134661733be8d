"""Converting a file of any format to a store, optionally in another layout, main person first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from aclnet.data.formats import Progress, read
from aclnet.data.gaps import fill_samples
from aclnet.data.names import composed
from aclnet.data.prepare import layout_centre, prepare_sample
from aclnet.data.resample import resample_samples
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.settings import KeptBy
from aclnet.data.store import Store, write_store
from aclnet.skeleton import Layout, layout_from_dict, load_layout
from aclnet.skeleton.mapping import map_joints, same_joints
from aclnet.skeleton.names import nearest_name

Where = Mapping[KeptBy, Collection[str]] | Mapping[str, Collection[str]]

KEPT_BY = get_args(KeptBy)
"""Fields by whose values samples can be kept."""


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: str | None = None,
    layout: Layout | str | Path | None = None,
    map_to: Layout | str | Path | None = None,
    prepare: Literal["none", "main_person"] = "none",
    fill_gaps: float | None = None,
    resample_fps: float | None = None,
    upsample: bool = False,
    where: Where | None = None,
    min_frames: int = 0,
    dtype: Literal["float32", "float16"] = "float32",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Store:
    """Write a store from a file or folder that one of the readers understands.

    Args:
        source: the file or folder.
        target: the store's folder.
        format: as `aclnet.data.formats.read`.
        layout: the joints of the source, where it does not name them.
        map_to: the layout of the store; joints are found by name, or derived from others by that
            layout's rules (coco20 from coco17).
        prepare: "main_person": the main person first, its empty frames dropped and counted, the
            recording centred on its spine (`aclnet.data.prepare`, the release's 3-D preparation).
        fill_gaps: seconds of the longest gap of a joint that is filled (`aclnet.data.gaps`).
        resample_fps: frames per second to bring faster recordings down to (`aclnet.data.resample`).
        upsample: bring slower ones up to it too.
        where: wanted values by field, such as {"label": ["walk"]}; other samples are dropped and
            counted (see `keep_samples`).
        min_frames: sequences that are shorter in the source are dropped and counted.
        dtype: of the stored frames.
        overwrite: replace an existing store.
        progress: called with the amount read and the total.
        **options: the format's own options.

    Raises:
        ValueError: the source, an option or the target is invalid; nothing is written then.
    """
    info, samples = read(
        source, format, layout=layout, min_frames=min_frames, progress=progress, **options
    )
    if where:
        info, samples = keep_samples(info, samples, where)
    if map_to is not None:
        wanted = map_to if isinstance(map_to, Layout) else load_layout(map_to)
        info, samples = map_samples(info, samples, wanted)
    info, samples = in_time(info, samples, fill_gaps, resample_fps, upsample=upsample)
    if prepare == "main_person":
        info, samples = prepare_samples(info, samples)
    return write_store(target, samples, info, dtype, overwrite)


def in_time(
    info: StoreInfo,
    samples: Iterator[Sample],
    fill_gaps: float | None,
    resample_fps: float | None,
    *,
    upsample: bool = False,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples with short gaps filled, then at another frame rate; None: neither.

    In this order, since a resampled joint needs both of its neighbours; and with their final
    joints, so that files, stores and streams come out alike.

    Raises:
        ValueError: a value is out of its range.
    """
    if fill_gaps is not None:
        info, samples = fill_samples(info, samples, fill_gaps)
    if resample_fps is not None:
        info, samples = resample_samples(info, samples, resample_fps, upsample=upsample)
    return info, samples


def keep_samples(
    info: StoreInfo, samples: Iterator[Sample], where: Where
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The samples with the wanted values; the others are counted as dropped.

    Values are compared as they are (Unicode in NFC). A description with classes keeps those that
    are wanted.

    Args:
        info: the description.
        samples: the samples.
        where: the wanted values of each field; a sample needs one of each.

    Raises:
        ValueError: there is no such field or, after the last sample, no sample with a value.
    """
    wanted = {str(field): {composed(value) for value in values} for field, values in where.items()}
    for field in wanted:
        if field not in KEPT_BY:
            raise ValueError(
                f"samples cannot be selected by {field!r}{nearest_name(field, KEPT_BY)}, only by "
                f"{', '.join(KEPT_BY)}"
            )
    kept = {field: sorted(values) for field, values in wanted.items()}
    changes: dict[str, Any] = {"settings": {**info.settings, "kept": kept}}
    if "label" in wanted:
        classes = (name for name in info.classes if composed(name) in wanted["label"])
        changes["classes"] = tuple(classes)

    def each() -> Iterator[Sample]:
        found: dict[str, set[str]] = {field: set() for field in wanted}
        for sample in samples:
            own = {field: composed(getattr(sample, field)) for field in wanted}
            for field, value in own.items():
                found[field].add(value)
            other = [field for field, value in own.items() if value not in wanted[field]]
            if other:
                info.count_dropped(f"samples of another {other[0]}")
            else:
                yield sample
        for field, values in wanted.items():
            _require_found(field, values, found[field])

    # The copy shares `dropped` with the reader, which keeps counting there.
    return info.model_copy(update=changes), each()


def _require_found(field: str, wanted: Collection[str], found: Collection[str]) -> None:
    missing = sorted(set(wanted) - set(found))
    if missing:
        there = sorted(name or "(none)" for name in found)
        raise ValueError(
            f"no sample has {field} {missing[0]!r}{nearest_name(missing[0], there)}; there are "
            f"{', '.join(there[:12])}{', ...' if len(there) > 12 else ''} "
            "(--keep, or data.keep in the settings)"
        )


def map_samples(
    info: StoreInfo, samples: Iterator[Sample], target: Layout
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples with the joints of another layout, found by name or derived from others.

    Raises:
        ValueError: the samples' layout lacks a joint of the target.
    """
    joints = map_joints(layout_from_dict(info.layout), target)
    settings = {**info.settings, "mapped_from": info.layout["name"]}
    if joints.derived:
        settings["derived"] = [target.joints[column] for column, _ in joints.derived]
    # The copy shares `dropped` with the reader, which keeps counting there.
    mapped = info.model_copy(update={"layout": target.to_dict(), "settings": settings})
    return mapped, (replace(sample, frames=joints.apply(sample.frames)) for sample in samples)


def in_joint_order(
    info: StoreInfo, samples: Iterator[Sample], target: Layout
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples in the order of a layout that has the same joints; else as they are."""
    own = layout_from_dict(info.layout)
    if own.joints == target.joints or not same_joints(own, target):
        return info, samples
    return map_samples(info, samples, target)


def prepare_samples(
    info: StoreInfo, samples: Iterator[Sample]
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples with the main person first, without its empty frames, centred on it.

    Raises:
        ValueError: the samples' layout has no joint spine.
    """
    joint = layout_centre(layout_from_dict(info.layout))
    settings = {**info.settings, "prepare": "main_person"}
    prepared = info.model_copy(update={"settings": settings})

    def each() -> Iterator[Sample]:
        for sample in samples:
            made = prepare_sample(sample, joint, dims=info.dims)
            if missing := len(sample.frames) - len(made.frames):
                prepared.count_dropped("frames without the main person", missing)
            yield made

    return prepared, each()
