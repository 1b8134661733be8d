"""Northwestern-UCLA as JSON, `aNN_sNN_eNN_vNN.json`, one recording each.

Source: Wang et al., "Cross-view action modeling, learning and recognition", CVPR 2014, in the form
that Cheng et al., "Skeleton-based action recognition with shift graph convolutional network",
CVPR 2020, and Chen et al., "Channel-wise topology refinement", ICCV 2021, train on: an object whose
`skeletons` are frames of 20 joints of x, y, z (metres, Kinect v1: y up, z depth).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aclnet.data.class_names import class_names
from aclnet.data.formats import Progress, with_progress
from aclnet.data.names import parse_nwucla
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.arrays import to_float32
from aclnet.foreign.text import load_json
from aclnet.skeleton import Layout, load_layout

ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
"""The action numbers of the file names, in the order of the classes."""

_KEY = "skeletons"
_HEAD = 400


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one in it."""
    files = [path] if path.is_file() else path.glob("a??_s??_e??_v??.json")
    first = next((file for file in files if file.is_file() and file.stat().st_size), None)
    if first is None or first.suffix.lower() != ".json":
        return False
    with first.open(encoding="utf-8", errors="replace") as file:
        return f'"{_KEY}"' in file.read(_HEAD)


def read(
    path: Path, *, layout: Layout | None = None, progress: Progress | None = None
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a folder of recordings, or one, file by file.

    The class is that of the file's name; `label` in the file is not read. Copies of a recording
    under another name are kept (`validate` finds them).

    Args:
        path: the folder or file.
        layout: another layout for the joints of a frame; Kinect v1's 20 joints by default.
        progress: called with the number of the file that is read and their total.

    Raises:
        ValueError: there is no such file, or a name's action is none of the ten; while samples are
            drawn: a file is damaged.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    if not files:
        raise ValueError(f"{path}: contains no *.json file")
    names = [parse_nwucla(file.name) for file in files]
    for file, name in zip(files, names, strict=True):
        if name and name.action not in ACTIONS:
            raise ValueError(
                f"{file}: names action {name.action}; the data set has "
                f"{', '.join(map(str, ACTIONS))}"
            )
    chosen = layout or load_layout("kinect20")
    classes = class_names("nwucla")
    info = StoreInfo.of_file(
        path,
        chosen,
        channels=("x", "y", "z"),
        unit="metre",
        # A store with classes has a label for every sample; files with other names have none.
        classes=classes if all(names) else (),
    )

    def recordings() -> Iterator[Sample]:
        for file, name in with_progress(zip(files, names, strict=True), len(files), progress):
            frames = _frames(file, chosen)
            if len(frames) == 0:
                info.count_dropped("empty sequences")
                continue
            label = classes[ACTIONS.index(name.action)] if name else ""
            fields = name.fields if name else {}
            yield Sample(file.stem, frames[:, None], label=label, **fields)

    return info, recordings()


def _frames(file: Path, layout: Layout) -> npt.NDArray[np.float32]:
    """(T, V, 3)."""
    content = load_json(file)
    if not isinstance(content, dict) or not isinstance(content.get(_KEY, []), list):
        raise ValueError(f"{file}: expected an object with a list {_KEY!r}")
    if _KEY not in content:
        raise ValueError(f"{file}: has no key {_KEY!r}; it has {', '.join(content) or 'none'}")
    for number, frame in enumerate(content[_KEY]):
        try:
            joints = np.asarray(frame)
        except ValueError:  # ragged
            joints = np.empty(0, object)
        shape = joints.shape if joints.dtype.kind in "fiu" else ()
        if shape != (layout.joint_count, 3):
            raise ValueError(
                f"{file}: {_KEY}, frame {number}: expected {layout.joint_count} joints (layout "
                f"{layout.name}) of 3 numbers, got {shape or 'something else'}"
            )
        if not np.isfinite(joints).all():
            raise ValueError(
                f"{file}: {_KEY}, frame {number}: a number is NaN or infinite; write 0 for a joint "
                "that was not found"
            )
    return to_float32(content[_KEY]).reshape(-1, layout.joint_count, 3)
