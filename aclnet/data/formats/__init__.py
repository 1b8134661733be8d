"""Readers of the files that people have: one module a format, one line a format here.

A format module has two functions: `recognises(path) -> bool`, a cheap look, and
`read(path, *, layout, progress, ...) -> (StoreInfo, samples)`, whose further arguments are the
format's own options. A reader streams: it holds one sample at a time where the file allows it,
keeps every sample that has a frame, and counts what it leaves out in the StoreInfo's `dropped`.
A module that unpickles says `UNPICKLES = True`: its `read` is then called in a process with limits
(`aclnet.data.formats.pickles.child`). A module outside this package becomes a format by
`register_reader`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aclnet.data.formats.pickles.child import read_in_child
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout, load_layout

READERS: dict[str, str] = {}
"""The module of each format by the format's name, in the order in which `detect` asks them."""

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is, in the reader's own unit."""


def register_reader(name: str, module: str) -> None:
    """Add a format to those that are read.

    Args:
        name: the format's name.
        module: the name of its module (in the module itself `__name__`), imported when it is
            first asked.

    Raises:
        ValueError: another module reads a format of that name.
    """
    if READERS.setdefault(name, module) != module:
        raise ValueError(
            f"format {name} is read by {READERS[name]} already; register {module} by another name"
        )


for _name, _module in (
    ("gaitgraph_csv", "aclnet.data.formats.gaitgraph_csv"),
    ("pose_pickle", "aclnet.data.formats.pose_pickle"),
    ("pyskl", "aclnet.data.formats.pyskl.reader"),
    ("npz", "aclnet.data.formats.npz"),
    ("kgbd_text", "aclnet.data.formats.kgbd_text"),
    ("transg_npy", "aclnet.data.formats.transg.reader"),
    ("ntu_skeleton", "aclnet.data.formats.ntu"),
    ("nwucla_json", "aclnet.data.formats.nwucla_json"),
    ("alphapose_json", "aclnet.data.formats.alphapose_json"),
    ("openpose_json", "aclnet.data.formats.openpose_json"),
    ("mmpose_json", "aclnet.data.formats.mmpose_json"),
    ("ultralytics_json", "aclnet.data.formats.ultralytics_json"),
    ("ultralytics_text", "aclnet.data.formats.ultralytics_text"),
    ("mediapipe", "aclnet.data.formats.mediapipe"),
    ("keypoint_csv", "aclnet.data.formats.keypoint_csv"),
):
    register_reader(_name, _module)


def detect(path: str | Path) -> str:
    """The name of the format of a file or folder.

    Raises:
        ValueError: nothing is there, or no reader recognises it.
    """
    place = Path(path)
    if not place.exists():
        raise ValueError(f"{place}: no such file or folder")
    for name in READERS:
        if _import(name).recognises(place):
            return name
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
    **options: Any,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file or folder in one of the formats.

    Args:
        path: what to read.
        format: one of `READERS`; recognised from the content if not given.
        layout: the joints' layout, where the file does not say it or says it wrong.
        min_frames: shorter samples are left out and counted.
        fps: frames a second, where the file does not say it.
        image_size: width and height of the video in pixels, where the file does not say it.
        unit: pixel, metre or normalised, where the reader takes it for another.
        progress: told how far the reader is.
        **options: the format's own options (arguments of its module's `read`).

    Returns:
        The description, and the samples as they are read.

    Raises:
        ValueError: the format or an option is unknown, or the file is not what it should be
            (some of that only while the samples are drawn).
    """
    name = format or detect(path)
    if name not in READERS:
        raise ValueError(f"no format {name!r}; there are {', '.join(READERS)}")
    if not Path(path).exists():
        raise ValueError(f"{path}: no such file or folder")
    _check_options(name, options)
    module = _import(name)
    reader = module.read
    if getattr(module, "UNPICKLES", False):
        reader = functools.partial(read_in_child, READERS[name])
    told = layout if isinstance(layout, Layout) or layout is None else load_layout(layout)
    info, samples = reader(Path(path), layout=told, progress=progress, **options)
    settings = {"format": name, "min_frames": min_frames, **options, **info.settings}
    info = _describe(info, settings=settings, fps=fps, image_size=image_size, unit=unit)
    return info, _long_enough(info, samples, min_frames) if min_frames > 0 else samples


def reader_options(name: str) -> tuple[str, ...]:
    """The names of a format's own options.

    >>> reader_options("npz")
    ('split', 'confidence', 'keep')
    """
    known = inspect.signature(_import(name).read).parameters
    return tuple(option for option in known if option not in ("path", "layout", "progress"))


def _import(name: str) -> Any:
    return importlib.import_module(READERS[name])


def _describe(info: StoreInfo, **told: Any) -> StoreInfo:
    """The description with what the user told; what is None stays as the reader says."""
    given = {key: value for key, value in told.items() if value is not None}
    try:
        checked = StoreInfo.model_validate({**info.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]} {first['input']!r}: {first['msg']}") from None
    # The copy shares `dropped` with the reader, which goes on counting there.
    return checked.model_copy(update={"dropped": info.dropped})


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    known = reader_options(name)
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            raise ValueError(
                f"format {name} has no option {option!r}"
                + (
                    f" (did you mean {near[0]}?)"
                    if near
                    else f"; it has {', '.join(known) or 'none of its own'}"
                )
            )


def _long_enough(info: StoreInfo, samples: Iterator[Sample], min_frames: int) -> Iterator[Sample]:
    for sample in samples:
        if len(sample.frames) < min_frames:
            info.count_dropped(f"sequences shorter than {min_frames} frames")
        else:
            yield sample
