"""What motion-capture formats have in common: joints, unit, axes, metadata.

Lengths become metres and y points up. The name of a file may tell more, as HDM05's
(`HDM_bd_sneak2StepsLStart_001_120`: person, class, take, frames per second) and CMU's do (`131_01`:
person, take).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.formats import Progress, with_progress
from aclnet.data.formats.keypoints.files import find_recordings
from aclnet.data.formats.keypoints.labels import NOBODY, read_labels
from aclnet.data.numbering import Numbers
from aclnet.data.sample import FASTEST_FPS, SLOWEST_FPS, Sample, StoreInfo
from aclnet.foreign.arrays import to_float32
from aclnet.skeleton import Layout, layout_from_dict, layout_names, load_layout

Array = npt.NDArray[np.float64]
LengthUnit = Literal["auto", "m", "cm", "mm", "inch", "cmu"]
Up = Literal["y", "z"]

METRES: dict[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.0254 / 0.45}
"""Metres of each unit of length; CMU's is 1/0.45 of an inch."""
MOST_JOINTS = 500
_BODY = 2.2
"""Metres from the toes to the fingers of the raised hand of an adult, along the bones."""
_SAME_RATE = 5e-4
_HDM05 = re.compile(r"HDM_(?P<identity>[^_]+)_(?P<label>.+)_(?P<take>\d{3})_\d{1,4}", re.ASCII)
_CMU = re.compile(r"(?P<identity>\d{2,3})_(?P<take>\d{2,3})", re.ASCII)


class Motion(NamedTuple):
    """One recording.

    Attributes:
        names: J joints as the file names them.
        parents: (J,) each joint's parent, -1 for the root; empty where the file has no bones.
        joints: (T, J, 3) metres, y up; zero where a joint was not found.
        fps: frames per second, if known.
        extra: how many of the last joints belong to a layout only if it names them.
        unit: how the unit of length was found, to be said; empty if the file says it.
        numbers: (T,) rising, the frames' numbers in the recording; None: 0 to T - 1.
        notes: sentences on how the file was read.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: Array
    fps: float | None
    extra: int = 0
    unit: str = ""
    numbers: Numbers | None = None
    notes: tuple[str, ...] = ()


def read_motions(
    path: Path,
    ending: str,
    load: Callable[[Path], Motion],
    *,
    layout: Layout | None,
    labels: str | Path | None,
    progress: Progress | None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read the recordings at a path, a file each.

    Args:
        path: a file or folder.
        ending: of the files, such as ".bvh".
        load: reads one.
        layout: the joints to take; by default those of a shipped layout that has all of the
            file's, else the file's own skeleton.
        labels: a table of metadata (`aclnet.data.formats.keypoints.labels`).
        progress: called with the number of the recording and their total.

    Raises:
        ValueError: there is no file, an option is wrong, or a file is damaged, has other joints
            than the first or another unit (some only while samples are drawn).
    """
    recordings = find_recordings(path, (ending,))
    table = read_labels(labels) if labels else None
    if table:
        table.check((one.key for one in recordings), apart=False)
    loaded = (
        (one, load(one.place)) for one in with_progress(recordings, len(recordings), progress)
    )
    first = next(loaded)
    chosen = layout or _own_layout(first[1], first[0].place, ending)
    info = StoreInfo.of_file(path, chosen, channels=("x", "y", "z"), unit="metre")

    def samples() -> Iterator[Sample]:
        for recording, motion in itertools.chain([first], loaded):
            place = recording.place
            if motion.unit != first[1].unit:
                raise ValueError(
                    f"{place}: {motion.unit}, but of {first[0].place.name}: {first[1].unit}; set "
                    "the option length_unit, or convert them separately"
                )
            for sentence in filter(None, (motion.unit, *motion.notes)):
                info.note(sentence)
            frames = to_float32(motion.joints[:, _columns(motion.names, chosen, place)])
            if not np.isfinite(frames).all():
                raise ValueError(f"{place}: a joint's place is not a finite number")
            if not len(frames):
                info.count_dropped("empty sequences")
                continue
            fields: dict[str, Any] = {"fps": motion.fps, "frame_numbers": motion.numbers}
            fields |= named_fields(place.stem)
            sample = Sample(recording.key, frames[:, None], **fields)
            sample = table.fill(sample) if table else sample
            if table and sample.identity == NOBODY:
                info.count_dropped("samples that the labels leave out")
            else:
                yield sample

    return info, samples()


