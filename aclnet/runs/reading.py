"""Files that a run has not seen, read as its own data were.

A reader's options from the run's settings apply wherever the reader of the file has them. Format,
layout, unit and the choice of recordings apply only to a file of the same kind (the same format or,
if the settings name none, the same ending), since a given layout overrides the joint names in a
file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.convert import in_joint_order, in_time, map_samples
from aclnet.data.formats import READERS, detect, read, reader_options
from aclnet.data.sample import Frames, Sample, StoreInfo
from aclnet.data.settings import DataSettings
from aclnet.data.store import open_store
from aclnet.progress import Progress, with_progress
from aclnet.skeleton import Layout, layout_names, load_layout

CHOOSING = ("split", "keep", "label_from", "labels", "subject")
"""Options of readers that choose or label the training recordings, not how they are read."""

PLACES = ("skeleton", "markers", "kpfiles")
"""Options of readers that name files of this machine."""

WORDS_OR_FILES = ("missing", "classes")
"""Options that name something known, or else a file."""


def settings_for(own: DataSettings, path: Path, format: str | None = None) -> DataSettings:
    """A run's data settings for another file, without those that do not fit it.

    Args:
        own: the settings of the run's data.
        path: a file, a folder, or a store, which describes itself.
        format: the file's format, if it is known.

    Raises:
        ValueError: no reader recognises the file.
    """
    store = is_store(path)
    same_ending = own.path is not None and own.path.suffix.lower() == path.suffix.lower()
    alike = same_ending and not store
    chosen = format or (own.format if alike else None)
    options: dict[str, Any] = {}
    if path.exists() and not store:  # a missing file is reported by whoever opens it
        name = chosen or detect(path)
        alike = alike if own.format is None else own.format == name
        if name in READERS:
            known = {*reader_options(name), "unit"} - (set() if alike else {*CHOOSING, "unit"})
            options = {option: own.options[option] for option in own.options if option in known}
    layout = own.layout if alike else None
    keep = own.keep if alike else {}
    found = {"path": path, "format": chosen, "layout": layout, "options": options, "keep": keep}
    return own.model_copy(update=found)


def open_file(
    own: DataSettings,
    path: Path,
    given: Mapping[str, Any],
    joints: Layout,
    progress: Progress | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Description and samples of a file, mapped to a run's joints.

    All its recordings are read, also where the run takes only some of its own, with gaps filled and
    the frame rate as in its data. The same joints in another order or spelling are brought into the
    run's; other joints stay as they are.

    Args:
        own: the settings of the run's data.
        path: a file or folder that some reader knows, or a store, which is not changed.
        given: options of `aclnet.data.formats.read` that replace the run's; None removes one.
        joints: the run's.
        progress: called with the amount read and the total.

    Raises:
        ValueError: the file or an option is not valid, or a store is to be read with options.
    """
    if is_store(path):
        opened = _open_store(path, given, progress)
    else:
        opened = _read_file(own, path, given, joints, progress)
    return in_joint_order(*as_run(own, *opened), joints)


def as_run(
    own: DataSettings, info: StoreInfo, samples: Iterator[Sample]
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Samples in time as a run's data: gaps filled and resampled, where its settings say so."""
    return in_time(info, samples, own.fill_gaps, own.resample_fps, upsample=own.upsample)


def _read_file(
    own: DataSettings,
    path: Path,
    given: Mapping[str, Any],
    joints: Layout,
    progress: Progress | None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """A file's samples, read and mapped as the settings say."""
    settings = settings_for(own, path, given.get("format"))
    kept = {name: value for name, value in settings.options.items() if name not in CHOOSING}
    options = {**kept, "layout": settings.layout, **given, "format": settings.format}
    chosen = {name: value for name, value in options.items() if value is not None}
    info, samples = read(path, progress=progress, **chosen)
    if own.map_to is None:
        return info, samples
    # The run has a layout of the user's own itself: its file may be gone.
    shipped = own.map_to in layout_names()
    return map_samples(info, samples, load_layout(own.map_to) if shipped else joints)


def is_store(path: Path) -> bool:
    """Whether a path is a store, whose samples are prepared already."""
    return (path / "store.json").is_file()


def _open_store(
    path: Path, given: Mapping[str, Any], progress: Progress | None
) -> tuple[StoreInfo, Iterator[Sample]]:
    """A store's samples; only the frame rate may be given."""
    unfit = [name for name, value in given.items() if value is not None and name != "fps"]
    if unfit:
        raise ValueError(f"{path} is a store, which describes itself: leave out {', '.join(unfit)}")
    store = open_store(path)
    samples = with_progress(store.samples(), len(store), progress)
    fps = given.get("fps")
    if fps is None:
        return store.info, samples
    info = store.info.model_copy(update={"fps": require_rate(fps)})
    return info, (replace(sample, fps=None) for sample in samples)


def require_rate(fps: float | None) -> float | None:
    """A frame rate that a user gave.

    Raises:
        ValueError: it is not above 0.
    """
    if fps is not None and not 0 < fps < float("inf"):
        raise ValueError(f"fps must be above 0, not {fps}")
    return fps


def array_samples(
    arrays: Sequence[npt.NDArray[Any]], joints: int, channels: int
) -> Iterator[Sample]:
    """Recordings from arrays: (T, V, C) of one person or (T, M, V, C).

    Args:
        arrays: the recordings.
        joints: V.
        channels: C.

    Raises:
        ValueError: an array has other axes, or is not of numbers.
    """
    persons = max(array.shape[1] if array.ndim == 4 else 1 for array in arrays)
    for number, array in enumerate(arrays):
        if array.ndim not in (3, 4) or array.shape[-2:] != (joints, channels):
            raise ValueError(
                f"array {number} has the shape {array.shape}: a recording is (frames, {joints} "
                f"joints, {channels} channels) or (frames, persons, {joints}, {channels})"
            )
        if array.dtype.kind not in "fiu":
            raise ValueError(f"array {number} is of {array.dtype}: expected numbers")
        frames = array[:, None] if array.ndim == 3 else array
        absent = persons - frames.shape[1]
        yield Sample(str(number), _single(np.pad(frames, [(0, 0), (0, absent), (0, 0), (0, 0)])))


def _single(frames: npt.NDArray[Any]) -> Frames:
    """As float32; what is beyond its range becomes infinite, which is refused by its place."""
    with np.errstate(over="ignore"):
        return frames.astype(np.float32)
