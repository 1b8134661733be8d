"""Readers of pose and skeleton files: one module a format, named after it.

A format module has two functions: `recognises(path) -> bool`, a cheap check, and
`read(path, *, layout, progress, ...) -> (StoreInfo, samples)`, whose further arguments are the
format's own options. A reader streams: it holds one sample at a time where the file allows it,
keeps every sample that has a frame, and counts what it leaves out in the StoreInfo's `dropped`.
A module that unpickles sets `UNPICKLES = True`, one that calls native code `NATIVE`, the bytes of
memory that it may take for each of the file's, and `LIBRARY`, whose code it is: its `read` then
runs in a process with limits (`aclnet.data.formats.pickles.child`). A module outside this package
becomes a format by `register_reader`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aclnet import progress as showing
from aclnet.data.formats.pickles.child import read_in_child
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.text import check_regular, naming
from aclnet.skeleton import Layout, load_layout
from aclnet.skeleton.names import nearest_name

READERS: dict[str, str] = {
    name.rpartition(".")[2]: f"{__name__}.{name}"
    for name in (
        *("gaitgraph_csv", "pose_pickle", "pyskl", "npz", "kgbd_text", "transg_npy"),
        *("ntu_skeleton", "nwucla_json", "kinetics_json", "alphapose_json", "openpose_json"),
        *("mmpose_json", "ultralytics_json", "ultralytics_text", "mediapipe", "keypoint_csv"),
        *("mocap.bvh", "mocap.asf_amc", "mocap.c3d", "mocap.trc", "parquet"),
    )
}
"""The module of each format by the format's name, in the order in which `detect` tries them."""

Progress = showing.Progress
"""Called with the amount done and the total, in the reader's own unit."""


def register_reader(name: str, module: str) -> None:
    """Add a format.

    Args:
        name: the format's name.
        module: the name of its module (`__name__` in the module itself), imported on first use.

    Raises:
        ValueError: another module reads a format of that name.
    """
    if READERS.setdefault(name, module) != module:
        raise ValueError(
            f"format {name} is already read by {READERS[name]}; register {module} under another "
            "name"
        )


def detect(path: str | Path) -> str:
    """The name of a file's or folder's format.

    Raises:
        ValueError: the path does not exist, or no reader recognises it.
    """
    place = Path(path)
    _check_place(place)
    for name in READERS:
        with naming(place, name):
            if _import(name).recognises(place):
                return name
    if place.is_dir() and not any(one.is_file() for one in place.rglob("*")):
        raise ValueError(f"{place}: the folder holds no file")
    if place.is_file() and not place.stat().st_size:
        raise ValueError(f"{place}: the file is empty")
    raise ValueError(
        f"{place}: not recognised as {', '.join(READERS)}; if it is one of them, name the format"
    )


def read(
    path: str | Path,
    format: str | None = None,
    *,
    layout: Layout | str | Path | None = None,
    min_frames: int = 0,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    unit: str | None = None,
    progress: Progress | None = None,
    apart: bool = False,
    **options: Any,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file or folder in one of the formats.

    Args:
        path: what to read.
        format: one of `READERS`; recognised from the content by default.
        layout: the joints' layout, where the file does not name it or names a wrong one.
        min_frames: shorter samples are dropped and counted.
        fps: frames per second of the recordings, also where only every n-th frame has poses; in
            place of the file's.
        image_size: width and height of the video in pixels, where the file does not have it.
        unit: pixel, metre or normalised, where the reader chooses another.
        progress: called with the amount read and the total.
        apart: read any format, as pickles always are, in a process with limits of time and memory:
            for files of strangers.
        **options: the format's own options (arguments of its module's `read`).

    Returns:
        The description, and the samples as they are read.

    Raises:
        ValueError: the format or an option is unknown, or the file is malformed (some faults are
            found only while the samples are drawn).
    """
    place = Path(path)
    name = format or detect(place)
    if name not in READERS:
        raise ValueError(f"no format {name!r}; there are {', '.join(READERS)}")
    _check_place(place)
    _check_options(name, options)
    reader = _import(name).read
    if apart or unpickles(name) or is_native(name):
        bounded = apart or is_native(name)
        reader = functools.partial(read_in_child, READERS[name], bounded=bounded)
    if not (layout is None or isinstance(layout, Layout)):
        layout = load_layout(layout)
    with naming(place, name):
        info, samples = reader(place, layout=layout, progress=progress, **options)
    samples = _named(samples, place, name)
    if fps is not None:  # that of every recording, also where the file has another
        samples = (replace(sample, fps=None) for sample in samples)
    settings = {"format": name, "min_frames": min_frames, **options, **info.settings}
    info = _describe(info, settings=settings, fps=fps, image_size=image_size, unit=unit)
    return info, _long_enough(info, samples, min_frames) if min_frames > 0 else samples


def reader_options(name: str) -> tuple[str, ...]:
    """The names of a format's own options.

    >>> reader_options("npz")
    ('split', 'confidence', 'keep', 'metres')
    """
    known = inspect.signature(_import(name).read).parameters
    return tuple(option for option in known if option not in ("path", "layout", "progress"))


def unpickles(name: str) -> bool:
    """Whether files of a format are pickles, or may hold some.

    >>> unpickles("pyskl"), unpickles("npz")
    (True, False)
    """
    return getattr(_import(name), "UNPICKLES", False) is True


def is_native(name: str) -> bool:
    """Whether native code reads the files of a format, which may end its process or never end.

    >>> is_native("c3d"), is_native("bvh")
    (True, False)
    """
    return getattr(_import(name), "NATIVE", 0) > 0


def _import(name: str) -> Any:
    return importlib.import_module(READERS[name])


def _check_place(place: Path) -> None:
    try:
        found = place.exists()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise ValueError(f"{str(place)[:200]!r}: {error}") from None
    if not found:
        raise ValueError(f"{place}: no such file or folder")
    if not place.is_dir():
        check_regular(place)


def _named(samples: Iterator[Sample], place: Path, name: str) -> Iterator[Sample]:
    """The samples; whatever else than a `ValueError` a damaged file raises becomes one."""
    while True:
        with naming(place, name):
            sample = next(samples, None)
        if sample is None:
            return
        yield sample


def _describe(info: StoreInfo, **changes: Any) -> StoreInfo:
    """The description with the user's changes; None leaves a field as the reader filled it."""
    changes = {key: value for key, value in changes.items() if value is not None}
    try:
        checked = StoreInfo.model_validate({**info.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}") from None
    # The copy shares the counts with the reader, which keeps counting there.
    return checked.model_copy(update={"dropped": info.dropped, "notes": info.notes})


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    known = reader_options(name)
    for option in options:
        if option not in known:
            hint = (
                nearest_name(option, known) or f"; it has {', '.join(known) or 'none of its own'}"
            )
            raise ValueError(f"format {name} has no option {option!r}{hint}")


def _long_enough(info: StoreInfo, samples: Iterator[Sample], min_frames: int) -> Iterator[Sample]:
    for sample in samples:
        if len(sample.frames) < min_frames:
            info.count_dropped(f"sequences shorter than {min_frames} frames")
        else:
            yield sample


with_progress = showing.with_progress
