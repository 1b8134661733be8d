"""BVH: a skeleton and its angles in one text file, one person a file.

Source: Meredith and Maddock, "Motion capture file formats explained", University of Sheffield 2001.
A joint's position channels stand in place of its OFFSET. The format has no unit of length: by
default it is told by the body's size. The ends of the last bones are `<joint>_end`, for a layout
that names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import first_lines
from aclnet.data.formats.mocap.kinematics import joint_places, longest_path, rotations
from aclnet.data.formats.mocap.motion import (
    MOST_JOINTS,
    Array,
    LengthUnit,
    Motion,
    Up,
    check_size,
    checked_rate,
    finite_number,
    metres_of,
    read_motions,
    y_up,
)
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.text import read_text
from aclnet.skeleton import Layout

_ENDING = ".bvh"
_LONGEST_HIERARCHY = 1 << 20
_BLOCK = 4096  # frames at a time


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    return any(line.split()[:1] == ["HIERARCHY"] for line in first_lines(path, _ENDING))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    length_unit: LengthUnit = "auto",
    up: Up = "y",
    labels: str | Path | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file, or a folder of them.

    Args:
        path: the file or folder.
        layout: the joints to take; by default a shipped layout that has all of the file's (CMU's:
            cmu31), else the file's own skeleton.
        progress: called with the number of the file that is read and their total.
        length_unit: m, cm, mm, inch or cmu (1/0.45 inch); "auto": the one in which the body has
            the size of an adult, which the notes say.
        up: the axis that points up in the file.
        labels: a CSV of the recordings' metadata; without it CMU's names tell person and take.

    Raises:
        ValueError: there is no file, or one is damaged or has other joints than the first.
    """

    def load(file: Path) -> Motion:
        return _load(file, length_unit, up)

    return read_motions(path, _ENDING, load, layout=layout, labels=labels, progress=progress)


@dataclass
class _Joint:
    name: str
    parent: int
    offset: Array = field(default_factory=lambda: np.zeros(3))
    channels: tuple[str, ...] = ()


def _load(file: Path, unit: LengthUnit, up: Up) -> Motion:
    text = read_text(file, errors="replace")
    head, found, rest = text.partition("MOTION")
    if not found or len(head) > _LONGEST_HIERARCHY:
        raise ValueError(f"{file}: expected HIERARCHY, then MOTION; fetch the file again")
    try:
        named, ends = _hierarchy(head.split())
        joints = named + ends
        values, seconds = _motion(
            rest, head.count("\n") + 1, sum(len(one.channels) for one in joints)
        )
        lengths = [0.0, *(float(np.linalg.norm(one.offset)) for one in joints[1:])]
        parents = [one.parent for one in joints]
        metres, how = metres_of(unit, longest_path(parents, lengths), "the skeleton")
        check_size(len(values), len(joints), values.size)
        blocks = range(0, max(len(values), 1), _BLOCK)
        places = np.concatenate([_places(joints, values[at : at + _BLOCK]) for at in blocks])
        fps = checked_rate(1 / seconds) if seconds else None
        names = tuple(one.name for one in joints)
        return Motion(names, tuple(parents), y_up(places * metres, up), fps, len(ends), how)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _hierarchy(words: list[str]) -> tuple[list[_Joint], list[_Joint]]:
    """The joints, parents first, and the ends of the last bones."""
    joints: list[_Joint] = []
    ends: list[_Joint] = []
    stack: list[_Joint] = []
    rest = iter(words)
    for word in rest:
        match word.upper():
            case "HIERARCHY":
                continue
            case "ROOT" | "JOINT" | "END" as kind:
                name = " ".join(takewhile(lambda one: one != "{", rest))
                parent = next((i for i, one in enumerate(joints) if stack and one is stack[-1]), -1)
                if (kind == "ROOT") != (parent < 0) or (kind == "ROOT" and joints):
                    raise ValueError(f"expected one ROOT and JOINTs below it, at {name[:40]!r}")
                made = _Joint(name if kind != "END" else f"{joints[parent].name}_end", parent)
                (ends if kind == "END" else joints).append(made)
                stack.append(made)
            case "OFFSET" if stack:
                stack[-1].offset = np.array([finite_number(next(rest, "")) for _ in range(3)])
            case "CHANNELS" if stack:
                count = finite_number(next(rest, ""))
                channels = tuple(next(rest, "").lower() for _ in range(int(min(count, 7))))
                stack[-1].channels = _checked_channels(channels)
            case "}" if stack:
                stack.pop()
            case _:
                raise ValueError(f"expected a joint, OFFSET, CHANNELS or }}, got {word[:40]!r}")
        if len(joints) + len(ends) > MOST_JOINTS:
            raise ValueError(f"it has more than {MOST_JOINTS} joints")
    if stack or not joints:
        raise ValueError("the skeleton is cut off; fetch the file again")
    return joints, ends


def _checked_channels(channels: tuple[str, ...]) -> tuple[str, ...]:
    known = {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}
    wrong = [one for one in channels if one not in known]
    if wrong or len(set(channels)) < len(channels):
        raise ValueError(
            "the channels of a joint are Xposition … Zrotation, each once, not "
            f"{' '.join(channels)[:80]}"
        )
    return channels


def _motion(text: str, line: int, channels: int) -> tuple[Array, float]:
    """The values of the channels (T, D), and the seconds of a frame.

    Args:
        text: what follows the word MOTION.
        line: the file's line of that word.
        channels: D.
    """
    lines = enumerate(text.splitlines(), line)
    filled = ((number, words) for number, one in lines if (words := one.split()))
    frames = _headed(next(filled, (0, [])), ["frames:"], "Frames: and their number")
    seconds = _headed(next(filled, (0, [])), ["frame", "time:"], "Frame Time: and its seconds")
    rows = []
    for number, words in filled:
        try:
            rows.append(np.array(words, dtype=np.float64))
        except ValueError:
            raise ValueError(f"line {number} is not of numbers") from None
    values = np.concatenate(rows) if rows else np.zeros(0)
    if values.size != frames * channels or not channels:
        raise ValueError(
            f"expected {frames:g} frames of {channels} channels, found {values.size} numbers; the "
            "file was cut off or edited"
        )
    if not np.isfinite(values).all():
        raise ValueError("a channel's value is not a finite number")
    return values.reshape(-1, channels), seconds


def _headed(line: tuple[int, list[str]], words: list[str], what: str) -> float:
    found = [word.lower() for word in line[1]]
    if found[: len(words)] != words or len(found) != len(words) + 1:
        raise ValueError(f"expected {what} after MOTION")
    number = finite_number(found[-1])
    if number < 0:
        raise ValueError(f"expected {what} after MOTION, not {found[-1][:40]}")
    return number


def _places(joints: list[_Joint], values: Array) -> Array:
    """(T, J, 3) in the file's unit, of the channels' values (T, D)."""
    local, offsets, first = [], [], 0
    for one in joints:
        own = values[:, first : first + len(one.channels)]
        first += len(one.channels)
        turns = [i for i, name in enumerate(one.channels) if name.endswith("rotation")]
        local.append(rotations("".join(one.channels[i][0].upper() for i in turns), own[:, turns]))
        offset = np.repeat(one.offset[None], len(values), axis=0)
        for i, name in enumerate(one.channels):
            if name.endswith("position"):
                offset[:, "xyz".index(name[0])] = own[:, i]
        offsets.append(offset)
    return joint_places([one.parent for one in joints], local, offsets, own=False)