def named_fields(stem: str) -> dict[str, str]:
    """Fields of a sample from the name of a file of HDM05 or CMU; none for another name.

    >>> named_fields("HDM_bd_sneak2StepsLStart_001_120")
    {'identity': 'bd', 'label': 'sneak2StepsLStart', 'take': '1'}
    >>> named_fields("131_01"), named_fields("walk")
    ({'identity': '131', 'take': '1'}, {})
    """
    found = _HDM05.fullmatch(stem) or _CMU.fullmatch(stem)
    fields = found.groupdict() if found else {}
    return {name: str(int(text)) if text.isdigit() else text for name, text in fields.items()}


def metres_of(unit: LengthUnit, path: float, what: str) -> tuple[float, str]:
    """Metres of a file's unit of length, and how it was found.

    Args:
        unit: as the user named it; "auto" takes the one in which a body has the size of an adult.
        path: the longest way along the bones, in the file's unit.
        what: what is measured, for the message.

    Raises:
        ValueError: there is no such unit, or no length by which to find it.
    """
    if unit in METRES:
        return METRES[unit], ""
    if unit != "auto":
        raise ValueError(f"length_unit must be one of auto, {', '.join(METRES)}, not {unit!r}")
    if not (math.isfinite(path) and path > 0):
        raise ValueError(f"{what} has no length; set the option length_unit")
    best = min(METRES, key=lambda one: abs(math.log(METRES[one] * path / _BODY)))
    return METRES[best], f"lengths are read as {best} (option length_unit), by the body's size"


def finite_number(text: str, where: str = "") -> float:
    """A number of a text file.

    Args:
        text: as it stands there.
        where: begins the message.

    Raises:
        ValueError: it is none, or not finite.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise ValueError(f"{where}expected a number, got {text[:40]!r}")
    return number


def y_up(joints: Array, up: Up) -> Array:
    """Places (..., 3) turned so that y points up, where it was z.

    Raises:
        ValueError: it is neither.
    """
    if up not in ("y", "z"):
        raise ValueError(f"up must be y or z, not {up!r}")
    return joints if up == "y" else joints[..., [0, 2, 1]] * (1, 1, -1)


def checked_rate(fps: float) -> float:
    """Frames a second without the rounding of the seconds a frame in a file.

    Raises:
        ValueError: it is not a rate.

    >>> checked_rate(1 / 0.0083333), checked_rate(29.97)
    (120.0, 29.97)
    """
    if not SLOWEST_FPS <= fps <= FASTEST_FPS:
        raise ValueError(f"{fps:g} frames per second is not a frame rate; correct the file")
    near = round(fps)
    return float(near) if near and abs(fps / near - 1) < _SAME_RATE else fps


def check_size(frames: int, joints: int, numbers: int) -> None:
    """Refuse files that are mostly joints without numbers, and would become far larger.

    Raises:
        ValueError: it is such a file, or has too many joints.
    """
    if joints > MOST_JOINTS:
        raise ValueError(f"it has {joints} joints, {MOST_JOINTS} are read at most")
    if frames * joints > 16 * numbers + (1 << 20):
        raise ValueError(f"{frames} frames of {joints} joints have only {numbers} numbers")


def _own_layout(motion: Motion, place: Path, ending: str) -> Layout:
    names = motion.names[: len(motion.names) - motion.extra]
    for layout in map(load_layout, layout_names()):
        found = {layout.find(name) for name in names}
        if found == set(range(layout.joint_count)) and len(names) == layout.joint_count:
            return layout
    if not motion.parents:
        raise ValueError(
            f"{place}: no shipped layout has its {len(names)} points {', '.join(names[:4])}"
            f"{', …' if len(names) > 4 else ''}; name the layout whose joints to take (--layout), "
            "or the markers of each joint (option markers=TABLE.yaml)"
        )
    bones = [[name, names[up]] for name, up in zip(names, motion.parents, strict=False) if up >= 0]
    about = {"joints": list(names), "bones": bones, "centre": names[0]}
    return layout_from_dict({"name": f"{ending[1:]}{len(names)}", **about}, str(place))


def _columns(names: Sequence[str], layout: Layout, place: Path) -> list[int]:
    """The file's column of each of the layout's joints."""
    columns = {layout.find(name): column for column, name in reversed(list(enumerate(names)))}
    lacking = [joint for i, joint in enumerate(layout.joints) if i not in columns]
    if lacking:
        raise ValueError(
            f"{place}: has no joint {', '.join(lacking[:4])}, which layout {layout.name} has; its "
            f"joints are {', '.join(names[:40])}"
        )
    return [columns[i] for i in range(layout.joint_count)]
